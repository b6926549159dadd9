/** One rule, compiled, and the question whether a secret of it stands at a given place. Pure but for V8's `lastIndex`. */
import type { Severity } from "../model/finding.ts";
import {
  compileAllowlist,
  compileSecretAllowlists,
  isAllowed,
  isOfSecret,
  type CompiledAllowlist,
} from "./allowlist.ts";
import { hasValidChecksum } from "./checksum.ts";
import { entropyOf } from "./entropy.ts";
import { compileSearch, parsePattern, type KnownSearches } from "./known-searches.ts";
import { isMasked } from "./mask-form.ts";
import type { FoundSecret } from "./overlap.ts";
import { looksRandom } from "./randomness.ts";
import { furthestBefore } from "./regex-anchors.ts";
import { beginningMasks, RegexFilter } from "./regex-filter.ts";
import { beside, besideOf } from "./regex-program.ts";
import { remembered } from "./remembered.ts";
import type { Allowlist, RandomTest, Rule } from "./rule.ts";
import type { TextAtHand } from "./text-at-hand.ts";
import {
  createAnchoredRegex,
  searchedPart,
  type AnchoredMatch,
  type AnchoredRegex,
  type RegexSearch,
  type Span,
} from "./rule-regex.ts";

/** How far `until` is looked for, from the beginning of the match; beyond it the rest of the text is the secret. */
export const blockReach = 65_536;
/** How far to either side of a match its line is looked at. */
export const lineReach = 512;

export interface Matcher {
  readonly rule: Rule;
  /** Position in the rule list: of two equally good rules the earlier one wins. */
  readonly order: number;
  readonly filter: RegexFilter;
  /** Asked before `filter` in a text that has made that one read it over and over; see `effort`. */
  readonly coarse: () => RegexFilter;
  /** Scratch: how many characters of the text of this number the filter has read in vain. */
  readonly effort: { text: number; read: number };
  /** As of `beginningMasks`: most places are no beginning, and this tells without running the filter. */
  readonly masks: Uint32Array;
  readonly exact: AnchoredRegex;
  readonly longest: number;
  readonly until: RegexSearch | null;
  /** Whether the allow lists that look at the secret alone have it. */
  readonly isAllowedSecret: (secret: string) => boolean;
  /** The others: first those that do not look at its line. */
  readonly allow: readonly CompiledAllowlist[];
  readonly allowByLine: readonly CompiledAllowlist[];
  /** The keywords of which one must stand near, unless every anchor holds one. */
  readonly keywords: readonly string[];
}

/** @throws GatewayError `config_invalid` for a pattern that is no RE2 */
export function createMatcher(rule: Rule, order: number, searches: KnownSearches): Matcher {
  const { anchors, longest, isProven } = rule.plan;
  const compiled = (list: Allowlist): CompiledAllowlist => compileAllowlist(rule, list, searches);
  const others = rule.allow.filter((list) => !isOfSecret(list));
  const node = searchedPart(parsePattern(rule, rule.regex), rule.secretGroup);
  let coarse: RegexFilter | null = null;
  const implied = anchors?.every(({ text }) => rule.keywords.some((keyword) => text.includes(keyword))) === true;
  return {
    rule,
    order,
    filter: new RegexFilter(node),
    coarse: () => (coarse ??= new RegexFilter(node, true)),
    effort: { text: -1, read: 0 },
    masks: beginningMasks(node),
    exact: createAnchoredRegex({ node, longest, isProven }),
    longest,
    until: rule.until === null ? null : compileSearch(rule, rule.until, searches),
    isAllowedSecret: compileSecretAllowlists(rule, searches),
    allow: others.filter(({ on }) => on !== "line").map(compiled),
    allowByLine: others.filter(({ on }) => on === "line").map(compiled),
    keywords: implied ? [] : rule.keywords,
  };
}

export type Answer =
  | FoundSecret
  /** More text could change the answer; a block's end was looked for up to `searched` in vain, in the buffer. */
  | { readonly searched: number }
  /** No match, or one that is no secret; the rule may match again from there on, in the buffer. */
  | number;

/**
 * Asks the rule at a place that its filter has let pass, when no text to come can make a match longer.
 * @param text What lies `lineReach` before `at` must be in its buffer, if it was ever there.
 * @param at in the buffer
 * @param final whether nothing will be added to the text.
 * @param searched for a block: how far in the buffer its end has been looked for in vain, from an earlier call.
 */
export function findCandidate(
  matcher: Matcher,
  text: TextAtHand,
  at: number,
  final: boolean,
  searched: number,
): Answer {
  const { buffer, origin } = text;
  const match = matcher.exact.match(buffer, at);
  if (match === null || (matcher.until === null && match.end <= text.changedFrom(at))) return at + 1;
  if (!hasKeyword(matcher, buffer, at, match.end)) return at + 1;

  let matchEnd = match.end;
  let start = at;
  let end = matchEnd;
  if (matcher.until === null) {
    const span = secretSpan(matcher.rule, match);
    if (span !== undefined) [start, end] = span;
  } else {
    const blockEnd = findBlockEnd(matcher.until, buffer, at, Math.max(matchEnd, searched), final);
    if (typeof blockEnd === "object") return { searched: blockEnd.more };
    end = matchEnd = blockEnd;
  }
  const secret = buffer.slice(start, Math.min(end, at + blockReach));
  const severity = judge(matcher, text, { start, end, at, matchEnd, secret }, final);
  if (severity === "open") return { searched: 0 };
  // A text can be made of matches that are no secrets and overlap: each of them moves on by a part of its length.
  if (severity === null) return at + 1 + ((Math.min(matchEnd, at + blockReach) - at) >> 3);
  return {
    start: origin + start,
    end: origin + end,
    matchEnd: origin + matchEnd,
    secret,
    severity,
    matcher,
    note: "",
  };
}

