/** One line of an `allowed_signers` file (ssh-keygen, "ALLOWED SIGNERS"): whose commits this key may sign. */
export interface AllowedSigner {
  /** Patterns of e-mail addresses: `*` and `?` as wildcards, `!` before one that is left out. */
  readonly principals: readonly string[];
  /** `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256`, … */
  readonly keyType: string;
  /** The key's blob (RFC 4253, section 6.6), base64. */
  readonly key: string;
  /** Milliseconds since the epoch; null: no bound. */
  readonly validAfter: number | null;
  readonly validBefore: number | null;
}
