/** The unmodified Codex, run so that nothing leaves the loopback: whatever is not meant for it goes to a proxy that refuses. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { fetchClient, runClient, type ClientRun } from "./fetch-client.ts";
import { startOutside } from "./outside.ts";

const CODEX_VERSION = "0.169.0";

export interface Codex {
  /** A directory of its own, in which it works. */
  readonly directory: string;
  /** `codex exec …`, which asks nothing. @param command e.g. `resume --last` */
  exec(command: readonly string[], prompt: string, model?: string): Promise<ClientRun>;
}

/**
 * With a home of its own; everything is removed when the test ends.
 * @param settings its `config.toml`, word for word
 * @param token goes into the variable that the settings name
 */
export async function startCodex(settings: string, token: string): Promise<Codex> {
  // Its programs for the platform are a package beside it: nothing is fetched when it starts.
  const launcher = await fetchClient("codex", "@openai/codex", CODEX_VERSION, join("bin", "codex.js"));
  const { proxyUrl } = await startOutside();
  const root = await mkdtemp(join(tmpdir(), "sallyport-codex-"));
  onTestFinished(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));
  const directory = join(root, "work");
  const configuration = join(root, "home", ".codex");
  await mkdir(directory);
  await mkdir(configuration, { recursive: true });
  await writeFile(join(configuration, "config.toml"), settings);
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
    HOME: join(root, "home"),
    TMPDIR: root,
    HTTP_PROXY: proxyUrl,
    HTTPS_PROXY: proxyUrl,
    NO_PROXY: "127.0.0.1",
    NO_COLOR: "1",
    SALLYPORT_TOKEN: token,
  };
  const flags = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"];
  return {
    directory,
    exec: (command, prompt, model = "gpt-5.4") =>
      runClient(process.execPath, [launcher, "exec", ...command, ...flags, "--model", model, prompt], {
        cwd: directory,
        env,
      }),
  };
}
