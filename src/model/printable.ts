/**
 * Text from outside (names, paths, messages) made safe to print where a terminal or a log reads it: control bytes would move
 * the cursor, rewrite lines already printed or change the window's title; bidirectional marks reorder what is read.
 */
// C0 without tab and line feed, DEL, C1, zero-width and bidirectional formatting, line separators, byte order mark.
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const escapeCodePoint = (character: string): string => {
  const code = character.charCodeAt(0);
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
};

/** Every unprintable character shown as `\x1b` or `\u202e`; tabs and line feeds stay. */
export const escapeUnprintable = (text: string): string => text.replace(UNPRINTABLE, escapeCodePoint);

/**
 * The same on one line (tabs and line feeds escaped too), in `max` characters. What is longer ends with the last word that fits: of a
 * secret that the cut goes through no detector would know the half that is left.
 */
export function escapeLine(text: string, max = 200): string {
  const line = escapeUnprintable(text).replace(/\n/g, "\\n").replace(/\t/g, "\\t");
  return line.length <= max ? line : `${line.slice(0, line.lastIndexOf(" ", max - 1) + 1)}…`;
}
