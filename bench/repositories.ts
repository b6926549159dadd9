/** Repositories to push, made up anew for each run; their content is pseudo-random, so that no run is helped by an earlier one. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";

export interface Subject {
  readonly name: string;
  /** What is pushed, in words. */
  readonly describe: string;
  /** Commits that the upstream has before the push, on `main`. */
  readonly base: (stream: FastImport) => Promise<void>;
  /** The commits that are pushed, on `topic`, on top of the base. */
  readonly topic: (stream: FastImport) => Promise<void>;
}

/** A writer of git-fast-import's input (git-fast-import(1), "INPUT FORMAT"). */
export interface FastImport {
  write(text: string | Uint8Array): Promise<void>;
}

const identity = "Bench <bench@example.com> 1700000000 +0000";

const commit = (
  branch: string,
  mark: number,
  from: string | null,
  merge: string | null,
  files: Record<string, string>,
): string => {
  const message = `Commit ${mark}`;
  const lines = [
    `commit refs/heads/${branch}`,
    `mark :${mark}`,
    `author ${identity}`,
    `committer ${identity}`,
    `data ${Buffer.byteLength(message)}`,
    message,
  ];
  if (from !== null) lines.push(`from ${from}`);
  if (merge !== null) lines.push(`merge ${merge}`);
  for (const [path, text] of Object.entries(files)) {
    lines.push(`M 100644 inline ${path}`, `data ${Buffer.byteLength(text)}`, text);
  }
  return `${lines.join("\n")}\n`;
};

/** Ordinary-looking source lines that no other file has. */
const source = (lines: number): string =>
  Array.from(
    { length: lines },
    () => `export const v${randomBytes(4).toString("hex")} = compute(${randomBytes(2).readUInt16BE(0)});`,
  ).join("\n") + "\n";

const base = async (stream: FastImport): Promise<void> => {
  const files = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`src/file-${at}.ts`, source(100)]));
  await stream.write(commit("main", 1, null, null, files));
};

export const subjects: readonly Subject[] = [
  {
    name: "1 commit",
    describe: "one commit that changes one file of 200",
    base,
    topic: (stream) => stream.write(commit("topic", 2, "refs/heads/main^0", null, { "src/file-7.ts": source(100) })),
  },
  {
    name: "2,000 commits",
    describe: "2,000 commits, every third one a merge",
    base,
    topic: async (stream) => {
      let tip = "refs/heads/main^0";
      let side = tip;
      for (let mark = 2; mark < 2002; mark++) {
        const isMerge = mark % 3 === 0 && side !== tip;
        const file = { [`src/file-${mark % 200}.ts`]: source(20) };
        if (mark % 3 === 2) {
          await stream.write(commit("side", mark, tip, null, file));
          side = `:${mark}`;
        } else {
          await stream.write(commit("topic", mark, tip, isMerge ? side : null, file));
          tip = `:${mark}`;
        }
      }
    },
  },
  {
    name: "200 MB",
    describe: "one commit with ten random binaries of 20 MB",
    base,
    topic: async (stream) => {
      await stream.write(commit("topic", 2, "refs/heads/main^0", null, {}).trimEnd() + "\n");
      for (let at = 0; at < 10; at++) {
        await stream.write(`M 100644 inline assets/${at}.bin\ndata ${20 * 1024 * 1024}\n`);
        for (let chunk = 0; chunk < 20; chunk++) await stream.write(randomBytes(1024 * 1024));
        await stream.write("\n");
      }
    },
  },
];

/** Feeds `git fast-import` in the bare repository. */
export async function fastImport(repository: string, write: (stream: FastImport) => Promise<void>): Promise<void> {
  await mkdir(repository, { recursive: true });
  const child = spawn("git", ["-c", "core.bigFileThreshold=1m", "fast-import", "--quiet", "--force"], {
    cwd: repository,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const closed = once(child, "close");
  await write({
    write: async (text) => {
      if (!child.stdin.write(text)) await once(child.stdin, "drain");
    },
  });
  child.stdin.end("done\n");
  const [code] = (await closed) as [number];
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
}
