import { isUtf8 } from "node:buffer";
import { GatewayError } from "../errors.ts";
import type { FindingSource } from "../model/finding.ts";

/** A text to be searched for secrets, and what a finding in it is called. Line 1 is its first line. */
export interface ScannableText {
  readonly source: FindingSource;
  readonly text: string;
}

/** Bytes as text: UTF-8 where they are, otherwise one character a byte, so that nothing is lost. */
export const decodeText = (bytes: Buffer): string => bytes.toString(isUtf8(bytes) ? "utf8" : "latin1");

/** A path of one character a byte, as text: UTF-8, what is none replaced. */
export const pathText = (path: string): string =>
  /[\x80-\xff]/.test(path) ? Buffer.from(path, "latin1").toString("utf8") : path;

export interface ObjectHeader {
  readonly name: string;
  /** Continuation lines joined by `\n`, without their leading space. */
  readonly value: Buffer;
}

/** Commits and tags share a shape: header lines (continued by a leading space), an empty line, the message. */
export function parseHeaders(content: Buffer): { headers: ObjectHeader[]; message: Buffer } {
  const headers: ObjectHeader[] = [];
  let offset = 0;
  while (offset < content.length && content[offset] !== LINE_FEED) {
    const begin = offset;
    let end = lineEnd(content, begin);
    const space = content.subarray(begin, end).indexOf(SPACE);
    const split = space === -1 ? end : begin + space;
    const lines = [content.subarray(Math.min(split + 1, end), end)];
    // All of its lines together, once: a header of a million lines, each put behind those before it, takes hours.
    for (offset = end + 1; content[offset] === SPACE; offset = end + 1) {
      end = lineEnd(content, offset);
      lines.push(NEXT_LINE, content.subarray(offset + 1, end));
    }
    const [first = NEXT_LINE] = lines;
    headers.push({
      name: content.toString("latin1", begin, split),
      value: lines.length === 1 ? first : Buffer.concat(lines),
    });
  }
  return { headers, message: content.subarray(offset + 1) };
}

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const NEXT_LINE = Buffer.from("\n");

function lineEnd(content: Buffer, from: number): number {
  const found = content.indexOf(LINE_FEED, from);
  return found === -1 ? content.length : found;
}

export interface Identity {
  readonly name: string;
  readonly email: string;
  /** ISO 8601, UTC. What is no time is the epoch. */
  readonly at: string;
}

/** Of the year 9999: years of more digits are written otherwise, and databases do not read them. */
const LAST_SECOND = 253_402_300_799;

/** `Name <email> 1700000000 +0100`, tolerant as git is: missing pieces are empty. */
export function parseIdentity(text: string): Identity {
  const open = text.indexOf("<");
  const close = text.lastIndexOf(">");
  const said = Number(/^ *(\d{1,12})(?: |$)/.exec(text.slice(close + 1))?.[1] ?? 0);
  const seconds = said > LAST_SECOND ? 0 : said;
  return {
    name: (open === -1 ? text : text.slice(0, open)).trim(),
    email: open !== -1 && close > open ? text.slice(open + 1, close) : "",
    at: new Date(seconds * 1000).toISOString(),
  };
}

/** The id in a header that must be one. @throws GatewayError `pack_invalid` */
export function idIn(header: ObjectHeader | undefined, kind: string, oid: string): string {
  const id = header?.value.toString("latin1") ?? "";
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(id)) throw malformed(kind, oid);
  return id;
}

export const malformed = (kind: string, oid: string): GatewayError =>
  new GatewayError("pack_invalid", `${kind} ${oid} is malformed; make it anew with a current version of git`);
