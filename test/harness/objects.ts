/** Git objects made by hand in somebody's clone: also those that no porcelain would make. */
import { mustGit, type WorkingCopy } from "./git.ts";

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
  const write = (type: string, input: string | Uint8Array): Promise<string> =>
    mustGit(["hash-object", "-w", "--literally", "-t", type, "--stdin"], { cwd: copy.directory, input });
  return {
    raw: write,
    blob: (content) => write("blob", content),
    tree: (entries) =>
      mustGit(["mktree", "--missing"], {
        cwd: copy.directory,
        input: entries.map(([mode, name, oid]) => `${mode} ${typeOf(mode)} ${oid}\t${name}\n`).join(""),
      }),
    rawTree: (entries) =>
      write(
        "tree",
        Buffer.concat(
          entries.map(([mode, name, oid]) =>
            Buffer.concat([Buffer.from(`${mode.replace(/^0/, "")} ${name}\0`), Buffer.from(oid, "hex")]),
          ),
        ),
      ),
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

const typeOf = (mode: string): string => (mode === "040000" ? "tree" : mode === "160000" ? "commit" : "blob");
