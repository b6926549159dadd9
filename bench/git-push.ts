/** A push as a person makes it: `git push`, from its start to its end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Way } from "./benchmark.ts";
import { addressOf, clientTip, gitEnvironment, type Setting } from "./setting.ts";

const PUSH_TIMEOUT_MS = 20 * 60_000;

export interface GitPush {
  readonly way: Way;
  /** The repository upstream. */
  readonly name: string;
  /** The client's. */
  readonly branch: string;
  /** The upstream's; `main` where it does not say. */
  readonly to?: string;
}

export interface SentPush extends GitPush {
  readonly ms: number;
  readonly exitCode: number | null;
  readonly stderr: string;
}

/** Runs `git push` to its end, whatever that is. */
export async function sendGitPush(setting: Setting, push: GitPush): Promise<SentPush> {
  const address = addressOf(setting, push.way, push.name);
  const began = performance.now();
  const child = spawn("git", ["push", "-q", address.url, `refs/heads/${push.branch}:refs/heads/${push.to ?? "main"}`], {
    cwd: setting.client,
    env: gitEnvironment(setting, address),
    signal: setting.options.signal,
    timeout: PUSH_TIMEOUT_MS,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [exitCode] = (await once(child, "close")) as [number | null];
  return { ...push, ms: performance.now() - began, exitCode, stderr };
}

/** @throws Error when the upstream's branch is not the client's */
export async function expectArrived(setting: Setting, push: SentPush): Promise<void> {
  const arrived = await setting.upstream.ref(push.name, `refs/heads/${push.to ?? "main"}`);
  if (push.exitCode === 0 && arrived === (await clientTip(setting, push.branch))) return;
  throw new Error(
    `git push of ${push.branch} (${push.way}) ended with ${push.exitCode}, upstream has ${arrived}:\n${push.stderr}`,
  );
}

/** @returns milliseconds. @throws Error when the upstream's branch is not the client's afterwards */
export async function gitPush(setting: Setting, push: GitPush): Promise<number> {
  const sent = await sendGitPush(setting, push);
  await expectArrived(setting, sent);
  return sent.ms;
}