function hasKeyword({ keywords }: Matcher, text: string, at: number, matchEnd: number): boolean {
  if (keywords.length === 0) return true;
  const near = text.slice(Math.max(0, at - furthestBefore), matchEnd).toLowerCase();
  return keywords.some((keyword) => near.includes(keyword));
}

/** @returns the offset behind the block's end, or Infinity if there is none within reach. */
function findBlockEnd(
  until: RegexSearch,
  text: string,
  at: number,
  from: number,
  final: boolean,
): number | { readonly more: number } {
  const reach = at + blockReach;
  const window = text.slice(from, reach);
  const found = until.find(window);
  if (found !== null) {
    const end = from + found[1];
    // An end that stands earlier, or a longer one, could still be completed by what comes.
    return final || text.length >= Math.min(reach, end + until.longest) ? end : { more: from };
  }
  if (text.length >= reach) return Infinity;
  return final ? text.length : { more: Math.max(from, text.length - until.longest) };
}

/** @returns undefined for the whole match. */
function secretSpan({ secretGroup }: Rule, match: AnchoredMatch): Span | undefined {
  if (secretGroup !== null) return secretGroup === 0 ? undefined : match.group(secretGroup);
  for (let number = 1; number <= match.groups; number++) {
    const span = match.group(number);
    if (span !== undefined) return span;
  }
  return undefined;
}

interface Found {
  readonly start: number;
  readonly end: number;
  readonly at: number;
  readonly matchEnd: number;
  readonly secret: string;
}

const isAskedForRandomness = (random: RandomTest, secret: string): boolean =>
  random === "letters" ? /^[A-Za-z_.:-]*$/.test(secret) : random;
const rememberedEntropyOf = remembered(entropyOf);
const rememberedLooksRandom = remembered(looksRandom);

/** @returns null if it is no secret after all; "open" if that hangs on the rest of its line, and on nothing else. */
function judge(
  { rule, isAllowedSecret, allow, allowByLine }: Matcher,
  text: TextAtHand,
  found: Found,
  final: boolean,
): Severity | null | "open" {
  const { at, matchEnd, secret } = found;
  const { buffer, path } = text;
  if (secret === "" || (rule.entropy > 0 && rememberedEntropyOf(secret) < rule.entropy)) return null;
  if (isAskedForRandomness(rule.random, secret) && !rememberedLooksRandom(secret)) return null;
  if (isAllowedSecret(secret)) return null;
  for (const list of allow) if (isAllowed(list, () => targetOf(list.on, buffer, found), path)) return null;
  if (text.holdsMasks && isMasked(buffer, found.start, Math.min(found.end, buffer.length))) return null;
  if (allowByLine.length > 0) {
    // A block reaches further than a line.
    if (!final && rule.until === null && buffer.length < matchEnd + lineReach && lineEnd(buffer, matchEnd) < 0)
      return "open";
    const start = lineStart(buffer, at);
    const end = lineEnd(buffer, matchEnd);
    const line = (): string => buffer.slice(start, end < 0 ? matchEnd + lineReach : end);
    const place = { number: text.number, start: text.origin + start };
    if (allowByLine.some((list) => isAllowed(list, line, path, place))) return null;
  }
  return rule.checksum === null || hasValidChecksum(rule.checksum, secret) ? rule.severity : "warn";
}

function targetOf(on: Allowlist["on"], text: string, { at, matchEnd, secret }: Found): string {
  if (on === "secret") return secret;
  return text.slice(on === "word" ? wordStartOf(text, at) : at, matchEnd);
}

const longestWord = 64;

/** Where the word begins that `at` stands in: `publicToken` for a match that begins with `Token`. */
function wordStartOf(text: string, at: number): number {
  let start = at;
  while (start > 0 && at - start < longestWord && isNamed(text.charCodeAt(start - 1))) start--;
  return start;
}

const isNamed = (unit: number): boolean => besideOf(unit) === beside.word || unit === 0x2d || unit === 0x2e;

/** Where the line of a match begins, without what lies further than `lineReach` from the match. */
function lineStart(text: string, at: number): number {
  const from = Math.max(0, at - lineReach);
  return from + text.slice(from, at).lastIndexOf("\n") + 1;
}

/** Where the line of a match ends, or -1. A pattern may take the line's end along. */
function lineEnd(text: string, matchEnd: number): number {
  const from = Math.max(0, matchEnd - 1);
  const end = text.slice(from, matchEnd + lineReach).indexOf("\n");
  return end < 0 ? -1 : from + end;
}
