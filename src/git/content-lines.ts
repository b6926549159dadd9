/**
 * A file's content as lines that can be searched, whatever the file is. Three readings, by its first 8000 bytes:
 *
 * - text: its lines;
 * - UTF-16 with a byte order mark: its lines, decoded, and besides whatever is plain ASCII in the bytes, or a mark in front
 *   would hide a file;
 * - anything else: runs of printable characters, as strings(1) does, and those with NULs between (UTF-16, UTF-32 of
 *   whatever byte order and alignment). A line is what ends with a line feed, so that places in almost-text files are right.
 */
import { decodeText } from "./object-text.ts";

export interface ContentLine {
  /** 1-based. */
  readonly number: number;
  /** Without line feed. A line of more than {@link MAX_LINE_BYTES} comes in pieces of the same number that overlap. */
  readonly bytes: Buffer;
  /** 1-based column of the first character, in UTF-16 code units; more than 1 for later pieces only. */
  readonly column: number;
  /** How many code units at the beginning the piece before had already. */
  readonly overlap: number;
  /** `extracted`: only what is printable of it, columns mean nothing. */
  readonly kind: "text" | "extracted";
}

const HEAD_BYTES = 8000;
const MAX_LINE_BYTES = 1024 * 1024;
/** Pieces of what had to be cut share so much, so that a secret across the cut is whole in one of them. */
export const OVERLAP_BYTES = 8 * 1024;
const MIN_RUN = 6;

