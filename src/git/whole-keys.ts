/**
 * Private keys span lines, and a rule sees a key only where it sees its first line and some of the next. Whoever adds the two at
 * different times (a file with “BEGIN” and “END” first, then what stands between) would show neither commit's lines a key.
 * So a key of which one line is added is told whole.
 */
import type { ContentLine } from "./content-lines.ts";

export const KEY_BEGINS = "PRIVATE KEY";
const BEGIN = "-----BEGIN ";
const END = "-----END ";
/** A block that is longer is no key, or has shown by then that it is one. */
const MAX_LINES = 64;
const MAX_BYTES = 16 * 1024;

/** Takes the lines of a file in their order, and says which of them are to be told. */
export class WholeKeys {
  #held: ContentLine[] = [];
  #bytes = 0;
  #isAdded = false;

  /** @returns lines to tell: this one, or those of a key that is now complete */
  push(line: ContentLine, isAdded: boolean): ContentLine[] {
    const begins = line.bytes.includes(KEY_BEGINS) && line.bytes.includes(BEGIN);
    if (this.#held.length === 0 && !begins) return isAdded ? [line] : [];
    const told = begins ? this.end() : [];
    this.#held.push(line);
    this.#bytes += line.bytes.length;
    this.#isAdded ||= isAdded;
    const isOver = this.#held.length >= MAX_LINES || this.#bytes >= MAX_BYTES || line.bytes.includes(END);
    return isOver ? [...told, ...this.end()] : told;
  }

  /** @returns what was held back */
  end(): ContentLine[] {
    const told = this.#isAdded ? this.#held : [];
    this.#held = [];
    this.#bytes = 0;
    this.#isAdded = false;
    return told;
  }
}
