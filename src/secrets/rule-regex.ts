/** From a rule's pattern to something that may be run on hostile text. */
import { findAnchors, stripOptionalPrefix } from "./regex-anchors.ts";
import { longestMatch, worstSteps } from "./regex-bounds.ts";
import { anyUnit } from "./char-set.ts";
import { RegexFilter, untracked } from "./regex-filter.ts";
import { LinearRegex, type MatchOffsets } from "./regex-linear.ts";
import { encodeRegex } from "./regex-source.ts";
import type { RegexNode } from "./regex-syntax.ts";
import type { Rule, RulePlan } from "./rule.ts";

/** What a match may span, in code units; what lies beyond is not looked at. Longer secrets are for `until`. */
export const longestAllowedMatch = 16_384;
/** Steps of a backtracking engine at one place of the worst text. What may need more is run by the linear one. */
const mostSteps = 60_000;

export interface RuleRegex {
  readonly node: RegexNode;
  readonly longest: number;
  /** Whether V8 can be trusted with it: the most steps at one place are known, and few. */
  readonly isProven: boolean;
}

/** What of a rule's pattern is looked for. @param node the pattern as it is written */
export const searchedPart = (node: RegexNode, secretGroup: Rule["secretGroup"]): RegexNode =>
  secretGroup === 0 ? node : stripOptionalPrefix(node);

/** @param node the pattern as it is written */
export function planRule(
  node: RegexNode,
  { secretGroup, keywords, path }: Pick<Rule, "secretGroup" | "keywords" | "path">,
): RulePlan {
  const searched = searchedPart(node, secretGroup);
  const { longest, isProven } = boundRegex(searched);
  return { anchors: findAnchors(searched, keywords, path !== null), longest, isProven };
}

export function boundRegex(node: RegexNode): RuleRegex {
  const longest = longestMatch(node);
  return {
    node,
    longest: Math.min(longest, longestAllowedMatch),
    isProven: longest <= longestAllowedMatch && worstSteps(node) <= mostSteps,
  };
}

export type Span = readonly [start: number, end: number];

export interface AnchoredMatch {
  /** The offset behind it. */
  readonly end: number;
  /** Of groups, beside the whole match. */
  readonly groups: number;
  /** Where a group stands, from 1 on. */
  group(number: number): Span | undefined;
}

/** Says whether a pattern matches at one place, and how. */
export interface AnchoredRegex {
  match(text: string, at: number): AnchoredMatch | null;
}

/** Dense findings are many matches: each is one object, without functions of its own. */
class LinearMatch implements AnchoredMatch {
  private readonly offsets: MatchOffsets;

  constructor(offsets: MatchOffsets) {
    this.offsets = offsets;
  }

  get end(): number {
    return this.offsets[1]!;
  }

  get groups(): number {
    return this.offsets.length / 2 - 1;
  }

  group(number: number): Span | undefined {
    const start = this.offsets[2 * number]!;
    return start < 0 ? undefined : [start, this.offsets[2 * number + 1]!];
  }
}

class ProvenMatch implements AnchoredMatch {
  private readonly found: RegExpExecArray;
  private readonly indexed: RegExp;

  /** @param indexed gives the offsets of groups, which V8 computes at some cost */
  constructor(found: RegExpExecArray, indexed: RegExp) {
    this.found = found;
    this.indexed = indexed;
  }

  get end(): number {
    return this.found.index + this.found[0].length;
  }

  get groups(): number {
    return this.found.length - 1;
  }

  group(number: number): Span | undefined {
    const { found, indexed } = this;
    const value = found[number];
    if (value === undefined) return undefined;
    // What stands in the match but once stands where the group does.
    const first = found[0].indexOf(value);
    const start = found.index + first;
    if (found[0].indexOf(value, first + 1) < 0) return [start, start + value.length];
    indexed.lastIndex = found.index;
    return indexed.exec(found.input)?.indices?.[number];
  }
}

