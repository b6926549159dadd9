/**
 * The output of `git diff-tree --stdin -z --raw [-c]` (git-diff-tree, "RAW OUTPUT FORMAT", "diff format for merges"):
 *
 *     output = *(commit-id NUL *entry)
 *     entry  = 1*":" 2*mode 2*id status NUL path NUL       ; as many ":" as parents, one mode and one id more
 */
import { GatewayError } from "../errors.ts";

export interface RawEntry {
  readonly commit: string;
  /** As the tree has it. */
  readonly path: Buffer;
  /** Of each parent; `000000` where it has no such path. */
  readonly oldModes: readonly string[];
  readonly oldOids: readonly string[];
  /** `000000` for a deletion. */
  readonly newMode: string;
  readonly newOid: string;
}

export const TREE_MODE = "040000";
export const SUBMODULE_MODE = "160000";
export const ABSENT_MODE = "000000";

/** The tree without entries, which git knows without having it. */
export const EMPTY_TREE = {
  sha1: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
  sha256: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
};

/** Whether an entry of this mode has content: a file or a symbolic link. */
export const isBlobMode = (mode: string): boolean =>
  mode !== ABSENT_MODE && mode !== TREE_MODE && mode !== SUBMODULE_MODE;

const unexpected = (): GatewayError => new GatewayError("inspection_failed", "git diff-tree answered with no diff");

/** One parser for one output; records without their NUL go in, entries come out. @throws GatewayError `inspection_failed` */
export class RawDiffParser {
  #commit: string;
  #header: Omit<RawEntry, "path"> | null = null;

  /** @param commit what entries belong to before the first commit id, as in a diff of two trees */
  constructor(commit = "") {
    this.#commit = commit;
  }

  parse(record: Buffer): RawEntry | null {
    if (this.#header !== null) {
      const entry = { ...this.#header, path: Buffer.from(record) };
      this.#header = null;
      return entry;
    }
    const text = record.toString("latin1");
    if (/^[0-9a-f]{40,64}$/.test(text)) {
      this.#commit = text;
      return null;
    }
    const parents = /^:*/.exec(text)?.[0].length ?? 0;
    const fields = text.slice(parents).split(" ");
    const newMode = fields[parents];
    const newOid = fields[2 * parents + 1];
    if (parents === 0 || newMode === undefined || newOid === undefined || fields.length !== 2 * parents + 3) {
      throw unexpected();
    }
    this.#header = {
      commit: this.#commit,
      oldModes: fields.slice(0, parents),
      oldOids: fields.slice(parents + 1, 2 * parents + 1),
      newMode,
      newOid,
    };
    return null;
  }
}
