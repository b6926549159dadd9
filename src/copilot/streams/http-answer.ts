/**
 * An answer of HTTP/1.1, read from bytes that may be split anywhere (RFC 9112). Stricter than most: what two readers could take for two
 * different answers is none. The body is left where it came, in the buffer that is handed in: a stream of tokens is thousands of reads
 * a second, and none of them should make anything.
 *
 * ```
 * HTTP/1.1 SP STATUS SP REASON CRLF *( NAME ":" VALUE CRLF ) CRLF BODY
 * BODY, chunked: *( HEX [ ";" EXTENSION ] CRLF BYTES CRLF ) "0" CRLF *( TRAILER CRLF ) CRLF
 * ```
 */
import type { IncomingHttpHeaders } from "node:http";

export interface AnswerHead {
  readonly statusCode: number;
  readonly statusMessage: string;
  /** Names and values in turn, in the upstream's order and spelling. */
  readonly rawHeaders: readonly string[];
  /** By name in lower case. */
  readonly headers: IncomingHttpHeaders;
}

type State =
  "head" | "size" | "size-end" | "extension" | "data" | "data-end" | "length" | "close" | "trailers" | "whole";

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const SPACE = 0x20;
const TAB = 0x09;

const MAX_HEAD = 64 * 1024;
/** Of a chunk's extension, and of all trailers. */
const MAX_ASIDE = 16 * 1024;
/** Hexadecimal digits of a chunk's size: as many as a number holds exactly. */
const MAX_DIGITS = 12;

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const FIELD =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[\t ]*$/;

export class HttpAnswerParser {
  /** Null until it has come whole. */
  head: AnswerHead | null = null;
  /** What is wrong with it: nothing is read any more. */
  failure: string | null = null;
  /** Where the body's bytes stand in what was taken last: all of them, moved together. */
  bodyStart = 0;
  bodyEnd = 0;
  /** Another answer may follow on the same connection. */
  isPersistent = false;
  readonly #hasBody: boolean;
  #state: State = "head";
  #text = "";
  /** Bytes that are still to come, of the body or of this chunk. */
  #left = 0;
  #digits = 0;
  #aside = 0;

  /** @param method of the request: the answer to `HEAD` has no body */
  constructor(method: string) {
    this.#hasBody = method !== "HEAD";
  }

  get isWhole(): boolean {
    return this.#state === "whole";
  }

