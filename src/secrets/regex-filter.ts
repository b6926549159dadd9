/**
 * Tells, in one pass and without ever going back, where a pattern cannot match: nearly everywhere. What it lets pass is asked in
 * earnest. States of the automaton are sets of steps of the pattern; they are made when a text first needs them, and kept.
 */
import { type CharSet } from "./char-set.ts";
import {
  beside,
  besideOf,
  compileProgram,
  holds,
  includesUnit,
  type Beside,
  type RegexProgram,
} from "./regex-program.ts";
import type { RegexNode } from "./regex-syntax.ts";

/** Repetitions beyond this count as endless here: an automaton that counts to 250 in many places at once has no end of states. */
const counted = 40;
/** The same for a filter that lets more pass, whose runs soon are in the same state wherever they have begun. */
const hardlyCounted = 2;
/** Beyond, a text made to need many states pays for them anew, and no memory. */
const mostStates = 2_000;
/** Runs compare notes at every place that is a multiple of this; far from their beginning only of `farCheckpoint`. */
const checkpoint = 8;
const farCheckpoint = 128;
const far = 128;
/** Powers of two. */
const markSlots = 512;
const runSlots = 256;
/** A run that went on where many others had ended tells so many of them where it ended itself. */
const mostJoined = 8;

/** No way of going on. */
export const dead = 0;

/** The number of a text whose runs leave no marks. */
export const untracked = -1;

/**
 * Where runs through one text have been, and where they ended. Another run that gets into the same state at the same place is no
 * different from there on, and may go on where that one ended. Without this, a text full of beginnings would be read over and over.
 * No match ends between a mark and its run's end.
 */
class Trails {
  /** Of each: when it was made, its place in the whole text, the state there, the run. */
  readonly marks = new Int32Array(4 * markSlots);
  /** Of each run: where it ended, the state there. */
  readonly ends = new Int32Array(2 * runSlots);
  runs = 0;
  /** Scratch of a run. */
  readonly joined = new Int32Array(mostJoined);
}

/** The outcome of a run; the filter's only one, overwritten by the next run. */
export interface FilterRun {
  /** Characters that it has looked at. */
  read: number;
  /** Whether some beginning of what was read can be a match. */
  accepted: boolean;
  /** `dead`, or where the run is at the end of the text. */
  state: number;
}

export class RegexFilter {
  readonly run: FilterRun = { read: 0, accepted: false, state: dead };
  /** Whether what it lets pass is a match. */
  readonly isExact: boolean;
  /** States of another generation mean nothing. */
  generation = 0;
  private readonly program: RegexProgram;
  private readonly hasAssertions: boolean;
  private readonly asciiClass = new Uint16Array(128);
  private readonly borders: readonly number[];
  private readonly classes: number;
  /** By state and class: twice the next state, plus one if a match ends before the character; -1 if not known yet. */
  private table: Int32Array;
  private sets: (readonly number[])[] = [];
  private befores: Beside[] = [];
  /** Whether a match ends with the text; as far as it has been asked. */
  private edges: (boolean | undefined)[] = [];
  private stateByKey = new Map<string, number>();
  private readonly starts = new Int32Array(4).fill(-1);
  private trails: Trails | null = null;
  /** Marks of another time mean nothing: they were made in another text, or of states that are forgotten. */
  private time = 0;
  private textOfTrails = -1;
  /** Of the last walk: its run, if it left marks that have no end yet; at how many others' ends it went on; where it ended. */
  private own = -1;
  private joined = 0;
  private leftAt = 0;

  /** @param isCoarse whether repetitions are not counted: hostile text full of beginnings is read faster, and more of it is let pass */
  constructor(node: RegexNode, isCoarse = false) {
    this.program = compileProgram(node, isCoarse ? hardlyCounted : counted);
    this.isExact = this.program.isExact;
    this.hasAssertions = this.program.steps.some((step) => step.kind === "assert");
    this.borders = classBorders(this.program, this.hasAssertions);
    this.classes = this.borders.length + 1;
    for (let unit = 0; unit < 128; unit++) this.asciiClass[unit] = this.searchClass(unit);
    this.table = new Int32Array(16 * this.classes).fill(-1);
    this.forget();
  }

  /** @returns the state in which a run begins at `at`. */
  begin(text: string, at: number): number {
    const before = at === 0 ? beside.edge : this.hasAssertions ? besideOf(text.charCodeAt(at - 1)) : beside.other;
    const known = this.starts[before]!;
    return known >= 0 ? known : (this.starts[before] = this.stateOf([this.program.start], before));
  }

