import type { EncodedText } from "./encoded-text.ts";
import { holdsMask } from "./mask-form.ts";

let texts = 0;

/** Where a text that has been decoded stands in the one around it. */
export interface DecodedFrom {
  readonly encoded: EncodedText;
  /** How much of the one around it stands before what was decoded. */
  readonly before: number;
  /** Tells the one around it from all others. */
  readonly number: number;
  /** Of its own first character, in the one around it. */
  readonly start: number;
}

/** What is there of a text that is being read; it may come in parts. Offsets count from the beginning of the whole text. */
export class TextAtHand {
  /** Tells this text from all others. */
  number = -1;
  /** As of `Detector.detect`. */
  path: string | undefined;
  buffer = "";
  /** Of the buffer's first character. */
  origin = 0;
  /** Everything before has been told. */
  told = 0;
  /** Null for a text that stands as it is. */
  decodedFrom: DecodedFrom | null = null;
  /** No character behind has been changed by decoding. */
  lastChanged = Infinity;
  private masked: boolean | null = null;

  /** Forgets the text before. */
  begin(path: string | undefined, decodedFrom: DecodedFrom | null): void {
    this.number = texts++;
    this.decodedFrom = decodedFrom;
    this.lastChanged =
      decodedFrom === null ? Infinity : decodedFrom.before + (decodedFrom.encoded.lastChanged ?? Infinity);
    this.path = path;
    this.origin = 0;
    this.told = 0;
    this.hold("");
  }

  /** How much of the whole text has come. */
  get length(): number {
    return this.origin + this.buffer.length;
  }

  /** Whether there may be masks in the buffer. */
  get holdsMasks(): boolean {
    return (this.masked ??= holdsMask(this.buffer));
  }

  /** @returns the first place from `at` on that has been changed by decoding: what reaches no such place has been read where it stands */
  changedFrom(at: number): number {
    const { decodedFrom } = this;
    if (decodedFrom === null) return at;
    const { encoded, before } = decodedFrom;
    if (at <= before) return before;
    return encoded.changedFrom === undefined ? at : before + encoded.changedFrom(at - before);
  }

  add(chunk: string): void {
    this.hold(this.buffer === "" ? chunk : this.buffer + chunk);
  }

  /** Keeps `behind` characters before what has not been told. */
  drop(behind: number): void {
    this.hold(this.buffer.slice(this.told - this.origin - behind));
    this.origin = this.told - behind;
  }

  hold(buffer: string): void {
    this.buffer = buffer;
    this.masked = null;
  }
}
