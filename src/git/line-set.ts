import { createHash } from "node:crypto";
import type { ContentLine } from "./content-lines.ts";

/** A set of two million lines takes some 150 MB; what is beyond is not remembered, and so told as added once more. */
const MAX_LINES = 2_000_000;
const SHORT_BYTES = 24;

/** The lines that the versions before have: a line that moves within a file is not the pusher's doing. */
export class LineSet {
  readonly #keys = new Set<string>();

  addAll(lines: Iterable<ContentLine>): void {
    for (const line of lines) if (this.#keys.size < MAX_LINES) this.#keys.add(keyOf(line.bytes));
  }

  has(line: ContentLine): boolean {
    return this.#keys.size > 0 && this.#keys.has(keyOf(line.bytes));
  }
}

// The length tells the two apart: no digest is as short as the longest line that stands for itself.
const keyOf = (bytes: Buffer): string =>
  bytes.length <= SHORT_BYTES
    ? bytes.toString("latin1")
    : createHash("sha256").update(bytes).digest().toString("latin1", 0, 28);
