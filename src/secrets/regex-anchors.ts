/**
 * Fixed texts of which every match of a pattern holds one, and how far from its beginning. They are what a text is searched for:
 * patterns are tried only where one of theirs stands.
 */
import { leadingLiterals, longestMatch } from "./regex-bounds.ts";
import type { RegexNode } from "./regex-syntax.ts";

export interface Anchor {
  /** ASCII, letters in lower case. */
  readonly text: string;
  /** The least and the most that lies between the match's beginning and the anchor's, in code units. */
  readonly least: number;
  readonly most: number;
}

/** Of more than this, not all are worth a place in the automaton. */
const mostAnchors = 128;
export const longestAnchor = 16;
const shortestAnchor = 2;
/** A match is not looked for further before its anchor than this. */
export const furthestBefore = 256;

interface Choice {
  readonly anchors: readonly Anchor[];
  /** How often, for each character of ordinary text, the pattern would be tried; and a little for the room that the anchors take. */
  readonly cost: number;
}

/** Trying a pattern more often than this costs more than it is worth, if there are keywords to go by. */
const dearest = 1 / 1000;

/**
 * @param keywords of the rule, in lower case: the pattern can be looked for behind them instead, unless they stand in the match itself.
 * @param isForFew whether only a few texts are searched for it: they may be searched everywhere.
 * @returns null where no fixed text stands within reach of the beginning.
 */
export function findAnchors(
  node: RegexNode,
  keywords: readonly string[] = [],
  isForFew = false,
): readonly Anchor[] | null {
  const best = choose(node);
  if (best === null || best.cost <= dearest) return best?.anchors ?? null;
  if (keywords.length === 0) return isForFew ? null : best.anchors;
  const isInMatch = best.anchors.some(({ text }) =>
    keywords.some((word) => text.includes(word) || word.includes(text)),
  );
  return isInMatch ? best.anchors : null;
}

/**
 * Takes off what may stand before the rest and need not, such as `[\w.-]{0,50}?`: with the secret in a group, no more is found with
 * it than without.
 */
export function stripOptionalPrefix(node: RegexNode): RegexNode {
  if (node.kind === "group" && !node.capture) return stripOptionalPrefix(node.node);
  if (node.kind !== "sequence" || !hasCapture(node)) return node;
  let from = 0;
  for (; from < node.nodes.length; from++) {
    const part = node.nodes[from]!;
    if (part.kind !== "repeat" || part.min > 0 || hasCapture(part)) break;
  }
  return from === 0 ? node : { kind: "sequence", nodes: node.nodes.slice(from) };
}

function hasCapture(node: RegexNode): boolean {
  if (node.kind === "group" && node.capture) return true;
  return "nodes" in node ? node.nodes.some(hasCapture) : "node" in node && hasCapture(node.node);
}

/** Groups and sequences inside a sequence taken apart. */
function partsOf(node: RegexNode): readonly RegexNode[] {
  if (node.kind === "group") return partsOf(node.node);
  return node.kind === "sequence" ? node.nodes.flatMap(partsOf) : [node];
}

function shortestMatch(node: RegexNode): number {
  switch (node.kind) {
    case "char":
      return 1;
    case "assert":
      return 0;
    case "group":
      return shortestMatch(node.node);
    case "sequence":
      return node.nodes.reduce((sum, part) => sum + shortestMatch(part), 0);
    case "choice":
      return Math.min(...node.nodes.map(shortestMatch));
    case "repeat":
      return node.min * shortestMatch(node.node);
  }
}

function choose(node: RegexNode): Choice | null {
  const parts = partsOf(node);
  let best: Choice | null = null;
  let least = 0;
  let most = 0;
  const offer = (choice: Choice | null): void => {
    if (choice !== null && (best === null || choice.cost < best.cost)) best = choice;
  };
  for (const [index, part] of parts.entries()) {
    if (most > furthestBefore) break;
    // What may be missing begins nothing better than what stands behind it.
    if (shortestMatch(part) > 0) offer(literalsAt(parts.slice(index), least, most));
    if (part.kind === "choice") offer(branches(part.nodes.map(choose), least, most));
    if (part.kind === "repeat" && part.min > 0) offer(branches([choose(part.node)], least, most));
    least += shortestMatch(part);
    most += longestMatch(part);
  }
  return best;
}

function literalsAt(parts: readonly RegexNode[], least: number, most: number): Choice | null {
  const texts = leadingLiterals({ kind: "sequence", nodes: parts }, mostAnchors).map(({ text }) =>
    asciiBeginning(text),
  );
  if (texts.some((text) => text.length < shortestAnchor)) return null;
  const longest = texts.reduce((most, text) => Math.max(most, text.length), 0);
  // Cut shorter they may be fewer: `sk-ant-api` rather than `sk-ant-api00` to `sk-ant-api99`.
  let best: Choice | null = null;
  for (let length = shortestAnchor; length <= Math.min(longest, longestAnchor); length++) {
    const distinct: string[] = [];
    // Where one begins another, it is found wherever the other is: sorted, it stands before all of them.
    for (const text of texts.map((whole) => whole.slice(0, length)).toSorted()) {
      const last = distinct.at(-1);
      if (last === undefined || !text.startsWith(last)) distinct.push(text);
    }
    const choice = costed(distinct.map((text) => ({ text, least, most })));
    if (choice !== null && (best === null || choice.cost < best.cost)) best = choice;
  }
  return best;
}

function branches(choices: readonly (Choice | null)[], least: number, most: number): Choice | null {
  const anchors: Anchor[] = [];
  for (const choice of choices) {
    if (choice === null) return null;
    for (const own of choice.anchors) {
      anchors.push({ text: own.text, least: least + own.least, most: most + own.most });
    }
  }
  return costed(anchors);
}

function costed(anchors: readonly Anchor[]): Choice | null {
  if (anchors.length === 0 || anchors.length > mostAnchors) return null;
  let cost = 0;
  for (const { text, least, most } of anchors) {
    if (text.length < shortestAnchor || most > furthestBefore) return null;
    cost += frequencyOf(text) * (1 + most - least) + text.length * 1e-9;
    // A stream that looks for something further in tries the pattern everywhere.
    if (most > 0) cost += 1e-6;
  }
  return { anchors, cost };
}

/**
 * A rough guess how often a text stands somewhere in code: letters are frequent there, and the end of a word when its beginning stands there; signs
 * are not, but for rows of one (source maps, zeros in base64).
 */
function frequencyOf(text: string): number {
  let frequency = 1;
  for (let i = 0; i < text.length; i++) {
    if (i > 0 && text[i] === text[i - 1]) frequency /= 1.25;
    else if (/[a-z]/.test(text[i]!)) frequency /= i >= 4 && /^[a-z]{4}/.test(text.slice(i - 4)) ? 4 : 12;
    else frequency /= 40;
  }
  return frequency;
}

/** A text as far as the automaton has letters for it. */
function asciiBeginning(text: string): string {
  const end = text.split("").findIndex((unit) => unit > "\x7f");
  return end < 0 ? text : text.slice(0, end);
}
