/**
 * What a person types (RFC 8628, section 6.1): eight letters without vowels, so that no words come about and no letter is taken for
 * a digit; 20^8 is 34 bits, which is enough for minutes and a limit on wrong ones.
 */
import { randomInt } from "node:crypto";

const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
const LETTER_ALONE = new RegExp(`^[${LETTERS}]*$`);
const LENGTH = 8;

/** `BCDF-GHJK` */
export function mintUserCode(pick: (max: number) => number = randomInt): string {
  const letters = Array.from({ length: LENGTH }, () => LETTERS.charAt(pick(LETTERS.length))).join("");
  return formatUserCode(letters);
}

const formatUserCode = (letters: string): string => `${letters.slice(0, LENGTH / 2)}-${letters.slice(LENGTH / 2)}`;

/** A code as somebody typed it, in its one form: case, blanks and hyphens do not count. @returns null for what is none */
export function parseUserCode(text: unknown): string | null {
  if (typeof text !== "string" || text.length > 40) return null;
  const letters = text.replace(/[\s\-‐-―]/g, "").toUpperCase();
  return letters.length === LENGTH && LETTER_ALONE.test(letters) ? formatUserCode(letters) : null;
}
