/**
 * What can be said about a pattern before it is ever run: how long a match can get, how many steps a backtracking
 * engine can need at one place, and with which letters a match begins. Hostile text decides nothing here: all three are upper
 * bounds over every text.
 */
import { isDisjoint, sizeOf, union, type CharSet } from "./char-set.ts";
import type { RegexNode } from "./regex-syntax.ts";

/** Beyond this, numbers only say "too many". */
const ceiling = 1e12;

/** The most code units that a match can span. */
export function longestMatch(node: RegexNode): number {
  switch (node.kind) {
    case "char":
      return 1;
    case "assert":
      return 0;
    case "group":
      return longestMatch(node.node);
    case "sequence":
      return node.nodes.reduce((sum, part) => sum + longestMatch(part), 0);
    case "choice":
      return Math.max(...node.nodes.map(longestMatch));
    case "repeat":
      return Math.min(ceiling, node.max * longestMatch(node.node));
  }
}

/** The characters that can come first, and whether the node can match nothing. */
function first(node: RegexNode): { set: CharSet; empty: boolean } {
  switch (node.kind) {
    case "char":
      return { set: node.set, empty: false };
    case "assert":
      return { set: [], empty: true };
    case "group":
      return first(node.node);
    case "repeat": {
      const inner = first(node.node);
      return { set: node.max === 0 ? [] : inner.set, empty: node.min === 0 || inner.empty };
    }
    case "choice":
      return node.nodes
        .map(first)
        .reduce((a, b) => ({ set: union(a.set, b.set), empty: a.empty || b.empty }), { set: [], empty: false });
    case "sequence": {
      let set: CharSet = [];
      for (const part of node.nodes) {
        const next = first(part);
        set = union(set, next.set);
        if (!next.empty) return { set, empty: false };
      }
      return { set, empty: true };
    }
  }
}

interface Effort {
  /** Steps to try every way of matching the node once. */
  readonly steps: number;
  /** Ways of matching it after which the rest of the pattern is tried in earnest. */
  readonly ways: number;
}

const capped = (steps: number, ways: number): Effort => ({
  steps: Math.min(ceiling, steps),
  ways: Math.min(ceiling, ways),
});

/**
 * An upper bound for the steps of a backtracking engine that tries the pattern at one place of the worst text.
 *
 * A repetition whose characters cannot begin what follows it has one way to end: giving characters back fails at
 * once. Any other multiplies: `[a-z]{0,50}[a-z0-9]{0,50}` is tried 51 times over.
 */
export const worstSteps = (node: RegexNode): number => effort(node, []).steps;

function effort(node: RegexNode, follow: CharSet): Effort {
  switch (node.kind) {
    case "char":
    case "assert":
      return { steps: 1, ways: 1 };
    case "group":
      return effort(node.node, follow);
    case "sequence": {
      let total: Effort = { steps: 0, ways: 1 };
      let after = follow;
      for (const part of node.nodes.toReversed()) {
        const own = effort(part, after);
        total = capped(own.steps + own.ways * total.steps, own.ways * total.ways);
        const begin = first(part);
        after = begin.empty ? union(begin.set, after) : begin.set;
      }
      return total;
    }
    case "choice": {
      const parts = node.nodes.map((part) => effort(part, follow));
      const steps = parts.reduce((sum, part) => sum + part.steps, 0);
      const ways = isDeterministic(node.nodes)
        ? Math.max(...parts.map((part) => part.ways))
        : parts.reduce((sum, part) => sum + part.ways, 0);
      return capped(steps, ways);
    }
    case "repeat": {
      const begin = first(node.node);
      const inner = effort(node.node, union(begin.set, follow));
      const optional = node.max - node.min;
      if (inner.ways === 1) {
        const settled = optional === 0 || (!begin.empty && isDisjoint(begin.set, follow));
        return capped((node.max + optional) * inner.steps + 1, settled ? 1 : optional + 1);
      }
      let ways = 0;
      for (let n = node.min; n <= node.max && ways < ceiling; n++) ways += inner.ways ** n;
      return capped(ways * inner.steps, ways);
    }
  }
}

