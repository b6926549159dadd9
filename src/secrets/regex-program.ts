/** A parsed pattern as a list of steps (Thompson's construction): what the linear engines run. */
import type { CharSet } from "./char-set.ts";
import type { RegexNode } from "./regex-syntax.ts";

export type Assertion = Extract<RegexNode, { kind: "assert" }>["what"];

/** `next` are positions in the list; of a split, in order of preference. */
export type RegexStep =
  | { readonly kind: "char"; readonly set: CharSet; readonly next: number }
  | { readonly kind: "split"; readonly next: readonly number[] }
  | { readonly kind: "assert"; readonly what: Assertion; readonly next: number }
  | { readonly kind: "save"; readonly slot: number; readonly next: number }
  | { readonly kind: "match" };

export interface RegexProgram {
  readonly steps: readonly RegexStep[];
  readonly start: number;
  /** Capturing groups; the whole match is not counted. Group `n` saves its ends in slots `2n` and `2n + 1`. */
  readonly groups: number;
  /** Whether it matches all that the pattern matches and nothing else. */
  readonly isExact: boolean;
}

const mostSteps = 20_000;

class TooManySteps extends Error {}

/**
 * @param counted repetitions are written out up to this often; what repeats more often may then do so without end. The program matches
 * all that the pattern matches, and with a small number more than that.
 */
export function compileProgram(node: RegexNode, counted: number): RegexProgram {
  for (let limit = counted; ; limit = Math.floor(limit / 4)) {
    try {
      return new ProgramWriter(limit).write(node);
    } catch (error) {
      if (!(error instanceof TooManySteps) || limit === 0) throw error;
    }
  }
}

class ProgramWriter {
  private readonly steps: RegexStep[] = [];
  private readonly numbers = new Map<RegexNode, number>();
  private readonly counted: number;
  private isExact = true;

  constructor(counted: number) {
    this.counted = counted;
  }

  write(node: RegexNode): RegexProgram {
    this.number(node);
    const start = this.compile(node, this.add({ kind: "match" }));
    return { steps: this.steps, start, groups: this.numbers.size, isExact: this.isExact };
  }

  /** Groups count by where they open. */
  private number(node: RegexNode): void {
    if (node.kind === "group" && node.capture) this.numbers.set(node, this.numbers.size + 1);
    if ("nodes" in node) for (const part of node.nodes) this.number(part);
    else if ("node" in node) this.number(node.node);
  }

  private add(step: RegexStep): number {
    if (this.steps.length >= mostSteps) throw new TooManySteps();
    return this.steps.push(step) - 1;
  }

  /** From back to front: a node is compiled into what leads to the step behind it. @returns its first step */
  private compile(node: RegexNode, next: number): number {
    switch (node.kind) {
      case "char":
        return this.add({ kind: "char", set: node.set, next });
      case "assert":
        return this.add({ kind: "assert", what: node.what, next });
      case "group": {
        const number = this.numbers.get(node);
        if (number === undefined) return this.compile(node.node, next);
        const close = this.add({ kind: "save", slot: 2 * number + 1, next });
        return this.add({ kind: "save", slot: 2 * number, next: this.compile(node.node, close) });
      }
      case "sequence":
        return node.nodes.reduceRight((after, part) => this.compile(part, after), next);
      case "choice":
        return this.add({ kind: "split", next: node.nodes.map((part) => this.compile(part, next)) });
      case "repeat":
        return this.repeat(node, next);
    }
  }

  private repeat({ node, min, max, lazy }: Extract<RegexNode, { kind: "repeat" }>, next: number): number {
    const either = (more: number, done: number): RegexStep => ({
      kind: "split",
      next: lazy ? [done, more] : [more, done],
    });
    const required = Math.min(min, this.counted);
    let first = next;
    if (min > required || max - min > this.counted) {
      this.isExact = false;
      first = this.add({ kind: "split", next: [next] });
      this.steps[first] = either(this.compile(node, first), next);
    } else {
      for (let optional = max - min; optional > 0; optional--)
        first = this.add(either(this.compile(node, first), next));
    }
    for (let i = 0; i < required; i++) first = this.compile(node, first);
    return first;
  }
}

/** What stands beside a place in a text, as far as assertions ask. */
export const beside = { edge: 0, lineFeed: 1, word: 2, other: 3 } as const;
export type Beside = (typeof beside)[keyof typeof beside];

export function besideOf(unit: number): Beside {
  if (unit === 0x0a) return beside.lineFeed;
  const isWord =
    (unit >= 0x30 && unit <= 0x39) || (unit >= 0x41 && unit <= 0x5a) || unit === 0x5f || (unit >= 0x61 && unit <= 0x7a);
  return isWord ? beside.word : beside.other;
}

export function holds(what: Assertion, before: Beside, after: Beside): boolean {
  switch (what) {
    case "word":
      return (before === beside.word) !== (after === beside.word);
    case "notWord":
      return (before === beside.word) === (after === beside.word);
    case "textStart":
      return before === beside.edge;
    case "textEnd":
      return after === beside.edge;
    case "lineStart":
      return before === beside.edge || before === beside.lineFeed;
    case "lineEnd":
      return after === beside.edge || after === beside.lineFeed;
  }
}

export function includesUnit(set: CharSet, unit: number): boolean {
  for (const [from, to] of set) if (unit <= to) return unit >= from;
  return false;
}
