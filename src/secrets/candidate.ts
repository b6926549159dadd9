/** One rule, compiled, and the question whether a secret of it stands at a given place. Pure but for V8's `lastIndex`. */
import { GatewayError } from "../errors.ts";
import type { Severity } from "../model/finding.ts";
import { hasValidChecksum } from "./checksum.ts";
import { entropyOf } from "./entropy.ts";
import { isMasked } from "./mask-form.ts";
import { compileRuleRegex, type RuleRegex } from "./rule-regex.ts";
import type { Allowlist, Rule } from "./rule.ts";

/** How far `until` is looked for, from the beginning of the match; beyond it the rest of the text is the secret. */
export const blockReach = 65_536;
/** How far to either side of a match its line is looked at. */
export const lineReach = 512;

export interface Matcher {
  readonly rule: Rule;
  /** Position in the rule list: of two equally good rules the earlier one wins. */
  readonly order: number;
  readonly full: RegExp;
  /** As `full`, with the offsets of groups, which V8 computes at some cost. */
  readonly indexed: RegExp;
  readonly open: RegExp;
  readonly longest: number;
  readonly until: { readonly search: RegExp; readonly longest: number } | null;
  readonly path: RegExp | null;
  readonly allow: readonly CompiledAllowlist[];
  readonly looksAtLine: boolean;
}

interface CompiledAllowlist {
  readonly on: Allowlist["on"];
  readonly regexes: readonly RegExp[];
  readonly stopWords: readonly string[];
}

/** Offsets are relative to the text that was given; `end` is Infinity where a block has no end within reach. */
export interface Candidate {
  readonly start: number;
  readonly end: number;
  /** Where the rule may match again. */
  readonly matchEnd: number;
  /** The secret; of a block without an end only what lies within `blockReach`. */
  readonly secret: string;
  readonly severity: Severity;
}

export function createMatcher(rule: Rule, order: number): Matcher {
  const compiled = (pattern: string): RuleRegex => {
    const regex = compileRuleRegex(pattern, pattern === rule.regex ? rule.keywords : null);
    if (regex.ok) return regex.value;
    throw new GatewayError("config_invalid", `The pattern of secret rule ${rule.id} ${regex.error}.`);
  };
  const regex = compiled(rule.regex);
  const until = rule.until === null ? null : compiled(rule.until);
  return {
    rule,
    order,
    full: new RegExp(regex.source, "y"),
    indexed: new RegExp(regex.source, "dy"),
    open: new RegExp(regex.open, "y"),
    longest: regex.longest,
    until: until === null ? null : { search: new RegExp(until.source, "g"), longest: until.longest },
    path: rule.path === null ? null : new RegExp(compiled(rule.path).source),
    allow: rule.allow.map(({ on, regexes, stopWords }) => ({
      on,
      regexes: regexes.map((pattern) => new RegExp(compiled(pattern).source)),
      stopWords: stopWords.map((word) => word.toLowerCase()),
    })),
    looksAtLine: rule.allow.some(({ on }) => on === "line"),
  };
}

/**
 * @param text what has been read so far. What lies `lineReach` before `at` must be in it, if it was ever there.
 * @param final whether nothing will be added to `text`.
 * @param searched for a block: how far its end has been looked for in vain, from an earlier call.
 * @returns "more" (with how far was searched) if more text could change the answer.
 */
export function findCandidate(
  matcher: Matcher,
  text: string,
  at: number,
  final: boolean,
  searched: number,
): Candidate | null | { readonly more: number } {
  const { rule, full, open } = matcher;
  if (rule.wordStart && !isWordStart(text, at)) return null;
  if (!final && text.length - at <= matcher.longest) {
    open.lastIndex = at;
    if (open.test(text)) return { more: 0 };
  }
  full.lastIndex = at;
  if (!full.test(text)) return null;
  const matchEnd = full.lastIndex;

  if (matcher.until !== null) {
    const end = findBlockEnd(matcher.until, text, at, Math.max(matchEnd, searched), final);
    if (typeof end === "object") return end;
    const secret = text.slice(at, Math.min(end, at + blockReach));
    return judge(matcher, text, { start: at, end, at, matchEnd: end, secret });
  }
  if (matcher.looksAtLine && !final && text.length < matchEnd + lineReach && !text.includes("\n", matchEnd)) {
    return { more: 0 };
  }
  const [start, end] = secretSpan(matcher, text, at, matchEnd);
  return judge(matcher, text, { start, end, at, matchEnd, secret: text.slice(start, end) });
}

/** @returns the offset behind the block's end, or Infinity if there is none within reach. */
function findBlockEnd(
  until: { readonly search: RegExp; readonly longest: number },
  text: string,
  at: number,
  from: number,
  final: boolean,
): number | { readonly more: number } {
  const reach = at + blockReach;
  const window = text.slice(from, reach);
  until.search.lastIndex = 0;
  if (until.search.test(window)) {
    const end = from + until.search.lastIndex;
    // An end that stands earlier, or a longer one, could still be completed by what comes.
    return final || text.length >= Math.min(reach, end + until.longest) ? end : { more: from };
  }
  if (text.length >= reach) return Infinity;
  return final ? text.length : { more: Math.max(from, text.length - until.longest) };
}

function secretSpan({ rule, indexed }: Matcher, text: string, at: number, matchEnd: number): [number, number] {
  if (rule.secretGroup === 0) return [at, matchEnd];
  indexed.lastIndex = at;
  const groups = indexed.exec(text)?.indices ?? [];
  const span =
    rule.secretGroup === null
      ? groups.slice(1).find((group) => (group as unknown) !== undefined)
      : groups[rule.secretGroup];
  return span ?? [at, matchEnd];
}

function judge(
  { rule, allow }: Matcher,
  text: string,
  found: { start: number; end: number; at: number; matchEnd: number; secret: string },
): Candidate | null {
  const { start, end, at, matchEnd, secret } = found;
  if (secret === "" || entropyOf(secret) < rule.entropy) return null;
  for (const list of allow) {
    const target =
      list.on === "secret" ? secret : list.on === "match" ? text.slice(at, matchEnd) : lineOf(text, at, matchEnd);
    if (list.regexes.some((regex) => regex.test(target))) return null;
    const folded = target.toLowerCase();
    if (list.stopWords.some((word) => folded.includes(word))) return null;
  }
  if (isMasked(text, start, Math.min(end, text.length))) return null;
  const severity = rule.checksum === null || hasValidChecksum(rule.checksum, secret) ? rule.severity : "warn";
  return { start, end, matchEnd, secret, severity };
}

/** The line that a match stands in, without what lies further than `lineReach` from the match. */
function lineOf(text: string, at: number, matchEnd: number): string {
  const before = text.slice(Math.max(0, at - lineReach), at);
  const after = text.slice(matchEnd, matchEnd + lineReach);
  const newline = after.indexOf("\n");
  return (
    before.slice(before.lastIndexOf("\n") + 1) +
    text.slice(at, matchEnd) +
    (newline < 0 ? after : after.slice(0, newline))
  );
}

/**
 * Whether no word is under way at `at`. The letter of an escape is not part of the word behind it: in a JSON string's
 * `\nAKIA…` and in a query's `%3DAKIA…` the key begins at the A.
 */
function isWordStart(text: string, at: number): boolean {
  if (at === 0 || !/[A-Za-z0-9]/.test(text[at - 1]!)) return true;
  return /(?:\\[abfnrtv]|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2})$/.test(
    text.slice(Math.max(0, at - 6), at),
  );
}
