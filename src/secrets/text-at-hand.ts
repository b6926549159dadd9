import { holdsMask } from "./mask-form.ts";

let texts = 0;

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
  private masked: boolean | null = null;

  /** Forgets the text before. */
  begin(path: string | undefined): void {
    this.number = texts++;
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
