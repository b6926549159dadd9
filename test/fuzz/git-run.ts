import { spawn } from "node:child_process";

export interface GitResult {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A git that knows nothing of this machine's own configuration, and dates everything alike. */
export const sealedEnvironment = (home: string): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: home,
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_TERMINAL_PROMPT: "0",
  GIT_AUTHOR_NAME: "Ana",
  GIT_AUTHOR_EMAIL: "ana@example.com",
  GIT_AUTHOR_DATE: "1700000000 +0000",
  GIT_COMMITTER_NAME: "Ana",
  GIT_COMMITTER_EMAIL: "ana@example.com",
  GIT_COMMITTER_DATE: "1700000000 +0000",
});

const TIMEOUT_MS = 60_000;

/** Runs git to its end, whatever that is. */
export function tryGit(
  args: readonly string[],
  cwd: string,
  input: Uint8Array | string = "",
  env: Readonly<Record<string, string>> = {},
): Promise<GitResult> {
  return new Promise((resolve, reject) => {
    const child = spawn("git", args, { cwd, env: { ...sealedEnvironment(cwd), ...env }, timeout: TIMEOUT_MS });
    const chunks: Buffer[] = [];
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString("latin1")));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout: Buffer.concat(chunks), stderr }));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

/** Its output. @throws when it fails */
export async function mustGit(
  args: readonly string[],
  cwd: string,
  input: Uint8Array | string = "",
  env: Readonly<Record<string, string>> = {},
): Promise<Buffer> {
  const { code, stdout, stderr } = await tryGit(args, cwd, input, env);
  if (code !== 0) throw new Error(`git ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

/** Every object of a repository, alternates included, by id. */
export async function readAllObjects(directory: string): Promise<Map<string, { kind: string; content: Buffer }>> {
  const all = await mustGit(["cat-file", "--batch", "--batch-all-objects", "--unordered", "--buffer"], directory);
  const objects = new Map<string, { kind: string; content: Buffer }>();
  for (let at = 0; at < all.length;) {
    const end = all.indexOf(0x0a, at);
    const [oid = "", kind = "", size = "0"] = all.toString("latin1", at, end).split(" ");
    const begin = end + 1;
    objects.set(oid, { kind, content: Buffer.from(all.subarray(begin, begin + Number(size))) });
    at = begin + Number(size) + 1;
  }
  return objects;
}
