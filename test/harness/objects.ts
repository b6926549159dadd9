/** Git objects made by hand in somebody's clone: also those that no porcelain would make. */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { deflate } from "node:zlib";
import type { WorkingCopy } from "./git.ts";

export interface CommitParts {
  readonly tree: string;
  readonly parents?: readonly string[];
  readonly author?: string;
  readonly committer?: string;
  /** More header lines, without their line feeds. */
  readonly headers?: readonly string[];
  readonly message?: string | Buffer;
}

/** `mode type name` → id, as in the lines of `git ls-tree`. */
export type TreeEntry = readonly [mode: string, name: string, oid: string];

const WHO = "Ana <ana@example.com> 1700000000 +0000";

export interface ObjectMaker {
  blob(content: string | Uint8Array): Promise<string>;
  /** Sorted as git sorts; see `rawTree` for the rest. */
  tree(entries: readonly TreeEntry[]): Promise<string>;
  /** The entries as they stand: unsorted, twice, whatever. */
  rawTree(entries: readonly TreeEntry[]): Promise<string>;
  commit(parts: CommitParts): Promise<string>;
  tag(target: string, type: string, name: string, message: string, tagger?: string): Promise<string>;
  /** Whatever the bytes are. */
  raw(type: string, content: string | Uint8Array): Promise<string>;
}

export function objectMaker(copy: WorkingCopy): ObjectMaker {
  let format: Promise<string> | null = null;
  // A file for each, as `git hash-object -w --literally` writes it: a program for each would take most of a test's time.
  const write = async (type: string, content: string | Uint8Array): Promise<string> => {
    const bytes = Buffer.concat([Buffer.from(`${type} ${Buffer.byteLength(content)}\0`), Buffer.from(content)]);
    const oid = createHash(await (format ??= copy.must("rev-parse", "--show-object-format")))
      .update(bytes)
      .digest("hex");
    const folder = path.join(copy.directory, ".git", "objects", oid.slice(0, 2));
    await mkdir(folder, { recursive: true });
    const unfinished = path.join(folder, randomUUID());
    await writeFile(unfinished, await compress(bytes), { mode: 0o444 });
    await rename(unfinished, path.join(folder, oid.slice(2)));
    return oid;
  };
  const rawTree = (entries: readonly TreeEntry[]): Promise<string> =>
    write(
      "tree",
      Buffer.concat(
        entries.map(([mode, name, oid]) =>
          Buffer.concat([Buffer.from(`${mode.replace(/^0/, "")} ${name}\0`), Buffer.from(oid, "hex")]),
        ),
      ),
    );
  return {
    raw: write,
    blob: (content) => write("blob", content),
    tree: (entries) => rawTree(entries.toSorted((a, b) => Buffer.compare(sortKey(a), sortKey(b)))),
    rawTree,
    commit: ({ tree, parents = [], author = WHO, committer = WHO, headers = [], message = "Change\n" }) => {
      const head = [
        `tree ${tree}`,
        ...parents.map((parent) => `parent ${parent}`),
        `author ${author}`,
        `committer ${committer}`,
        ...headers,
      ];
      return write("commit", Buffer.concat([Buffer.from(`${head.join("\n")}\n\n`), Buffer.from(message)]));
    },
    tag: (target, type, name, message, tagger = WHO) =>
      write("tag", `object ${target}\ntype ${type}\ntag ${name}\ntagger ${tagger}\n\n${message}\n`),
  };
}

/** A directory's name counts as if it ended in a slash. */
const sortKey = ([mode, name]: TreeEntry): Buffer => Buffer.from(mode === "040000" ? `${name}/` : name);

const compress = promisify(deflate);