  /** Takes the first `length` bytes. The body's among them may be moved within them. */
  take(bytes: Buffer, length: number): void {
    this.bodyStart = 0;
    this.bodyEnd = 0;
    let at = 0;
    while (at < length && this.failure === null) {
      switch (this.#state) {
        case "head":
          at = this.#takeHead(bytes, at, length);
          break;
        case "size":
          at = this.#takeSize(bytes, at);
          break;
        case "extension":
          if (bytes[at] === CR) this.#state = "size-end";
          else if (bytes[at] === LF || ++this.#aside > MAX_ASIDE) this.#fail("a chunk's extension is malformed");
          at += 1;
          break;
        case "size-end":
          if (bytes[at] !== LF) this.#fail("a chunk's size does not end with a line");
          at += 1;
          this.#text = "";
          this.#state = this.#left === 0 ? "trailers" : "data";
          break;
        case "data":
        case "length":
          at = this.#takeBody(bytes, at, Math.min(length, at + this.#left));
          break;
        case "data-end":
          at = this.#takeDataEnd(bytes, at);
          break;
        case "close":
          at = this.#takeBody(bytes, at, length);
          break;
        case "trailers":
          at = this.#takeTrailers(bytes, at, length);
          break;
        case "whole":
          // Nobody has asked for it.
          this.isPersistent = false;
          return;
      }
    }
  }

  /** The connection has ended. */
  finish(): void {
    this.isPersistent = false;
    if (this.#state === "close") this.#state = "whole";
  }

  #fail(why: string): number {
    this.failure = why;
    this.isPersistent = false;
    return 0;
  }

  #takeHead(bytes: Buffer, at: number, length: number): number {
    const before = this.#text.length;
    this.#text += bytes.toString("latin1", at, length);
    const end = this.#text.indexOf("\r\n\r\n", Math.max(0, before - 3));
    if (end === -1 || end > MAX_HEAD) {
      if (this.#text.length > MAX_HEAD) this.#fail("its head is too large");
      return length;
    }
    const [line = "", ...fields] = this.#text.slice(0, end).split("\r\n");
    this.#text = "";
    const status = STATUS_LINE.exec(line);
    if (status === null) return this.#fail("it does not begin as HTTP/1.1");
    const statusCode = Number(status[2]);
    const rawHeaders: string[] = [];
    for (const field of fields) {
      const pair = FIELD.exec(field);
      if (pair === null) return this.#fail("a header of it is malformed");
      rawHeaders.push(pair[1] ?? "", pair[2] ?? "");
    }
    // Said before the answer (RFC 9110 §15.2); a change of protocol is none that was asked for.
    if (statusCode === 101) return this.#fail("it changes the protocol");
    if (statusCode >= 200) {
      const headers = joinHeaders(rawHeaders);
      this.head = { statusCode, statusMessage: status[3] ?? "", rawHeaders, headers };
      this.#beginBody(this.head, status[1] === "1");
    }
    return at + end + 4 - before;
  }

  /** How long the body is (RFC 9112 §6.3). */
  #beginBody({ statusCode, rawHeaders, headers }: AnswerHead, isCurrent: boolean): void {
    const tokens = (headers.connection ?? "").split(",").map((token) => token.trim().toLowerCase());
    this.isPersistent = isCurrent && !tokens.includes("close");
    const coding = headers["transfer-encoding"];
    const lengths = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === "content-length").length;
    const size = headers["content-length"];
    if (lengths > 1 || (size !== undefined && !/^\d{1,15}$/.test(size)))
      return void this.#fail("its length is malformed");
    if (coding !== undefined && (size !== undefined || !isCurrent || coding.toLowerCase() !== "chunked")) {
      return void this.#fail("its length is told in two ways, or in an unknown one");
    }
    this.#left = Number(size ?? 0);
    if (!this.#hasBody || statusCode === 204 || statusCode === 304 || (size !== undefined && this.#left === 0)) {
      this.#state = "whole";
    } else if (coding !== undefined) this.#state = "size";
    else if (size !== undefined) this.#state = "length";
    else {
      this.#state = "close";
      this.isPersistent = false;
    }
  }

  #takeSize(bytes: Buffer, at: number): number {
    const byte = bytes[at] ?? 0;
    const digit = hexDigit(byte);
    if (digit !== -1) {
      this.#left = this.#left * 16 + digit;
      this.#digits += 1;
      if (this.#digits > MAX_DIGITS) return this.#fail("a chunk is too large");
      return at + 1;
    }
    if (this.#digits === 0) return this.#fail("a chunk has no size");
    this.#digits = 0;
    this.#aside = 0;
    if (byte === CR) this.#state = "size-end";
    else if (byte === SEMICOLON || byte === SPACE || byte === TAB) this.#state = "extension";
    else return this.#fail("a chunk's size is malformed");
    return at + 1;
  }

  #takeBody(bytes: Buffer, from: number, to: number): number {
    if (this.bodyEnd === 0) {
      this.bodyStart = from;
      this.bodyEnd = to;
    } else {
      bytes.copyWithin(this.bodyEnd, from, to);
      this.bodyEnd += to - from;
    }
    if (this.#state === "close") return to;
    this.#left -= to - from;
    if (this.#left === 0) this.#state = this.#state === "length" ? "whole" : "data-end";
    return to;
  }

  #takeDataEnd(bytes: Buffer, at: number): number {
    const wanted = this.#digits === 0 ? CR : LF;
    if (bytes[at] !== wanted) return this.#fail("a chunk is not as long as it says");
    this.#digits = wanted === CR ? 1 : 0;
    if (wanted === LF) this.#state = "size";
    return at + 1;
  }

  /** They end here: nobody who streams reads them, and none of them was judged. */
  #takeTrailers(bytes: Buffer, at: number, length: number): number {
    const before = this.#text.length;
    this.#text += bytes.toString("latin1", at, length);
    const end = this.#text.startsWith("\r\n") ? -2 : this.#text.indexOf("\r\n\r\n");
    if (end === -1) {
      if (this.#text.length > MAX_ASIDE) this.#fail("its trailers are too large");
      return length;
    }
    this.#text = "";
    this.#state = "whole";
    return at + end + 4 - before;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Said once, and the first time counts: to join two of them would make a third. */
const SINGLE: ReadonlySet<string> = new Set(["content-type", "content-length", "location", "retry-after", "etag"]);

function joinHeaders(rawHeaders: readonly string[]): IncomingHttpHeaders {
  const headers = Object.create(null) as IncomingHttpHeaders;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? "").toLowerCase();
    const value = rawHeaders[at + 1] ?? "";
    const known = headers[name];
    if (name === "set-cookie") headers[name] = [...(headers[name] ?? []), value];
    else if (known === undefined) headers[name] = value;
    else if (!SINGLE.has(name)) headers[name] = `${String(known)}, ${value}`;
  }
  return headers;
}
