/**
 * Whether one of some patterns stands in the line of a match. Secrets can stand side by side on one endless line, and what is looked at of
 * it for one of them has been looked at for those before: that is read once.
 */
import { RegexFilter, untracked } from "./regex-filter.ts";
import type { RegexNode } from "./regex-syntax.ts";
import { anywhere, type RegexSearch, type Span } from "./rule-regex.ts";

/** Where a line, or what is looked at of it, stands. */
export interface LinePlace {
  /** Tells the whole texts apart. */
  readonly number: number;
  /** Offset of its first character in the whole text. */
  readonly start: number;
}

/** Whether a pattern asks for what stands beside it: where a line is cut decides then. */
export function hasAssertion(node: RegexNode): boolean {
  if (node.kind === "assert") return true;
  return "nodes" in node ? node.nodes.some(hasAssertion) : "node" in node && hasAssertion(node.node);
}

export class LineSearch {
  private readonly searches: readonly RegexSearch[];
  private readonly filter: RegexFilter;
  private number = -1;
  /** Where none of the patterns stands, and the filter's state at its end. */
  private from = 0;
  private to = 0;
  private state = 0;
  private generation = -1;
  /** Where one of them does. */
  private hit: Span | null = null;

  /** @param patterns without assertions */
  constructor(patterns: readonly { readonly node: RegexNode; readonly search: RegexSearch }[]) {
    this.searches = patterns.map(({ search }) => search);
    this.filter = new RegexFilter({
      kind: "sequence",
      nodes: [anywhere, { kind: "choice", nodes: patterns.map(({ node }) => node) }],
    });
  }

  /** @returns whether one of the patterns stands in the line */
  test(text: string, { number, start }: LinePlace): boolean {
    const { filter } = this;
    if (number !== this.number) {
      this.number = number;
      this.generation = -1;
      this.hit = null;
    }
    const end = start + text.length;
    const { hit } = this;
    if (hit !== null && hit[0] >= start && hit[1] <= end) return true;
    if (this.generation === filter.generation && start >= this.from && start <= this.to) {
      if (end <= this.to || this.readOn(text, start, this.to - start, this.state)) return false;
    }
    // What the filter has let pass may begin before this line.
    this.from = start;
    if (this.readOn(text, start, 0, filter.begin(text, 0))) return false;
    this.generation = -1;
    for (const search of this.searches) {
      const found = search.find(text);
      if (found === null) continue;
      this.hit = [start + found[0], start + found[1]];
      return true;
    }
    return false;
  }

  /** @returns whether the filter says that none of the patterns stands there */
  private readOn(text: string, start: number, at: number, state: number): boolean {
    const { filter } = this;
    const run = filter.read(text, at, state, text.length, 0, untracked, true, true);
    if (run.accepted) return false;
    this.to = start + text.length;
    this.state = run.state;
    this.generation = filter.generation;
    return true;
  }
}
