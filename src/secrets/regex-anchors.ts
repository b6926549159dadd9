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
  readonly score: number;
}

/** @returns null where no fixed text stands within reach of the beginning. */
export function findAnchors(node: RegexNode): readonly Anchor[] | null {
  return choose(node)?.anchors ?? null;
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
    if (choice !== null && (best === null || choice.score > best.score)) best = choice;
  };
  for (const [index, part] of parts.entries()) {
    if (most > furthestBefore) break;
    offer(literalsAt(parts.slice(index), least, most));
    if (part.kind === "choice") offer(branches(part.nodes.map(choose), least, most));
    if (part.kind === "repeat" && part.min > 0) offer(branches([choose(part.node)], least, most));
    least += shortestMatch(part);
    most += longestMatch(part);
  }
  return best;
}

function literalsAt(parts: readonly RegexNode[], least: number, most: number): Choice | null {
  const texts = new Set(
    leadingLiterals({ kind: "sequence", nodes: parts }, mostAnchors).map(({ text }) =>
      asciiBeginning(text).slice(0, longestAnchor),
    ),
  );
  // Where one begins another, it is found wherever the other is.
  const distinct = [...texts].filter((text) => ![...texts].some((other) => other !== text && text.startsWith(other)));
  return scored(distinct.map((text) => ({ text, least, most })));
}

function branches(choices: readonly (Choice | null)[], least: number, most: number): Choice | null {
  const anchors: Anchor[] = [];
  for (const choice of choices) {
    if (choice === null) return null;
    for (const own of choice.anchors) {
      anchors.push({ text: own.text, least: least + own.least, most: most + own.most });
    }
  }
  return scored(anchors);
}

/** Long before short, few before many, and best where the beginning is certain. */
function scored(anchors: readonly Anchor[]): Choice | null {
  const shortest = Math.min(...anchors.map(({ text }) => text.length));
  const spread = Math.max(...anchors.map(({ least, most }) => most - least));
  const furthest = Math.max(...anchors.map(({ most }) => most));
  if (anchors.length === 0 || anchors.length > mostAnchors) return null;
  if (shortest < shortestAnchor || furthest > furthestBefore) return null;
  const hasSign = anchors.every(({ text }) => /[^a-z]/.test(text));
  return {
    anchors,
    score:
      4 * Math.min(shortest, 8) +
      (hasSign ? 3 : 0) -
      Math.log2(anchors.length) -
      2 * Math.log2(1 + spread) -
      furthest / 16,
  };
}

/** A text as far as the automaton has letters for it. */
function asciiBeginning(text: string): string {
  const end = text.split("").findIndex((unit) => unit > "\x7f");
  return end < 0 ? text : text.slice(0, end);
}
