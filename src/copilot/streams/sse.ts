/**
 * Server-sent events, read from bytes that may be split anywhere.
 *
 * ```
 * event: NAME LF data: TEXT LF … LF (blank line dispatches)
 * ```
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation (§9.2.6)
 */
import { isAscii } from "node:buffer";
import { type JsonObject, textOrNull } from "../json-value.ts";

export interface SseEvent {
  /** The `event` field; `message` where none was given. */
  readonly type: string;
  /** The `data` fields joined by line feeds. */
  readonly data: string;
}

/** What an event whose data is JSON calls itself; the `event` field is left out by some senders. */
export const typeOfEvent = ({ type }: SseEvent, json: JsonObject): string => textOrNull(json["type"]) ?? type;

/** An event that grows past the limit is given up: what follows in the stream is not read any more. */
const SSE_MAX_EVENT = 16 * 1024 * 1024;

export class SseParser {
  /** True once an event was larger than the limit; the parser then ignores everything. */
  overflowed = false;
  readonly #maxEvent: number;
  #decoder: InstanceType<typeof TextDecoder> | null = null;
  #hasBegun = false;
  /** The bytes so far may end within a character. */
  #isWithinCharacter = false;
  #line = "";
  #afterCarriageReturn = false;
  #type = "";
  #data: string[] = [];
  #size = 0;

  /** @param maxEvent the most characters that one event may hold */
  constructor(maxEvent: number = SSE_MAX_EVENT) {
    this.#maxEvent = maxEvent;
  }

  /** The events that these bytes complete, in order. What stands unfinished at the end of a stream is no event (§9.2.6). */
  push(bytes: Uint8Array): SseEvent[] {
    const events: SseEvent[] = [];
    if (this.overflowed) return events;
    if (bytes.length === 0) return events;
    const text = this.#decode(bytes);
    if (this.#afterCarriageReturn || text.includes("\r")) this.#takeAnyLines(text, events);
    else this.#takeLines(text, events);
    if (this.#size + this.#line.length > this.#maxEvent) {
      this.overflowed = true;
      this.#line = "";
      this.#data = [];
    }
    return events;
  }

  /** Most streams are ASCII, and a decoder takes longer to be asked than to decode. */
  #decode(bytes: Uint8Array): string {
    if (!this.#isWithinCharacter && isAscii(bytes)) {
      this.#hasBegun = true;
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    }
    // Not fatal: the specification decodes with replacement. It also takes one byte order mark off the start, and off nowhere else.
    this.#decoder ??= new TextDecoder("utf-8", { ignoreBOM: this.#hasBegun });
    this.#hasBegun = true;
    this.#isWithinCharacter = (bytes.at(-1) ?? 0) >= 0x80;
    return this.#decoder.decode(bytes, { stream: true });
  }

  /** Lines that end with line feeds, as everybody sends them. */
  #takeLines(text: string, events: SseEvent[]): void {
    let start = 0;
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", start)) {
      const event = this.#takeLine(this.#line + text.slice(start, at));
      if (event !== null) events.push(event);
      this.#line = "";
      start = at + 1;
    }
    this.#line += text.slice(start);
  }

  #takeAnyLines(text: string, events: SseEvent[]): void {
    let start = 0;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code !== LINE_FEED && code !== CARRIAGE_RETURN) {
        this.#afterCarriageReturn = false;
        continue;
      }
      // CR LF is one line end, also when the two arrive in different chunks.
      const secondHalf = code === LINE_FEED && this.#afterCarriageReturn;
      this.#afterCarriageReturn = code === CARRIAGE_RETURN;
      if (!secondHalf) {
        const event = this.#takeLine(this.#line + text.slice(start, at));
        if (event !== null) events.push(event);
        this.#line = "";
      }
      start = at + 1;
    }
    this.#line += text.slice(start);
  }

  /** Whether the last bytes have begun an event and not ended it. */
  get isWithinEvent(): boolean {
    return this.#line !== "" || this.#data.length > 0 || this.#type !== "";
  }

  #takeLine(line: string): SseEvent | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") this.#type = value;
    if (field === "data") {
      this.#data.push(value);
      this.#size += value.length + 1;
    }
    return null;
  }

  #dispatch(): SseEvent | null {
    const event = this.#data.length === 0 ? null : { type: this.#type || "message", data: this.#data.join("\n") };
    this.#type = "";
    this.#data = [];
    this.#size = 0;
    return event;
  }
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
