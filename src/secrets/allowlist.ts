/** Allow lists made ready to be asked. Hostile text is full of what they have to tell from secrets. */
import { compileAnySearch, compileLineSearch, type KnownSearches } from "./known-searches.ts";
import type { LinePlace } from "./line-search.ts";
import { remembered } from "./remembered.ts";
import type { Allowlist, Rule } from "./rule.ts";

export interface CompiledAllowlist {
  readonly on: Allowlist["on"];
  readonly all: boolean;
  /** Whether one of the patterns stands in the text; null if there are none. */
  readonly regexes: ((text: string, place: LinePlace | null) => boolean) | null;
  readonly stopWords: readonly string[];
  /** The same for the path. */
  readonly paths: ((path: string) => boolean) | null;
}

/** @throws GatewayError `config_invalid` for a pattern that is no RE2 */
export const compileAllowlist = (
  rule: Rule,
  { on, condition, regexes, stopWords, paths }: Allowlist,
  searches: KnownSearches,
): CompiledAllowlist => ({
  on,
  all: condition === "all",
  regexes:
    regexes.length === 0 ? null : (on === "line" ? compileLineSearch : compileAnySearch)(rule, regexes, searches),
  stopWords: stopWords.map((word) => word.toLowerCase()),
  paths: paths.length === 0 ? null : remembered(compileAnySearch(rule, paths, searches)),
});

/**
 * @param place of a line
 * @returns whether the text, in a file of that path, is what the list has.
 */
export function isAllowed(
  { all, regexes, stopWords, paths }: CompiledAllowlist,
  targetOf: () => string,
  path: string | undefined,
  place: LinePlace | null = null,
): boolean {
  // The first of its conditions that is not as `all` wants them decides.
  if (paths !== null && (path !== undefined && paths(path)) !== all) return !all;
  if (regexes !== null && regexes(targetOf(), place) !== all) return !all;
  if (stopWords.length > 0) {
    const folded = targetOf().toLowerCase();
    if (stopWords.some((word) => folded.includes(word)) !== all) return !all;
  }
  return all && (regexes !== null || stopWords.length > 0 || paths !== null);
}

/** Whether a list looks at the secret alone, so that its answer is the same wherever the secret stands. */
export const isOfSecret = ({ on, paths }: Allowlist): boolean => on === "secret" && paths.length === 0;

/** @returns whether one of the rule's lists that look at the secret alone has it */
export function compileSecretAllowlists(rule: Rule, searches: KnownSearches): (secret: string) => boolean {
  const own = rule.allow.filter(isOfSecret);
  if (own.length === 0) return () => false;
  const key = JSON.stringify(own);
  let known = searches.allowed.get(key);
  if (known === undefined) {
    const lists = own.map((list) => compileAllowlist(rule, list, searches));
    known = remembered((secret) => lists.some((list) => isAllowed(list, () => secret, undefined)));
    searches.allowed.set(key, known);
  }
  return known;
}