  /**
   * Reads on from `from` in `state`.
   * @param end where to stop at the latest.
   * @param origin the offset of `text` in the whole text.
   * @param textNumber tells the whole texts apart; or `untracked`, where few runs come by the same place.
   * @param first whether to stop where it is certain that something may match.
   * @param isEdge whether `end` is the end of the text.
   */
  read(
    text: string,
    from: number,
    state: number,
    end: number,
    origin: number,
    textNumber: number,
    first: boolean,
    isEdge: boolean,
  ): FilterRun {
    const { run } = this;
    this.walk(text, from, state, end, origin, textNumber, first);
    if (this.own >= 0) this.leave(this.own, this.joined, this.leftAt, run.state);
    if (isEdge && run.state !== dead && !run.accepted) run.accepted = this.endsAtEdge(run.state);
    return run;
  }

  /**
   * The loop of `read`, and nothing else: V8 goes on to enter a loop that it has optimized while it ran, even if each time it must
   * leave the optimized code behind the loop, for what it had not seen there; that costs more than the loop.
   */
  private walk(
    text: string,
    from: number,
    began: number,
    end: number,
    origin: number,
    textNumber: number,
    first: boolean,
  ): void {
    const { run, asciiClass, classes } = this;
    let state = began;
    let accepted = false;
    const isTracked = textNumber !== untracked;
    if (isTracked && this.textOfTrails !== textNumber) {
      this.textOfTrails = textNumber;
      this.time++;
    }
    let own = -1;
    let joined = 0;
    let skipped = 0;
    let at = from;
    if (!isTracked) {
      // Most runs are short, and of known states: the rest of this is for others.
      const { table } = this;
      for (; at < end; at++) {
        const unit = text.charCodeAt(at);
        if (unit >= 128) break;
        const next = table[state * classes + asciiClass[unit]!]!;
        if (next <= 1 || (next & 1) === 1) break;
        state = next >> 1;
      }
    }
    for (; at < end; at++) {
      const place = at + origin;
      if (isTracked && (place & (checkpoint - 1)) === 0 && at - from >= checkpoint) {
        const trails = (this.trails ??= new Trails());
        const { marks, ends } = trails;
        const mark = 4 * (((place >> 3) ^ (place >> 7)) & (markSlots - 1));
        let isNew = at - from < far || (place & (farCheckpoint - 1)) === 0;
        if (own < 0) own = trails.runs++;
        if (marks[mark] === this.time && marks[mark + 1] === place && marks[mark + 2] === state) {
          const other = marks[mark + 3]!;
          const to = 2 * (other & (runSlots - 1));
          const reached = ends[to]!;
          if (other !== own && own - other < runSlots && reached > place) {
            if (reached > end + origin) {
              // It has read more than this one may, and nothing matched: two anchors that end together begin apart.
              this.leave(own, joined, reached, ends[to + 1]!);
              own = -1;
              skipped += end - at;
              at = end;
              state = dead;
              break;
            }
            if (joined < mostJoined) trails.joined[joined++] = other;
            skipped += reached - place;
            at = reached - origin;
            state = ends[to + 1]!;
            if (isNew) marks[mark + 3] = own;
            isNew = false;
            if (state === dead || at >= end) break;
          }
        }
        if (isNew) {
          marks[mark] = this.time;
          marks[mark + 1] = place;
          marks[mark + 2] = state;
          marks[mark + 3] = own;
        }
      }
      const unit = text.charCodeAt(at);
      const column = unit < 128 ? asciiClass[unit]! : this.searchClass(unit);
      let next = this.table[state * classes + column]!;
      if (next === -1) {
        const { generation } = this;
        next = this.advance(state, column);
        if (this.generation !== generation) {
          own = -1;
          joined = 0;
        }
      }
      if ((next & 1) === 1) {
        accepted = true;
        if (own >= 0) this.leave(own, joined, at + origin, state);
        own = -1;
        joined = 0;
        if (first) break;
      }
      state = next >> 1;
      if (state === dead) break;
    }
    run.read = at - from - skipped;
    run.accepted = accepted;
    run.state = state;
    this.own = own;
    this.joined = joined;
    // A dead run is no different further on.
    this.leftAt = (state === dead ? Math.min(at + 1, end) : at) + origin;
  }

  private endsAtEdge(state: number): boolean {
    return (this.edges[state] ??= this.reach(this.sets[state]!, this.befores[state]!, beside.edge) === null);
  }

  /** Notes where a run ended, also for those at whose end it went on. */
  private leave(run: number, joined: number, place: number, state: number): void {
    const { ends, joined: others } = this.trails!;
    for (let i = 0; i <= joined; i++) {
      const to = 2 * ((i === joined ? run : others[i]!) & (runSlots - 1));
      ends[to] = place;
      ends[to + 1] = state;
    }
  }

