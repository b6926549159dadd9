/** The detector of secrets, made from rules. Pure: no I/O, no clock; one detector serves any number of texts. */
import type { Detection } from "../model/finding.ts";
import { compileSearch, createKnownSearches } from "./known-searches.ts";
import type { Rule } from "./rule.ts";
import type { RegexSearch } from "./rule-regex.ts";
import { createScan, type Passage, type Scan } from "./scan.ts";
import { createProgram } from "./scan-program.ts";
import { findInlineAllow, hasInlineAllow } from "./inline-allow.ts";
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

  const scan = (path?: string): Scan => {
    if (path === undefined || withPath.length === 0 || !isAnyFor(path)) return createScan(program, withoutPath, path);
    const isActive = withoutPath.slice();
    for (const order of withPath) if (isFor(rules[order]!, path)) isActive[order] = 1;
    return createScan(program, isActive, path);
  };
  const find = (text: string, path?: string): FoundPassage[] => {
    const found = scan(path)
      .end(text)
      .filter((passage) => passage.kind === "secret");
    if (found.length === 0) return found;
    const satisfied = hasRequired ? withRequired(text, found) : found;
    if (!hasInlineAllow(text)) return satisfied;
    return satisfied.map((passage) => {
      const { start, end } = passage.detection;
      return { ...passage, detection: { ...passage.detection, allowed: findInlineAllow(text, start, end) } };
    });
  };
  return { rules, scan, find, detect: (text, path) => find(text, path).map(({ detection }) => detection) };
}

type FoundPassage = Extract<Passage, { kind: "secret" }>;

/** Leaves out what counts only with another rule's finding near it, where there is none. */
function withRequired(text: string, found: readonly FoundPassage[]): FoundPassage[] {
  const position = createLineIndex(text);
  return found.filter(({ detection, matcher }) =>
    matcher.rule.required.every(({ rule, withinLines, withinColumns }) => {
      const own = position(detection.start);
      return found.some((other) => {
        if (other.detection.rule !== rule) return false;
        const { line, column } = position(other.detection.start);
        return (
          Math.abs(line - own.line) <= (withinLines ?? Infinity) &&
          Math.abs(column - own.column) <= (withinColumns ?? Infinity)
        );
      });
    }),
  );
}