export async function* readContentLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<ContentLine[], void, undefined> {
  const source = chunks[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  while (head.length < HEAD_BYTES) {
    const next = await source.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const readers = readersFor(head);
  const read = (chunk: Buffer): ContentLine[] => readers.flatMap((reader) => reader.feed(chunk));
  yield read(head);
  for (let next = await source.next(); next.done !== true; next = await source.next()) yield read(next.value);
  yield readers.flatMap((reader) => reader.end());
}

interface LineReader {
  feed(chunk: Buffer): ContentLine[];
  end(): ContentLine[];
}

function readersFor(head: Buffer): LineReader[] {
  const mark = head.toString("latin1", 0, 2);
  if (mark === "\xff\xfe") return [new DecodedReader("utf-16le"), new RunReader(false)];
  if (mark === "\xfe\xff") return [new DecodedReader("utf-16be"), new RunReader(false)];
  return [isMostlyText(head.subarray(0, HEAD_BYTES)) ? new TextReader() : new RunReader(true)];
}

/** Fewer than one control byte in fifty: a source file with a stray NUL reads best as what it is. */
function isMostlyText(head: Buffer): boolean {
  let controls = 0;
  for (const byte of head) if (byte < 0x20 && (byte < 0x09 || byte > 0x0d) && byte !== 0x1b) controls += 1;
  return controls * 50 <= head.length;
}

/**
 * A line of text as what is searched: itself with NULs blanked, and if it has any, also without them, or UTF-16 in the middle
 * of a text would go unread.
 */
export function textLine(number: number, bytes: Buffer, column = 1, overlap = 0): ContentLine[] {
  if (!bytes.includes(0)) return [{ number, bytes, column, overlap, kind: "text" }];
  const blanked = Buffer.from(bytes.map((byte) => (byte === 0 ? 0x20 : byte)));
  const without = Buffer.from(bytes.filter((byte) => byte !== 0));
  return [
    { number, bytes: blanked, column, overlap, kind: "text" },
    { number, bytes: without, column: 1, overlap: 0, kind: "extracted" },
  ];
}

class TextReader implements LineReader {
  #number = 1;
  #column = 1;
  #overlap = 0;
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  feed(chunk: Buffer): ContentLine[] {
    const lines: ContentLine[] = [];
    let begin = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, begin)) {
      lines.push(...this.#endLine(chunk.subarray(begin, end)));
      begin = end + 1;
    }
    if (begin < chunk.length) {
      this.#pending.push(chunk.subarray(begin));
      this.#pendingBytes += chunk.length - begin;
      if (this.#pendingBytes > MAX_LINE_BYTES) lines.push(...this.#cutLine());
    }
    return lines;
  }

  end(): ContentLine[] {
    return this.#pendingBytes === 0 ? [] : this.#endLine(Buffer.alloc(0));
  }

  #endLine(last: Buffer): ContentLine[] {
    const bytes = this.#pending.length === 0 ? last : Buffer.concat([...this.#pending, last]);
    const lines = textLine(this.#number, bytes, this.#column, this.#overlap);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#number += 1;
    this.#column = 1;
    this.#overlap = 0;
    return lines;
  }

  #cutLine(): ContentLine[] {
    const bytes = Buffer.concat(this.#pending);
    let cut = bytes.length - OVERLAP_BYTES;
    // Not inside a character of UTF-8.
    while (cut > 0 && ((bytes[cut] ?? 0) & 0xc0) === 0x80 && cut > bytes.length - OVERLAP_BYTES - 3) cut -= 1;
    const lines = textLine(this.#number, bytes, this.#column, this.#overlap);
    const rest = bytes.subarray(cut);
    this.#column += decodeText(bytes.subarray(0, cut)).length;
    this.#overlap = decodeText(rest).length;
    this.#pending = [rest];
    this.#pendingBytes = rest.length;
    return lines;
  }
}

class DecodedReader implements LineReader {
  readonly #decoder: InstanceType<typeof TextDecoder>;
  readonly #lines = new TextReader();

  constructor(encoding: string) {
    this.#decoder = new TextDecoder(encoding);
  }

  feed(chunk: Buffer): ContentLine[] {
    return this.#lines.feed(Buffer.from(this.#decoder.decode(chunk, { stream: true })));
  }

  end(): ContentLine[] {
    return [...this.#lines.feed(Buffer.from(this.#decoder.decode())), ...this.#lines.end()];
  }
}

class RunReader implements LineReader {
  readonly #readsWide: boolean;
  #number = 1;
  /** Runs of the current line. */
  #runs: string[] = [];
  #runBytes = 0;
  /** A run that may go on in the next chunk. */
  #open = "";
  /** Characters with one to three NULs between them. */
  #wide = "";
  #nuls = 0;

  constructor(readsWide: boolean) {
    this.#readsWide = readsWide;
  }

  feed(chunk: Buffer): ContentLine[] {
    const lines: ContentLine[] = [];
    let begin = -1;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      if ((byte >= 0x20 && byte < 0x7f) || byte === 0x09) {
        if (begin === -1) begin = at;
        if (this.#readsWide) this.#addWide(byte);
        continue;
      }
      if (begin !== -1 || this.#open !== "") {
        this.#endRun(begin === -1 ? "" : chunk.toString("latin1", begin, at));
        begin = -1;
      }
      if (byte === 0) {
        this.#nuls += 1;
        continue;
      }
      this.#endWide();
      this.#nuls = 0;
      if (byte === 0x0a) {
        lines.push(...this.#endLine());
        this.#number += 1;
      }
    }
    if (begin !== -1) this.#open += chunk.toString("latin1", begin);
    if (this.#open.length + this.#wide.length + this.#runBytes > MAX_LINE_BYTES) {
      const open = this.#open;
      const wide = this.#wide;
      this.#endRun("");
      this.#endWide();
      lines.push(...this.#endLine());
      this.#open = open.slice(-OVERLAP_BYTES);
      this.#wide = wide.slice(-OVERLAP_BYTES);
    }
    return lines;
  }

  end(): ContentLine[] {
    this.#endRun("");
    this.#endWide();
    return this.#endLine();
  }

  #addWide(byte: number): void {
    const goesOn = this.#wide !== "" && this.#nuls >= 1 && this.#nuls <= 3;
    if (!goesOn) this.#endWide();
    this.#wide += String.fromCharCode(byte);
    this.#nuls = 0;
  }

  #endRun(tail: string): void {
    this.#push(this.#open + tail);
    this.#open = "";
  }

  #endWide(): void {
    if (this.#wide !== "") this.#push(this.#wide);
    this.#wide = "";
  }

  #push(run: string): void {
    if (run.length < MIN_RUN) return;
    this.#runs.push(run);
    this.#runBytes += run.length;
  }

  #endLine(): ContentLine[] {
    if (this.#runs.length === 0) return [];
    const bytes = Buffer.from(this.#runs.join(" "), "latin1");
    this.#runs = [];
    this.#runBytes = 0;
    return [{ number: this.#number, bytes, column: 1, overlap: 0, kind: "extracted" }];
  }
}
