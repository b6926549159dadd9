import type { Addition } from "./additions.ts";
import { OVERLAP_BYTES, type ContentLine } from "./content-lines.ts";
import { decodeText } from "./object-text.ts";

/** An addition is told when it has grown to this. */
const MAX_BYTES = 128 * 1024;
/** Extracted lines are few and far between: with so many empty ones between them they still make one text. */
const MAX_GAP = 1000;

/** Puts the added lines of one file together: consecutive ones to one text, long texts in pieces that overlap. */
export class AdditionAssembler {
  readonly #text: Run;
  readonly #extracted: Run;

  constructor(commit: string, path: string) {
    this.#text = new Run({ commit, path, kind: "text" }, 0);
    this.#extracted = new Run({ commit, path, kind: "extracted" }, MAX_GAP);
  }

  /** Takes the next line; lines of a kind come in the order of their numbers. @returns what is complete */
  add(line: ContentLine): Addition[] {
    return (line.kind === "text" ? this.#text : this.#extracted).add(line);
  }

  /** @returns what is left */
  end(): Addition[] {
    return [...this.#text.end(), ...this.#extracted.end()];
  }
}

class Run {
  readonly #where: Pick<Addition, "commit" | "path" | "kind">;
  readonly #maxGap: number;
  #lines: Buffer[] = [];
  #bytes = 0;
  #startLine = 0;
  /** How many lines at the beginning were told before. */
  #toldLines = 0;

  constructor(where: Pick<Addition, "commit" | "path" | "kind">, maxGap: number) {
    this.#where = where;
    this.#maxGap = maxGap;
  }

  add(line: ContentLine): Addition[] {
    if (line.column > 1 || line.overlap > 0) {
      // A later piece of a line that is too long to be held.
      const text = decodeText(line.bytes);
      const { number: startLine, column: startColumn, overlap } = line;
      return [...this.end(), { ...this.#where, startLine, startColumn, overlap, text }];
    }
    const told: Addition[] = [];
    const gap = line.number - (this.#startLine + this.#lines.length);
    if (this.#lines.length > 0 && (gap < 0 || gap > this.#maxGap)) told.push(...this.end());
    if (this.#lines.length === 0) this.#startLine = line.number;
    else for (let empty = 0; empty < gap; empty++) this.#push(Buffer.alloc(0));
    this.#push(line.bytes);
    if (this.#bytes >= MAX_BYTES) {
      told.push(this.#tell());
      this.#keepOverlap();
    }
    return told;
  }

  end(): Addition[] {
    const told = this.#lines.length > this.#toldLines ? [this.#tell()] : [];
    this.#lines = [];
    this.#bytes = 0;
    this.#toldLines = 0;
    return told;
  }

  #push(bytes: Buffer): void {
    this.#lines.push(bytes);
    this.#bytes += bytes.length + 1;
  }

  #tell(): Addition {
    const decoded = this.#lines.map(decodeText);
    const overlap = decoded.slice(0, this.#toldLines).reduce((sum, line) => sum + line.length + 1, 0);
    return { ...this.#where, startLine: this.#startLine, startColumn: 1, overlap, text: decoded.join("\n") };
  }

  #keepOverlap(): void {
    let keep = 0;
    let bytes = 0;
    while (keep < this.#lines.length) {
      bytes += (this.#lines[this.#lines.length - 1 - keep]?.length ?? 0) + 1;
      if (bytes > OVERLAP_BYTES) break;
      keep += 1;
    }
    this.#startLine += this.#lines.length - keep;
    // Copies: the originals hold on to the whole chunk that they were cut from.
    this.#lines = this.#lines.slice(this.#lines.length - keep).map((line) => Buffer.from(line));
    this.#bytes = this.#lines.reduce((sum, line) => sum + line.length + 1, 0);
    this.#toldLines = keep;
  }
}