/** Whether at most one branch can match at any place: they begin differently, or are words of which none begins another. */
function isDeterministic(branches: readonly RegexNode[]): boolean {
  const begins = branches.map(first);
  if (begins.every((a, i) => !a.empty && begins.every((b, j) => i === j || isDisjoint(a.set, b.set)))) {
    return true;
  }
  const words = branches.map((branch) => leadingLiterals(branch, 64));
  if (words.some((own) => own.some((word) => !word.whole))) return false;
  return words.every((own, i) =>
    words.every((others, j) => i === j || own.every((a) => others.every((b) => !b.text.startsWith(a.text)))),
  );
}

/** A beginning of a match in lower case; `whole` if the node can end there, so that what follows it goes on. */
export interface Leading {
  readonly text: string;
  readonly whole: boolean;
}

/** Of a wider class the letters are not told one by one: they would make many beginnings, and none better to look for. */
const mostLetters = 10;

/** Every way in which a match can begin, each as far as it is fixed, `limit` of them at most (then cut shorter). */
export function leadingLiterals(node: RegexNode, limit = 512): readonly Leading[] {
  let byLimit = knownLeading.get(node);
  if (byLimit === undefined) knownLeading.set(node, (byLimit = new Map()));
  let known = byLimit.get(limit);
  if (known === undefined) byLimit.set(limit, (known = findLeading(node, limit)));
  return known;
}

/** A part of a pattern is asked for once for each part in front of it. */
const knownLeading = new WeakMap<RegexNode, Map<number, readonly Leading[]>>();

function findLeading(node: RegexNode, limit: number): readonly Leading[] {
  switch (node.kind) {
    case "assert":
      return [{ text: "", whole: true }];
    case "group":
      return leadingLiterals(node.node, limit);
    case "char": {
      const letters = new Set<string>();
      if (sizeOf(node.set) <= mostLetters) {
        for (const [from, to] of node.set) {
          for (let code = from; code <= to; code++) letters.add(String.fromCharCode(code).toLowerCase());
        }
      }
      if (letters.size === 0 || letters.size > limit) return [{ text: "", whole: false }];
      return [...letters].map((text) => ({ text, whole: true }));
    }
    case "choice": {
      const all = node.nodes.flatMap((part) => leadingLiterals(part, limit));
      return all.length > limit ? [{ text: "", whole: false }] : unique(all);
    }
    case "sequence":
      return joined(node.nodes, limit);
    case "repeat": {
      if (node.max === 0) return [{ text: "", whole: true }];
      const once = leadingLiterals(node.node, limit);
      const sure = joined(
        Array.from({ length: Math.min(node.min, 32) }, () => node.node),
        limit,
      );
      if (node.min === node.max && node.min <= 32) return sure;
      if (node.min === 0) {
        const taken = node.max === 1 ? once : once.map(({ text }) => ({ text, whole: false }));
        return unique([{ text: "", whole: true }, ...taken]);
      }
      return unique(sure.map(({ text }) => ({ text, whole: false })));
    }
  }
}

function joined(nodes: readonly RegexNode[], limit: number): readonly Leading[] {
  let heads: readonly Leading[] = [{ text: "", whole: true }];
  for (const part of nodes) {
    if (!heads.some((head) => head.whole)) break;
    const tails = leadingLiterals(part, limit);
    // Nothing fixed stands here: the beginnings are as long as they get.
    if (tails.length === 1 && tails[0]?.text === "" && !tails[0].whole) {
      return unique(heads.map(({ text }) => ({ text, whole: false })));
    }
    const next = extended(heads, tails);
    if (next.length > limit) {
      // Of `1/[0-9]{13}` the first digit may still be told.
      const firsts = unique(tails.map(({ text }) => ({ text: text.slice(0, 1), whole: false })));
      const shorter = extended(heads, firsts);
      return (shorter.length > limit ? heads : shorter).map(({ text }) => ({ text, whole: false }));
    }
    heads = next;
  }
  return heads;
}

const extended = (heads: readonly Leading[], tails: readonly Leading[]): readonly Leading[] =>
  unique(
    heads.flatMap((head) =>
      head.whole ? tails.map((tail) => cut({ text: head.text + tail.text, whole: tail.whole })) : [head],
    ),
  );

/** Nobody needs to know more of a beginning than this. */
const longestLeading = 24;

const cut = ({ text, whole }: Leading): Leading =>
  text.length < longestLeading ? { text, whole } : { text: text.slice(0, longestLeading), whole: false };

function unique(list: readonly Leading[]): Leading[] {
  return [...new Map(list.map((item) => [`${item.whole ? 1 : 0}${item.text}`, item])).values()];
}
