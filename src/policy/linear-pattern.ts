/**
 * A pattern as an automaton, and its search in time linear in the text whatever the two are: messages come from whoever pushes,
 * and a backtracking engine can be stalled by one. Patterns are compiled by the configuration (`config/linear-pattern.ts`).
 *
 * The automaton is made deterministic while it runs (states are sets of steps, kept for the next text), so that a character
 * costs one look-up once its state is known, and at worst one walk over the steps.
 */

/** UTF-16 code units as ascending ranges, ends inclusive. */
export type UnitRanges = readonly (readonly [from: number, to: number])[];

export type PatternAssertion = "word" | "notWord" | "textStart" | "textEnd" | "lineStart" | "lineEnd";

/** One step of a pattern; `next` are positions in the list of steps. */
export type PatternStep =
  | { readonly kind: "char"; readonly set: UnitRanges; readonly next: number }
  | { readonly kind: "split"; readonly next: readonly number[] }
  | { readonly kind: "assert"; readonly what: PatternAssertion; readonly next: number }
  | { readonly kind: "match" };

export interface LinearPattern {
  /** As the operator wrote it. */
  readonly pattern: string;
  readonly steps: readonly PatternStep[];
  readonly start: number;
}

/** What stands beside a place in the text, as far as assertions ask. */
type Beside = "edge" | "line feed" | "word" | "other";

const LINE_FEED = 0x0a;

function besideOf(unit: number): Beside {
  if (unit === LINE_FEED) return "line feed";
  const isWord =
    (unit >= 0x30 && unit <= 0x39) || (unit >= 0x41 && unit <= 0x5a) || unit === 0x5f || (unit >= 0x61 && unit <= 0x7a);
  return isWord ? "word" : "other";
}

function holds(what: PatternAssertion, before: Beside, after: Beside): boolean {
  switch (what) {
    case "word":
      return (before === "word") !== (after === "word");
    case "notWord":
      return (before === "word") === (after === "word");
    case "textStart":
      return before === "edge";
    case "textEnd":
      return after === "edge";
    case "lineStart":
      return before === "edge" || before === "line feed";
    case "lineEnd":
      return after === "edge" || after === "line feed";
  }
}

interface State {
  /** Steps that wait for the next character, or that lead to such. */
  readonly steps: readonly number[];
  readonly before: Beside;
  /** By class of the next character; null: the pattern has matched. */
  readonly next: Map<number, State | null>;
}

/** States kept for one pattern. Beyond, a text made to need many costs the walks over the steps, and no memory. */
const MAX_STATES = 1_000;

/** Units at which some class begins: within a class, no set and no assertion tells two units apart. */
function classBorders(steps: readonly PatternStep[]): number[] {
  const borders = new Set([0, LINE_FEED, LINE_FEED + 1, 0x30, 0x3a, 0x41, 0x5b, 0x5f, 0x60, 0x61, 0x7b]);
  for (const step of steps) {
    if (step.kind !== "char") continue;
    for (const [from, to] of step.set) borders.add(from).add(to + 1);
  }
  return [...borders].sort((a, b) => a - b);
}

const includes = (set: UnitRanges, unit: number): boolean => set.some(([from, to]) => from <= unit && unit <= to);

class Automaton {
  readonly #pattern: LinearPattern;
  readonly #borders: readonly number[];
  readonly #states = new Map<string, State>();

  constructor(pattern: LinearPattern) {
    this.#pattern = pattern;
    this.#borders = classBorders(pattern.steps);
  }

  isFoundIn(text: string): boolean {
    let state = this.#stateOf([], "edge");
    for (let at = 0; at < text.length; at++) {
      const unit = this.#classOf(text.charCodeAt(at));
      let next = state.next.get(unit);
      if (next === undefined) {
        next = this.#advance(state, this.#borders[unit] ?? 0);
        state.next.set(unit, next);
      }
      if (next === null) return true;
      state = next;
    }
    return this.#reach(state, "edge") === null;
  }

  /** The position of the last border that is not beyond the unit. */
  #classOf(unit: number): number {
    let low = 0;
    let high = this.#borders.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#borders[middle] ?? 0) <= unit) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #advance(state: State, unit: number): State | null {
    const waiting = this.#reach(state, besideOf(unit));
    if (waiting === null) return null;
    const next = new Set<number>();
    for (const index of waiting) {
      const step = this.#pattern.steps[index];
      if (step?.kind === "char" && includes(step.set, unit)) next.add(step.next);
    }
    return this.#stateOf(
      [...next].sort((a, b) => a - b),
      besideOf(unit),
    );
  }

  /** The characters that are waited for at this place, the pattern's beginning included; null: it has matched. */
  #reach(state: State, after: Beside): number[] | null {
    const seen = new Set<number>();
    const open = [this.#pattern.start, ...state.steps];
    const waiting: number[] = [];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (seen.has(index)) continue;
      seen.add(index);
      const step = this.#pattern.steps[index];
      if (step === undefined || step.kind === "match") return null;
      if (step.kind === "char") waiting.push(index);
      else if (step.kind === "split") open.push(...step.next);
      else if (holds(step.what, state.before, after)) open.push(step.next);
    }
    return waiting;
  }

  #stateOf(steps: readonly number[], before: Beside): State {
    const key = `${before} ${steps.join(" ")}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    if (this.#states.size >= MAX_STATES) {
      // Those let go may still hold each other: without their ways on, only the one in use stays.
      for (const state of this.#states.values()) state.next.clear();
      this.#states.clear();
    }
    const state: State = { steps, before, next: new Map() };
    this.#states.set(key, state);
    return state;
  }
}

const automata = new WeakMap<LinearPattern, Automaton>();

/** Whether the pattern matches anywhere in the text. */
export function isFound(pattern: LinearPattern, text: string): boolean {
  let automaton = automata.get(pattern);
  if (automaton === undefined) automata.set(pattern, (automaton = new Automaton(pattern)));
  return automaton.isFoundIn(text);
}
