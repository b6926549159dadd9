/** `block` refuses a push (where policy says so); `warn` is recorded and told, and lets pass. */
export type Severity = "block" | "warn";

/** A comment on the secret's line by which whoever wrote it says that it may stand there. Their word, and no more than that. */
export interface InlineAllow {
  readonly by: "sallyport:allow" | "gitleaks:allow";
  /** What stands behind it on the line; empty if nothing does. */
  readonly reason: string;
}

/** What the detector returns: where in a text a secret stands. Offsets are UTF-16 code units, `end` exclusive. */
export interface Detection {
  readonly rule: string;
  readonly description: string;
  readonly severity: Severity;
  /** The span of the secret itself (not of the whole match). */
  readonly start: number;
  readonly end: number;
  /** null without such a comment, and where a text is read in parts. */
  readonly allowed: InlineAllow | null;
}

/** Where in a push a text was read. */
export type FindingSource =
  | "file"
  | "path"
  | "commit-message"
  | "commit-identity"
  | "tag-message"
  | "tag-identity"
  | "ref-name"
  | "push-option"
  | "push-certificate";

/** A secret in a push: its rule, its place and a keyed fingerprint; never the secret. */
export interface Finding {
  readonly rule: string;
  readonly description: string;
  readonly severity: Severity;
  readonly source: FindingSource;
  /** The commit or tag object that it was read in; null for ref names, push options and push certificates. */
  readonly oid: string | null;
  /** The file's path for `file` and `path`, with any secret in it masked; otherwise null. */
  readonly path: string | null;
  /** 1-based; for a file, the line in the new version of the file. */
  readonly line: number;
  /** 1-based, in UTF-16 code units. */
  readonly column: number;
  readonly endColumn: number;
  /** Keyed HMAC of the secret: equal for equal secrets, useless without the gateway's key. */
  readonly fingerprint: string;
  /** It stood in this file upstream before the push, so it is not the pusher's doing. */
  readonly known: boolean;
  /** The comment on its line that allows it, its reason masked; null without one, and wherever else than in a file. */
  readonly allowed: InlineAllow | null;
  /** What has accepted it beforehand: it is recorded, and stops nothing. Null: nothing has. */
  readonly baseline: Acceptance | null;
}

/** The entry of the gateway's baseline that a finding falls under. */
export interface Acceptance {
  readonly id: string;
  /** The operator's words. */
  readonly reason: string;
}
