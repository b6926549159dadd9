/** A writer of git-fast-import's input (git-fast-import(1), "INPUT FORMAT"): thousands of commits in a second. */
import { spawn } from "node:child_process";
import { once } from "node:events";

export interface NewCommit {
  /** Without `refs/heads/`. */
  readonly branch: string;
  /** Its number in this stream, to be named as a parent. */
  readonly mark: number;
  /** Marks of its parents. */
  readonly parents: readonly number[];
  /** Path → content. Contents that are large come in pieces that together have `bytes` bytes. */
  readonly files: ReadonlyMap<string, string | { readonly bytes: number; readonly pieces: Iterable<Uint8Array> }>;
}

export interface FastImport {
  commit(commit: NewCommit): Promise<void>;
}

const IDENTITY = "Bench <bench@example.com> 1700000000 +0000";

/** Fills the bare repository at `directory`. Few objects become loose ones, as `git add` makes them. */
export async function fastImport(
  directory: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
  work: (stream: FastImport) => Promise<void>,
): Promise<void> {
  const child = spawn("git", ["-c", "core.bigFileThreshold=1m", "fast-import", "--quiet", "--force"], {
    cwd: directory,
    env,
    signal,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const ended = once(child, "close");
  // Why it takes no more is told by its exit code.
  child.stdin.on("error", () => {});
  const write = async (bytes: string | Uint8Array): Promise<void> => {
    if (!child.stdin.write(bytes)) await Promise.race([once(child.stdin, "drain"), ended]);
  };
  // Heard where it is awaited below, which may be later than it fails.
  ended.catch(() => {});
  await work({
    commit: async ({ branch, mark, parents, files }) => {
      const message = `Commit ${mark}`;
      const [from, ...merged] = parents;
      const lines = [
        `commit refs/heads/${branch}`,
        `mark :${mark}`,
        `author ${IDENTITY}`,
        `committer ${IDENTITY}`,
        `data ${message.length}`,
        message,
        ...(from === undefined ? [] : [`from :${from}`]),
        ...merged.map((parent) => `merge :${parent}`),
      ];
      await write(`${lines.join("\n")}\n`);
      for (const [path, content] of files) {
        const bytes = typeof content === "string" ? Buffer.byteLength(content) : content.bytes;
        await write(`M 100644 inline ${path}\ndata ${bytes}\n`);
        for (const piece of typeof content === "string" ? [content] : content.pieces) await write(piece);
        await write("\n");
      }
    },
  });
  child.stdin.end("done\n");
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
}
