import type { Finding } from "./finding.ts";
import type { Principal } from "./principal.ts";
import type { RefUpdate, RefUpdateKind } from "./ref-update.ts";

/** The signature that a commit carries (git-commit, header `gpgsig`). */
export interface CommitSignature {
  readonly format: "openpgp" | "ssh" | "x509";
  /** Who has signed, by the configured keys; null: the signature is none of theirs, or is wrong. */
  readonly signer: string | null;
}

/** A commit as git stores it; text is UTF-8 decoded, unescaped and untrusted. Times are ISO 8601. */
export interface CommitFacts {
  readonly oid: string;
  readonly parents: readonly string[];
  readonly authorName: string;
  readonly authorEmail: string;
  readonly authoredAt: string;
  readonly committerName: string;
  readonly committerEmail: string;
  readonly committedAt: string;
  readonly message: string;
  /** Null: it is not signed. */
  readonly signature: CommitSignature | null;
}

/** A file, symbolic link or submodule as a new commit (or a tag) puts it at a path. */
export interface NewFile {
  /** The commit, or the tag or ref's object that leads to it. */
  readonly oid: string;
  /** As UTF-8; bytes that are not UTF-8 are replaced. */
  readonly path: string;
  /** Octal, e.g. `100755`; `120000` is a symbolic link, `160000` a submodule. */
  readonly mode: string;
  /** Bytes of the content; null where the pack does not hold it (a rename, a submodule). */
  readonly bytes: number | null;
}

/**
 * One ref of the push, with what its whole old..new range means: also what came upstream earlier by another ref. Of a new
 * ref, the range is what no ref of the upstream reaches.
 */
export interface RefFacts {
  readonly update: RefUpdate;
  readonly kind: RefUpdateKind;
  /** True when `update` drops commits that the ref had (not a fast-forward). */
  readonly forced: boolean;
  /** What the new id is; null for a deletion. */
  readonly target: "commit" | "tag" | "tree" | "blob" | null;
  /** The commits that the ref gains, parents before children. */
  readonly commits: readonly CommitFacts[];
  /** Paths that differ between the old tree and the new one; the two of a rename both. */
  readonly paths: readonly string[];
  /** What the commits that are new to the upstream put where. */
  readonly files: readonly NewFile[];
  /** Secrets in what this ref brings and in its own name; those of push options stand at every ref. */
  readonly findings: readonly Finding[];
}

/** Everything that policy may look at. */
export interface PushFacts {
  readonly principal: Principal;
  readonly connection: string;
  /** `<connection>/<path>` without `.git`. */
  readonly repository: string;
  readonly refs: readonly RefFacts[];
  readonly pushOptions: readonly string[];
  /** New commits: in the pack and not upstream before this push. */
  readonly commits: readonly CommitFacts[];
  /** Of all refs. */
  readonly findings: readonly Finding[];
  readonly packBytes: number;
}