  private searchClass(unit: number): number {
    let low = 0;
    let high = this.borders.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.borders[middle]! <= unit) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private advance(state: number, column: number): number {
    const unit = column === 0 ? 0 : this.borders[column - 1]!;
    const waiting: number[] = [];
    const after = this.hasAssertions ? besideOf(unit) : beside.other;
    const matched = this.reach(this.sets[state]!, this.befores[state]!, after, waiting) === null;
    const targets = new Set<number>();
    for (const index of waiting) {
      const step = this.program.steps[index]!;
      if (step.kind === "char" && includesUnit(step.set, unit)) targets.add(step.next);
    }
    const generation = this.generation;
    const next =
      targets.size === 0
        ? dead
        : this.stateOf(
            [...targets].sort((a, b) => a - b),
            after,
          );
    const value = 2 * next + (matched ? 1 : 0);
    // A table that was begun anew knows nothing of `state`.
    if (generation === this.generation) this.table[state * this.classes + column] = value;
    return value;
  }

  /** Collects the characters that are waited for. @returns null if the pattern has matched here. */
  private reach(set: readonly number[], before: Beside, after: Beside, waiting: number[] = []): number[] | null {
    const seen = new Set<number>();
    const open = [...set];
    let matched = false;
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (seen.has(index)) continue;
      seen.add(index);
      const step = this.program.steps[index]!;
      if (step.kind === "match") matched = true;
      else if (step.kind === "char") waiting.push(index);
      else if (step.kind === "split") open.push(...step.next);
      else if (step.kind === "save" || holds(step.what, before, after)) open.push(step.next);
    }
    return matched ? null : waiting;
  }

  private stateOf(set: readonly number[], before: Beside): number {
    const steps = set.join(" ");
    const key = this.hasAssertions ? `${before} ${steps}` : steps;
    const known = this.stateByKey.get(key);
    if (known !== undefined) return known;
    if (this.sets.length >= mostStates) this.forget();
    const state = this.sets.length;
    this.stateByKey.set(key, state);
    this.sets.push(set);
    this.befores.push(before);
    if (this.sets.length * this.classes > this.table.length) {
      const larger = new Int32Array(this.table.length * 2).fill(-1);
      larger.set(this.table);
      this.table = larger;
    }
    return state;
  }

  private forget(): void {
    this.generation++;
    this.time++;
    this.sets = [[]];
    this.befores = [beside.other];
    this.edges = [];
    this.stateByKey = new Map();
    this.starts.fill(-1);
    this.table.fill(-1);
  }
}

/** Places at the beginning of a match that `beginningMasks` tells of. */
export const maskedPlaces = 24;

/**
 * What may stand at the first places of a match: bit `n` of a unit's number says that it may at place `n`. Units from 128 on share the
 * last number. Assertions are taken to hold.
 */
export function beginningMasks(node: RegexNode): Uint32Array {
  const { steps, start } = compileProgram(node, maskedPlaces);
  const masks = new Uint32Array(129);
  let waiting = [start];
  for (let place = 0; place < maskedPlaces; place++) {
    const seen = new Set<number>();
    const next = new Set<number>();
    const units = new Uint8Array(129);
    let matched = false;
    for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
      if (seen.has(index)) continue;
      seen.add(index);
      const step = steps[index]!;
      if (step.kind === "match") matched = true;
      else if (step.kind === "split") waiting.push(...step.next);
      else if (step.kind !== "char") waiting.push(step.next);
      else {
        next.add(step.next);
        for (const [from, to] of step.set) units.fill(1, Math.min(from, 128), Math.min(to, 128) + 1);
      }
    }
    for (let unit = 0; unit <= 128; unit++) {
      if (matched) masks[unit]! |= ~0 << place;
      else if (units[unit] === 1) masks[unit]! |= 1 << place;
    }
    if (matched) break;
    waiting = [...next];
  }
  return masks;
}

/** Units at which some class begins: within a class, no set and no assertion tells two units apart. */
function classBorders({ steps }: RegexProgram, hasAssertions: boolean): number[] {
  const borders = new Set<number>(hasAssertions ? [0x0a, 0x0b, 0x30, 0x3a, 0x41, 0x5b, 0x5f, 0x60, 0x61, 0x7b] : []);
  const addSet = (set: CharSet): void => {
    for (const [from, to] of set) borders.add(from).add(to + 1);
  };
  for (const step of steps) if (step.kind === "char") addSet(step.set);
  borders.delete(0);
  return [...borders].sort((a, b) => a - b);
}
