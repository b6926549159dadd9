/** Where words begin, as rules with `wordStart` mean it. */
import { beside, besideOf } from "./regex-program.ts";

/**
 * Whether no word is under way at `at`. The letter of an escape is not part of the word behind it: in a JSON string's
 * `\nAKIA…` and in a query's `%3DAKIA…` the key begins at the A, and so it does in an address within an address (`%253DAKIA…`).
 */
export function isWordStart(text: string, at: number): boolean {
  if (at === 0) return true;
  const unit = text.charCodeAt(at - 1);
  if (besideOf(unit) !== beside.word || unit === 0x5f) return true;
  for (let back = 2; back <= longestEscape; back++) {
    const sign = text.charCodeAt(at - back);
    if (sign === 0x5c || sign === 0x25) return escapeEnd.test(text.slice(Math.max(0, at - longestEscape), at));
  }
  return false;
}

/** Of one that is written with escapes itself, two levels of them. */
const longestEscape = 12;
const escapeEnd =
  /(?:(?:\\|%(?:25)*5[Cc])(?:[abfnrtv]|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2})|(?:%|\\u0025|\\x25)(?:25)*[0-9A-Fa-f]{2})$/;

const escapeSign = /[abfnrtv0-9A-Fa-f]/;
/** Whether a word may begin behind this character: only what ends an escape does not end a word as well. */
export const mayEndBeforeWord = (unit: number): boolean =>
  besideOf(unit) !== beside.word || unit === 0x5f || escapeSign.test(String.fromCharCode(unit));
