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

/** Whether the tokens match the whole text, which begins a segment or goes on with one. */
function runTokens(tokens: readonly Token[], text: string, atSegmentStart: boolean): boolean {
  let states = new Uint8Array(tokens.length + 1);
  let next = new Uint8Array(tokens.length + 1);
  states[0] = 1;
  skipEmpty(tokens, states, atSegmentStart);
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    next.fill(0);
    for (const [index, token] of tokens.entries()) {
      if (states[index] !== 1) continue;
      if (token.kind === "literal") {
        if (token.char === char) next[index + 1] = 1;
      } else if (token.kind !== "star" || char !== "/") {
        next[index] = 1;
      }
    }
    skipEmpty(tokens, next, char === "/");
    [states, next] = [next, states];
  }
  return states[tokens.length] === 1;
}

/** A glob, ready to be tried on many texts. */
interface Glob {
  /** What stands before the first wildcard, and after the last. */
  readonly prefix: string;
  readonly suffix: string;
  /** From the first wildcard to the last; empty: the prefix is the whole pattern. */
  readonly middle: readonly Token[];
}

function compileGlob(pattern: string): Glob {
  const tokens = parseGlob(pattern);
  const isWild = (token: Token): boolean => token.kind !== "literal";
  const literal = (part: readonly Token[]): string =>
    part.map((token) => (token.kind === "literal" ? token.char : "")).join("");
  const from = tokens.findIndex(isWild);
  if (from === -1) return { prefix: pattern, suffix: "", middle: [] };
  const to = tokens.findLastIndex(isWild) + 1;
  return { prefix: literal(tokens.slice(0, from)), suffix: literal(tokens.slice(to)), middle: tokens.slice(from, to) };
}

/** Patterns come from the configuration, texts by the hundred thousand from pushes. Bounded all the same. */
const MAX_COMPILED = 1_000;
const compiled = new Map<string, Glob>();

function globOf(pattern: string): Glob {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  const glob = compileGlob(pattern);
  compiled.set(pattern, glob);
  return glob;
}

/** Whether the whole text matches the whole pattern. Case counts; fold both where it should not. */
export function matchesGlob(pattern: string, text: string): boolean {
  const { prefix, suffix, middle } = globOf(pattern);
  if (middle.length === 0) return text === prefix;
  if (text.length < prefix.length + suffix.length || !text.startsWith(prefix) || !text.endsWith(suffix)) return false;
  const atSegmentStart = prefix === "" || prefix.endsWith("/");
  return runTokens(middle, text.slice(prefix.length, text.length - suffix.length), atSegmentStart);
}
