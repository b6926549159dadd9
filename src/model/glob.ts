/**
 * Globs over names with `/` in them (refs, repositories). `*` stands for any text within one segment, `**` for any text; where
 * `**` is a whole segment before others, also for no segment at all. Everything else stands for itself.
 *
 * The text comes from whoever pushes, so nothing here backtracks: every state the pattern can be in is advanced at once,
 * at most pattern length × text length steps (a regular expression with two stars is where such checks get stalled).
 */
type Token =
  | { readonly kind: "literal"; readonly char: string }
  /** any text without `/` */
  | { readonly kind: "star" }
  /** any text */
  | { readonly kind: "globstar" }
  /** nothing, or any text that ends in `/` */
  | { readonly kind: "segments" };

function parseGlob(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length;) {
    const atSegmentStart = at === 0 || pattern[at - 1] === "/";
    if (atSegmentStart && pattern.startsWith("**/", at)) {
      tokens.push({ kind: "segments" });
      at += 3;
    } else if (pattern.startsWith("**", at)) {
      tokens.push({ kind: "globstar" });
      at += 2;
    } else if (pattern[at] === "*") {
      tokens.push({ kind: "star" });
      at += 1;
    } else {
      tokens.push({ kind: "literal", char: pattern.charAt(at) });
      at += 1;
    }
  }
  return tokens;
}

/** Marks what can be reached without reading a character. Tokens only ever lead to the next one, so one pass is enough. */
function skipEmpty(tokens: readonly Token[], states: Uint8Array, atSegmentStart: boolean): void {
  for (const [index, token] of tokens.entries()) {
    if (states[index] !== 1 || token.kind === "literal") continue;
    if (token.kind !== "segments" || atSegmentStart) states[index + 1] = 1;
  }
}

/** Whether the whole text matches the whole pattern. Case counts; fold both where it should not. */
export function matchesGlob(pattern: string, text: string): boolean {
  const tokens = parseGlob(pattern);
  let states = new Uint8Array(tokens.length + 1);
  states[0] = 1;
  skipEmpty(tokens, states, true);

  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    const next = new Uint8Array(tokens.length + 1);
    for (const [index, token] of tokens.entries()) {
      if (states[index] !== 1) continue;
      if (token.kind === "literal") {
        if (token.char === char) next[index + 1] = 1;
      } else if (token.kind !== "star" || char !== "/") {
        next[index] = 1;
      }
    }
    skipEmpty(tokens, next, char === "/");
    states = next;
  }
  return states[tokens.length] === 1;
}
