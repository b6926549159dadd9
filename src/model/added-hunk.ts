/** A run of consecutive lines that a new commit adds to a file. */
export interface AddedHunk {
  readonly commit: string;
  /** The path in the commit, as UTF-8; bytes that are not UTF-8 are replaced. */
  readonly path: string;
  /** 1-based number of the first line in the new version of the file. */
  readonly startLine: number;
  /** The added lines joined by `\n`, without a final one. */
  readonly text: string;
}
