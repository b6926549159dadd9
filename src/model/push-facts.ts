import type { Finding } from "./finding.ts";
import type { Principal } from "./principal.ts";
import type { RefUpdate, RefUpdateKind } from "./ref-update.ts";

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
}

/** One ref of the push, with what its whole old..new range means. */
export interface RefFacts {
  readonly update: RefUpdate;
  readonly kind: RefUpdateKind;
  /** True when `update` drops commits that the ref had (not a fast-forward). */
  readonly forced: boolean;
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
  readonly findings: readonly Finding[];
  readonly packBytes: number;
}
