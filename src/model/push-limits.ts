/**
 * What one push may cost. Each bound has an error text of its own that names the value, the limit and the way out; a push
 * over any of them is refused, never inspected in part.
 */
export interface PushLimits {
  /** Bytes of the pack as the client sends it. */
  readonly packBytes: number;
  /** Objects in the pack. */
  readonly objects: number;
  /** Bytes of one object, unpacked: a blob, and also what a delta makes. */
  readonly objectBytes: number;
  /** Bytes of one commit or tag object. */
  readonly commitBytes: number;
  /** Bytes of all objects of the pack, unpacked. */
  readonly inflatedBytes: number;
  /** Unpacked bytes for each byte of the pack, counted once more than {@link inflatedFreeBytes} are unpacked. */
  readonly inflationRatio: number;
  readonly inflatedFreeBytes: number;
  /** New commits. */
  readonly commits: number;
  /** Bytes of all additions read from one push. */
  readonly additionBytes: number;
  /** Paths that all new commits together change; a few trees that hold each other many times over make more than anybody can read. */
  readonly changedPaths: number;
  /** Directories within directories. */
  readonly treeDepth: number;
  /** Secrets found in what it brings, warnings counted; a push made of nothing else costs more than reading it. */
  readonly findings: number;
  /** How long a child process of git may work on this push, in milliseconds. */
  readonly gitTimeoutMs: number;
  /** How long looking for secrets in a megabyte of it (2^20 characters) may take, in milliseconds. */
  readonly scanMs: number;
  /** How long reading this push may take, from its last byte to its verdict, in milliseconds. */
  readonly inspectionMs: number;
}

/** Of the commands alone, which are read before anything else is known of a push. */
export interface PushHeadLimits {
  /** Bytes of the head, certificate and options included. */
  readonly bytes: number;
  readonly commands: number;
}
