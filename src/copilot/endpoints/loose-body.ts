/**
 * Bodies of other types than JSON, on paths that have no codec of their own: forms, files in parts, plain text. A type is what the sender says:
 * an upstream may read JSON under `text/plain`, and a file of JSON lines is a list of prompts. So what is text is on record as text, and what
 * is neither is known by its size and hash.
 */
import { err, ok, type Result } from "../../errors.ts";
import { bytesPlaceholder } from "../json-value.ts";
import { parseStrictJson } from "../strict-json.ts";

export interface LooseBody {
  /** As the record has it. */
  readonly recorded: unknown;
  /** As it is searched for secrets: of bytes that are no text, each is one character. */
  readonly searched: unknown;
}

const FORM = /^(?:multipart\/form-data|application\/x-www-form-urlencoded)$/;
const MAX_TYPE = 80;
/** Far more than any form of ours or theirs has: each becomes several objects, out of two bytes. */
const MOST_FIELDS = 1_000;

/** @param type its `Content-Type` @returns or one line that says what is wrong; it never quotes the body */
export async function readLooseBody(bytes: Buffer, type: string | undefined): Promise<Result<LooseBody, string>> {
  const [name = ""] = (type ?? "").split(";");
  return FORM.test(name.trim().toLowerCase()) ? readForm(bytes, type ?? "") : readBytes(bytes, name);
}

function readBytes(bytes: Buffer, type: string): Result<LooseBody, string> {
  const text = readText(bytes);
  if (text === null) {
    const what = `bytes of ${type.length <= MAX_TYPE ? type : "an unknown type"}`;
    return ok({ recorded: bytesPlaceholder(bytes, what), searched: bytes.toString("latin1") });
  }
  if (!isJson(text)) return ok({ recorded: text, searched: text });
  const json = parseStrictJson(Buffer.from(text));
  return json.ok ? ok({ recorded: json.value, searched: json.value }) : json;
}

/** Its fields in their order, each under its name: a name may stand there twice. */
async function readForm(bytes: Buffer, type: string): Promise<Result<LooseBody, string>> {
  if (hasMoreThan(MOST_FIELDS, bytes, /^\s*multipart/i.test(type) ? "\n--" : "&"))
    return err(`its form has more than ${MOST_FIELDS} fields`);
  let form: FormData;
  try {
    form = await new Response(new Uint8Array(bytes), { headers: { "content-type": type } }).formData();
  } catch {
    // Nor one whose boundary is shorter than any client's (27 characters): what reads it here wants as many.
    return err("its form cannot be read");
  }
  const recorded: object[] = [];
  const searched: object[] = [];
  for (const [name, value] of form) {
    if (typeof value === "string") {
      recorded.push({ [name]: value });
      searched.push({ [name]: value });
      continue;
    }
    const content = readBytes(Buffer.from(await value.arrayBuffer()), value.type);
    if (!content.ok) return content;
    recorded.push({ [name]: content.value.recorded, filename: value.name });
    searched.push({ [name]: content.value.searched, filename: value.name });
  }
  return ok({ recorded, searched });
}

function hasMoreThan(most: number, bytes: Buffer, separator: string): boolean {
  let count = 0;
  for (let at = bytes.indexOf(separator); at !== -1; at = bytes.indexOf(separator, at + 1)) {
    count += 1;
    if (count > most) return true;
  }
  return false;
}

/** Null where it is none. U+0000 is in no text; in UTF-16, JSON has one in every second byte, and is read as what it says. */
function readText(bytes: Buffer): string | null {
  const text = decode(bytes, "utf-8");
  if (text !== null && !text.includes("\0")) return text;
  // Which encoding of Unicode JSON has, some readers tell by its zeros or its byte order mark (RFC 4627 §3).
  for (const encoding of ["utf-16le", "utf-16be"] as const) {
    const wide = decode(bytes, encoding);
    if (wide !== null && BEGINS_AS_JSON.test(wide)) return wide;
  }
  return null;
}

function decode(bytes: Buffer, encoding: "utf-8" | "utf-16le" | "utf-16be"): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** A byte order mark before it keeps some readers from nothing. */
const BEGINS_AS_JSON = /^\ufeff?\s*[[{]/;

/** An object or a list; a word or a number is text. */
function isJson(text: string): boolean {
  if (!BEGINS_AS_JSON.test(text)) return false;
  try {
    JSON.parse(text.replace(/^\ufeff/, ""));
    return true;
  } catch {
    return false;
  }
}
