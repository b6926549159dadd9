/** Patterns of rules and of their allow lists, compiled once: an allow list may be every rule's. */
import { GatewayError } from "../errors.ts";
import { hasAssertion, LineSearch, type LinePlace } from "./line-search.ts";
import { parseRegex, type RegexNode } from "./regex-syntax.ts";
import type { Rule } from "./rule.ts";
import { boundRegex, createAnySearch, createRegexSearch, type RegexSearch } from "./rule-regex.ts";

/** What is compiled already. */
export interface KnownSearches {
  readonly single: Map<string, RegexSearch>;
  /** By all of the patterns. */
  readonly any: Map<string, (text: string) => boolean>;
  /** The same in lines. */
  readonly lines: Map<string, LineAsk>;
  /** By allow lists that look at the secret alone, whether one of them has it. */
  readonly allowed: Map<string, (secret: string) => boolean>;
}

type LineAsk = (line: string, place: LinePlace | null) => boolean;

/** @throws GatewayError `config_invalid` for a pattern that is no RE2 */
export function compileSearch(rule: Rule, pattern: string, searches: KnownSearches): RegexSearch {
  let known = searches.single.get(pattern);
  if (known === undefined)
    searches.single.set(pattern, (known = createRegexSearch(boundRegex(parsePattern(rule, pattern)))));
  return known;
}

export function compileAnySearch(
  rule: Rule,
  patterns: readonly string[],
  searches: KnownSearches,
): (text: string) => boolean {
  const key = patterns.join("\n");
  let known = searches.any.get(key);
  if (known === undefined) {
    known = createAnySearch(
      patterns.map((pattern) => ({
        node: parsePattern(rule, pattern),
        search: compileSearch(rule, pattern, searches),
      })),
    );
    searches.any.set(key, known);
  }
  return known;
}

/** As `compileAnySearch`, of lines that are looked at one behind the other and lie one over the other. */
export function compileLineSearch(rule: Rule, patterns: readonly string[], searches: KnownSearches): LineAsk {
  const nodes = patterns.map((pattern) => parsePattern(rule, pattern));
  if (nodes.some(hasAssertion)) return compileAnySearch(rule, patterns, searches);
  const key = patterns.join("\n");
  let known = searches.lines.get(key);
  if (known === undefined) {
    const ask = compileAnySearch(rule, patterns, searches);
    let search: LineSearch | null = null;
    known = (line, place) => {
      if (place === null) return ask(line);
      search ??= new LineSearch(
        nodes.map((node, index) => ({ node, search: compileSearch(rule, patterns[index]!, searches) })),
      );
      return search.test(line, place);
    };
    searches.lines.set(key, known);
  }
  return known;
}

/** @throws GatewayError as `compileSearch` */
export function parsePattern(rule: Rule, pattern: string): RegexNode {
  const parsed = parseRegex(pattern);
  if (parsed.ok) return parsed.value;
  throw new GatewayError("config_invalid", `The pattern of secret rule ${rule.id} ${parsed.error}.`);
}

export const createKnownSearches = (): KnownSearches => ({
  single: new Map(),
  any: new Map(),
  lines: new Map(),
  allowed: new Map(),
});