export function createAnchoredRegex({ node, longest, isProven }: RuleRegex): AnchoredRegex {
  if (!isProven) {
    const linear = new LinearRegex(node);
    return {
      match: (text, at) => {
        const offsets = linear.exec(text, at, Math.min(text.length, at + longest), true);
        return offsets === null ? null : new LinearMatch(offsets);
      },
    };
  }
  const source = encodeRegex(node);
  const plain = new RegExp(source, "y");
  const indexed = new RegExp(source, "dy");
  return {
    match: (text, at) => {
      plain.lastIndex = at;
      const found = plain.exec(text);
      return found === null ? null : new ProvenMatch(found, indexed);
    },
  };
}

/** Looks for a pattern anywhere in a text. */
export interface RegexSearch {
  readonly longest: number;
  /** As of `RuleRegex`. */
  readonly isProven: boolean;
  test(text: string): boolean;
  /** @returns where the first match stands */
  find(text: string): Span | null;
}

export function createRegexSearch({ node, longest, isProven }: RuleRegex): RegexSearch {
  if (!isProven) {
    const linear = new LinearRegex(node);
    const find = (text: string): Span | null => {
      const offsets = linear.exec(text, 0, text.length, false);
      return offsets === null ? null : [offsets[0]!, offsets[1]!];
    };
    return { longest, isProven, find, test: (text) => find(text) !== null };
  }
  const source = encodeRegex(node);
  const plain = new RegExp(source);
  return {
    longest,
    isProven,
    test: (text) => plain.test(text),
    find: (text) => {
      const found = plain.exec(text);
      return found === null ? null : [found.index, found.index + found[0].length];
    },
  };
}

/** A filter that has had to begin anew so often costs more than it saves. */
const mostBeginnings = 16;

/** What may stand before a match that is looked for anywhere. */
export const anywhere: RegexNode = {
  kind: "repeat",
  node: { kind: "char", set: anyUnit },
  min: 0,
  max: Infinity,
  lazy: true,
};

/** The ways of matching that a pattern is a choice of. */
function branchesOf(node: RegexNode): readonly RegexNode[] {
  if (node.kind === "group") return branchesOf(node.node);
  return node.kind === "choice" ? node.nodes.flatMap(branchesOf) : [node];
}

/** Whether a match can only stand at the beginning of a text. */
function isAtStart(node: RegexNode): boolean {
  if (node.kind === "assert") return node.what === "textStart";
  if (node.kind === "group") return isAtStart(node.node);
  if (node.kind === "choice") return node.nodes.every(isAtStart);
  return node.kind === "sequence" && node.nodes.length > 0 && isAtStart(node.nodes[0]!);
}

/** What matches a text from its beginning on where one of the patterns stands somewhere in it: one that must begin there ends there soon. */
function anyOf(nodes: readonly RegexNode[]): RegexNode {
  const all = nodes.flatMap(branchesOf);
  const inner = all.filter((node) => !isAtStart(node));
  const rest: readonly RegexNode[] =
    inner.length === 0 ? [] : [{ kind: "sequence", nodes: [anywhere, { kind: "choice", nodes: inner }] }];
  return { kind: "choice", nodes: [...all.filter(isAtStart), ...rest] };
}

/** @returns whether one of the patterns stands somewhere in a text: nearly always none does, and one pass over it tells. */
export function createAnySearch(
  patterns: readonly { readonly node: RegexNode; readonly search: RegexSearch }[],
): (text: string) => boolean {
  const ask = (text: string): boolean => patterns.some(({ search }) => search.test(text));
  // V8 is as quick with a single one.
  if (patterns.length < 2 && patterns.every(({ search }) => search.isProven)) return ask;
  let filter: RegexFilter | null = null;
  return (text) => {
    filter ??= new RegexFilter(anyOf(patterns.map(({ node }) => node)));
    if (filter.generation > mostBeginnings) return ask(text);
    const begin = filter.begin(text, 0);
    return filter.read(text, 0, begin, text.length, 0, untracked, true, true).accepted && (filter.isExact || ask(text));
  };
}
