/** From a rule's pattern to something that may be run on hostile text. */
import { findAnchors, stripOptionalPrefix } from "./regex-anchors.ts";
import { longestMatch, worstSteps } from "./regex-bounds.ts";
import { LinearRegex } from "./regex-linear.ts";
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

/** Says whether a pattern matches at one place, and how. */
export interface AnchoredRegex {
  /** @returns the offset behind the match that begins at `at`, or -1. */
  end(text: string, at: number): number;
  /** The groups of the match that begins at `at`, the whole first. */
  groups(text: string, at: number): readonly (Span | undefined)[];
}

export function createAnchoredRegex({ node, longest, isProven }: RuleRegex): AnchoredRegex {
  if (!isProven) {
    const linear = new LinearRegex(node);
    const run = (text: string, at: number): readonly number[] | null =>
      linear.exec(text, at, Math.min(text.length, at + longest), true);
    return {
      end: (text, at) => run(text, at)?.[1] ?? -1,
      groups: (text, at) => {
        const offsets = run(text, at) ?? [];
        return Array.from({ length: offsets.length / 2 }, (_, group) => {
          const start = offsets[2 * group]!;
          return start < 0 ? undefined : ([start, offsets[2 * group + 1]!] as const);
        });
      },
    };
  }
  const source = encodeRegex(node);
  const plain = new RegExp(source, "y");
  /** As `plain`, with the offsets of groups, which V8 computes at some cost. */
  const indexed = new RegExp(source, "dy");
  return {
    end: (text, at) => {
      plain.lastIndex = at;
      return plain.test(text) ? plain.lastIndex : -1;
    },
    groups: (text, at) => {
      indexed.lastIndex = at;
      return indexed.exec(text)?.indices ?? [];
    },
  };
}

/** Looks for a pattern anywhere in a text. */
export interface RegexSearch {
  readonly longest: number;
  test(text: string): boolean;
  /** @returns the offset behind the first match, or -1. */
  end(text: string): number;
}

export function createRegexSearch({ node, longest, isProven }: RuleRegex): RegexSearch {
  if (!isProven) {
    const linear = new LinearRegex(node);
    const end = (text: string): number => linear.exec(text, 0, text.length, false)?.[1] ?? -1;
    return { longest, end, test: (text) => end(text) >= 0 };
  }
  const source = encodeRegex(node);
  const plain = new RegExp(source);
  const global = new RegExp(source, "g");
  return {
    longest,
    test: (text) => plain.test(text),
    end: (text) => {
      global.lastIndex = 0;
      return global.test(text) ? global.lastIndex : -1;
    },
  };
}
