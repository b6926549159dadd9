/**
 * A file's content as lines that can be searched, whatever the file is. Three readings, by its first 8000 bytes:
 *
 * - text: its lines;
 * - UTF-16 with a byte order mark: its lines, decoded, and besides whatever is printable in the bytes in any other way (plain
 *   ASCII, the other byte order, an odd byte further on), or a mark in front would hide a file;
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
  const reader = new ContentReader();
  for await (const chunk of chunks) yield reader.feed(chunk);
  yield reader.end();
}

/** The same for content that is handed over. */
export class ContentReader {
  #head: Buffer = Buffer.alloc(0);
  #readers: readonly LineReader[] | null = null;

  feed(chunk: Buffer): ContentLine[] {
    if (this.#readers !== null) return this.#readers.flatMap((reader) => reader.feed(chunk));
    this.#head = Buffer.concat([this.#head, chunk]);
    return this.#head.length < HEAD_BYTES ? [] : this.#begin();
  }

  end(): ContentLine[] {
    const first = this.#readers === null ? this.#begin() : [];
    return [...first, ...(this.#readers ?? []).flatMap((reader) => reader.end())];
  }

  #begin(): ContentLine[] {
    const readers = readersFor(this.#head);
    this.#readers = readers;
    const head = this.#head;
    this.#head = Buffer.alloc(0);
    return readers.flatMap((reader) => reader.feed(head));
  }
}

/** The same for content that is in memory. */
export function contentLines(bytes: Buffer): ContentLine[] {
  const reader = new ContentReader();
  return [...reader.feed(bytes), ...reader.end()];
}

/** Whether the content is text of a kind that its bytes can be compared line by line. */
export const isPlainText = (bytes: Buffer): boolean => !hasMark(bytes) && isText(bytes.subarray(0, HEAD_BYTES));

/** A line of text as what is searched, in pieces where it is too long to be held. */
export function textLines(number: number, bytes: Buffer): ContentLine[] {
  if (bytes.length <= MAX_LINE_BYTES) return textLine(number, bytes);
  const reader = new SplitReader(textOf, number);
  const lines: ContentLine[] = [];
  for (let at = 0; at < bytes.length; at += MAX_LINE_BYTES) {
    lines.push(...reader.feed(bytes.subarray(at, at + MAX_LINE_BYTES)));
  }
  return [...lines, ...reader.end()];
}

interface LineReader {
  feed(chunk: Buffer): ContentLine[];
  end(): ContentLine[];
}

const LITTLE_ENDIAN = "\xff\xfe";
const BIG_ENDIAN = "\xfe\xff";

const hasMark = (head: Buffer): boolean => [LITTLE_ENDIAN, BIG_ENDIAN].includes(head.toString("latin1", 0, 2));

function readersFor(head: Buffer): LineReader[] {
  const mark = head.toString("latin1", 0, 2);
  if (mark === LITTLE_ENDIAN) return [new DecodedReader("utf-16le"), new SplitReader(printableBeside(0))];
  if (mark === BIG_ENDIAN) return [new DecodedReader("utf-16be"), new SplitReader(printableBeside(1))];
  return [new SplitReader(isText(head.subarray(0, HEAD_BYTES)) ? textOf : everythingPrintableOf)];
}

/** What git takes for text is text here too, whatever else is in it. */
const isText = (head: Buffer): boolean => !head.includes(0) || isMostlyText(head);

/** Fewer than one control byte in fifty: a source file with a stray NUL reads best as what it is. */
function isMostlyText(head: Buffer): boolean {
  let controls = 0;
  for (const byte of head) if (byte < 0x20 && (byte < 0x09 || byte > 0x0d) && byte !== 0x1b) controls += 1;
  return controls * 50 <= head.length;
}

/** `offset`: where in the file the line, or this piece of it, begins. */
type Reading = (line: Omit<ContentLine, "kind"> & { readonly offset: number }) => ContentLine[];

const textOf: Reading = ({ number, bytes, column, overlap }) => textLine(number, bytes, column, overlap);

const extracted = (number: number, runs: readonly string[]): ContentLine[] =>
  runs.length === 0
    ? []
    : [{ number, bytes: Buffer.from(runs.join(" "), "latin1"), column: 1, overlap: 0, kind: "extracted" }];

/** @param parity of the places where UTF-16 of the file's mark has its ASCII bytes: that much is decoded already */
const printableBeside =
  (parity: number): Reading =>
  ({ number, bytes, offset }) =>
    extracted(number, [...findRuns(bytes), ...findWideRuns(bytes, (parity + offset) % 2)]);

const everythingPrintableOf: Reading = ({ number, bytes }) =>
  extracted(number, [...findRuns(bytes), ...findWideRuns(bytes)]);

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

/** Splits at line feeds, cuts what is too long, and reads each line in one way. */
class SplitReader implements LineReader {
  readonly #read: Reading;
  #number: number;
  #column = 1;
  #overlap = 0;
  #offset = 0;
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  constructor(read: Reading, number = 1) {
    this.#read = read;
    this.#number = number;
  }

  feed(chunk: Buffer): ContentLine[] {
    const lines: ContentLine[] = [];
    let begin = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, begin)) {
      for (const line of this.#endLine(chunk.subarray(begin, end))) lines.push(line);
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
    const lines = this.#read(this.#placed(bytes));
    this.#offset += bytes.length + 1;
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
    while (cut > bytes.length - OVERLAP_BYTES - 3 && ((bytes[cut] ?? 0) & 0xc0) === 0x80) cut -= 1;
    const lines = this.#read(this.#placed(bytes));
    const rest = bytes.subarray(cut);
    this.#offset += cut;
    this.#column += decodeText(bytes.subarray(0, cut)).length;
    this.#overlap = decodeText(rest).length;
    this.#pending = [rest];
    this.#pendingBytes = rest.length;
    return lines;
  }

  #placed(bytes: Buffer): Parameters<Reading>[0] {
    return { number: this.#number, bytes, column: this.#column, overlap: this.#overlap, offset: this.#offset };
  }
}

class DecodedReader implements LineReader {
  readonly #decoder: InstanceType<typeof TextDecoder>;
  readonly #lines = new SplitReader(textOf);

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

const IS_PRINTABLE = Uint8Array.from({ length: 256 }, (_, byte) =>
  (byte >= 0x20 && byte < 0x7f) || byte === 0x09 ? 1 : 0,
);

const isPrintable = (byte: number | undefined): boolean => byte !== undefined && IS_PRINTABLE[byte] === 1;

/** Runs of printable characters. A run that counts covers one of every {@link MIN_RUN} bytes: the others need no look. */
function findRuns(bytes: Buffer): string[] {
  const runs: string[] = [];
  let floor = 0;
  for (let at = MIN_RUN - 1; at < bytes.length; at += MIN_RUN) {
    if (!isPrintable(bytes[at])) continue;
    let begin = at;
    while (begin > floor && isPrintable(bytes[begin - 1])) begin -= 1;
    let end = at + 1;
    while (isPrintable(bytes[end])) end += 1;
    if (end - begin >= MIN_RUN) runs.push(bytes.toString("latin1", begin, end));
    floor = end;
    at = end;
  }
  return runs;
}

/**
 * Runs of printable characters with one to three NULs between them, whichever of the two comes first.
 * @param decoded 0 or 1: runs of every second byte, from even or from odd places, are left out
 */
function findWideRuns(bytes: Buffer, decoded?: number): string[] {
  const runs: string[] = [];
  for (let nul = bytes.indexOf(0); nul !== -1;) {
    let at = nul - 1;
    const run: number[] = [];
    let after = nul;
    let isDecoded = at % 2 === decoded;
    while (bytes[after] === 0) after += 1;
    if (at >= 0 && isPrintable(bytes[at])) {
      run.push(bytes[at] ?? 0);
      while (after - at <= 4 && after - at >= 2 && isPrintable(bytes[after])) {
        isDecoded &&= after - at === 2;
        at = after;
        run.push(bytes[at] ?? 0);
        after = at + 1;
        while (bytes[after] === 0) after += 1;
      }
    }
    if (run.length >= MIN_RUN && !isDecoded) runs.push(Buffer.from(run).toString("latin1"));
    nul = bytes.indexOf(0, after);
  }
  return runs;
}
