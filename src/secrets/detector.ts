/** The detector of secrets, made from rules. Pure: no I/O, no clock; one detector serves any number of texts. */
import type { Detection } from "../model/finding.ts";
import { compileSearch, createKnownSearches } from "./known-searches.ts";
import type { FoundSecret } from "./overlap.ts";
import { Reading } from "./reading.ts";
import type { Rule } from "./rule.ts";
import type { RegexSearch } from "./rule-regex.ts";
import { createScan, detectionOf, type Scan } from "./scan.ts";
import { createProgram } from "./scan-program.ts";
import { createInlineAllows } from "./inline-allow.ts";
import { createLineIndex } from "./line-index.ts";

export interface Detector {
  readonly rules: readonly Rule[];
  /**
   * @param path the file's path, for rules that are meant for certain files; without it those do not apply.
   * @returns the secrets in the text by place, none overlapping another.
   */
  detect(text: string, path?: string): Detection[];
  /** As `detect`, with what they are: to be fingerprinted, never told. */
  find(text: string, path?: string): { readonly detection: Detection; readonly secret: string }[];
  /** Reads one text in parts; all ways of cutting it give the same answer. */
  scan(path?: string): Scan;
}

/** Patterns are compiled when a text first asks for them: most rules are never asked. Those of `parseRules` can all be compiled. */
export function createDetector(rules: readonly Rule[]): Detector {
  const searches = createKnownSearches();
  const program = createProgram(rules, searches);
  const withPath = [...rules.keys()].filter((order) => rules[order]!.path !== null);
  const withoutPath = Uint8Array.from(rules, ({ path }) => (path === null ? 1 : 0));
  const pathPatterns = [...new Set(withPath.map((order) => rules[order]!.path!))];
  /** Most paths are no rule's, and one question tells. */
  let anyPath: RegexSearch | null = null;
  const isAnyFor = (path: string): boolean =>
    (anyPath ??= compileSearch(
      rules[withPath[0]!]!,
      pathPatterns.map((text) => `(?:${text})`).join("|"),
      searches,
    )).test(path);
  const isFor = (rule: Rule, path: string): boolean => compileSearch(rule, rule.path!, searches).test(path);

  const hasRequired = rules.some(({ required }) => required.length > 0);

  const activeFor = (path: string | undefined): Uint8Array => {
    if (path === undefined || withPath.length === 0 || !isAnyFor(path)) return withoutPath;
    const isActive = withoutPath.slice();
    for (const order of withPath) if (isFor(rules[order]!, path)) isActive[order] = 1;
    return isActive;
  };
  const reading = new Reading(program);
  const read = (text: string, path: string | undefined): readonly FoundSecret[] => {
    reading.begin(activeFor(path), path);
    const found = reading.readWhole(text);
    return hasRequired && found.length > 0 ? withRequired(text, found) : found;
  };
  return {
    rules,
    scan: (path) => createScan(program, activeFor(path), path),
    detect: (text, path) => tell(text, read(text, path)),
    find: (text, path) => {
      const found = read(text, path);
      return tell(text, found).map((detection, index) => ({ detection, secret: found[index]!.secret }));
    },
  };
}

function tell(text: string, found: readonly FoundSecret[]): Detection[] {
  if (found.length === 0) return [];
  const allowIn = createInlineAllows(text);
  return found.map((secret) => detectionOf(secret, allowIn(secret.start, secret.end)));
}

/** Leaves out what counts only with another rule's finding near it, where there is none. */
function withRequired(text: string, found: readonly FoundSecret[]): FoundSecret[] {
  const position = createLineIndex(text);
  return found.filter(({ start, matcher }) =>
    matcher.rule.required.every(({ rule, withinLines, withinColumns }) => {
      const own = position(start);
      return found.some((other) => {
        if (other.matcher.rule.id !== rule) return false;
        const { line, column } = position(other.start);
        return (
          Math.abs(line - own.line) <= (withinLines ?? Infinity) &&
          Math.abs(column - own.column) <= (withinColumns ?? Infinity)
        );
      });
    }),
  );
}
