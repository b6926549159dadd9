/**
 * Masks JSON that streams as text: the arguments of a tool call. A secret whose name stands on another line of a file is written there with
 * `\n` between the two, so each string literal is read as what it means (RFC 8259, section 7), masked, and written anew; what comes of
 * that is masked once more as it stands, since a name and its value may be two literals.
 */
import type { TextMask } from "./wire-mask.ts";

const STOPS = /["\\\p{Cc}]/gu;
/** All that JSON has outside its strings. */
const OUTSIDE = /^[\s{}[\]:,\w.+-]*$/;
const STARTS_LIKE_JSON = /^\s*[[{"]/;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** As it stands within a literal. */
const encode = (text: string): string => JSON.stringify(text).slice(1, -1);

/** @param stream a new mask for one text */
export function createJsonTextMask(stream: () => TextMask): TextMask {
  const whole = stream();
  /** `text`: it is no JSON, or no longer: from there on it is masked as it stands. */
  let state: "start" | "outside" | "inside" | "text" = "start";
  let literal: TextMask | null = null;
  /** The beginning of an escape, or the white space at the beginning. */
  let pending = "";

  function endLiteral(decoded: string): string {
    const rest = (literal?.push(decoded) ?? decoded) + (literal?.end() ?? "");
    literal = null;
    return encode(rest);
  }

  function takeOutside(text: string, from: number): { readonly out: string; readonly next: number } {
    const quote = text.indexOf('"', from);
    const next = quote === -1 ? text.length : quote + 1;
    const out = text.slice(from, next);
    if (!OUTSIDE.test(quote === -1 ? out : out.slice(0, -1))) {
      state = "text";
      return { out: text.slice(from), next: text.length };
    }
    if (quote !== -1) {
      state = "inside";
      literal = stream();
    }
    return { out, next };
  }

  function takeInside(text: string, from: number): { readonly out: string; readonly next: number } {
    let decoded = "";
    let at = from;
    for (;;) {
      STOPS.lastIndex = at;
      const stop = STOPS.exec(text)?.index ?? text.length;
      decoded += text.slice(at, stop);
      if (stop === text.length) return { out: encode(literal?.push(decoded) ?? decoded), next: stop };
      if (text[stop] === '"') {
        state = "outside";
        return { out: `${endLiteral(decoded)}"`, next: stop + 1 };
      }
      // Of control characters, JSON minds those of ASCII only.
      if (/[\x7f-\x9f]/.test(text[stop] ?? "")) {
        decoded += text[stop] ?? "";
        at = stop + 1;
        continue;
      }
      const escaped = readEscape(text, stop);
      if (escaped === "more") {
        pending = text.slice(stop);
        return { out: encode(literal?.push(decoded) ?? decoded), next: text.length };
      }
      if (escaped === null) {
        state = "text";
        return { out: endLiteral(decoded) + text.slice(stop), next: text.length };
      }
      decoded += escaped.char;
      at = stop + escaped.length;
    }
  }

  function rewrite(chunk: string): string {
    const text = pending + chunk;
    pending = "";
    if (state === "start") {
      if (text.trim() === "") {
        pending = text;
        return "";
      }
      state = STARTS_LIKE_JSON.test(text) ? "outside" : "text";
    }
    let written = "";
    for (let at = 0; at < text.length;) {
      if (state === "text") return written + text.slice(at);
      const { out, next } = state === "inside" ? takeInside(text, at) : takeOutside(text, at);
      written += out;
      at = next;
    }
    return written;
  }

  return {
    push: (chunk) => whole.push(rewrite(chunk)),
    end() {
      const rest = (literal === null ? "" : endLiteral("")) + pending;
      pending = "";
      return whole.push(rest) + whole.end();
    },
  };
}

/** @returns `more` where the text ends in it; null where it is none */
function readEscape(text: string, at: number): { readonly char: string; readonly length: number } | "more" | null {
  if (text[at] !== "\\") return null;
  const kind = text[at + 1];
  if (kind === undefined) return "more";
  if (kind !== "u") {
    const char = ESCAPES[kind];
    return char === undefined ? null : { char, length: 2 };
  }
  const digits = text.slice(at + 2, at + 6);
  if (!/^[0-9a-f]*$/i.test(digits)) return null;
  return digits.length < 4 ? "more" : { char: String.fromCharCode(Number.parseInt(digits, 16)), length: 6 };
}
