/**
 * A pattern run in time linear in the text whatever the pattern, with the groups and the preferences of a backtracking engine. For
 * patterns that such an engine could be stalled by. Short stretches are read by going back, never twice to the same step at the same
 * place, as RE2's BitState does; longer ones by a set of threads that all read the same character (Pike's machine).
 * @see https://swtch.com/~rsc/regexp/regexp3.html both
 */
import type { CharSet } from "./char-set.ts";
import { beside, besideOf, compileProgram, holds, includesUnit, type RegexProgram } from "./regex-program.ts";
import type { RegexNode } from "./regex-syntax.ts";

/** Ends of the match and of each group, two for each, -1 where a group took no part. */
export type MatchOffsets = readonly number[];

interface Thread {
  readonly step: number;
  readonly slots: readonly number[];
}

/** Of the table that says which steps have been at which places; what needs more is for threads. */
const mostVisited = 2 ** 22;
/** A text so long is none of a few characters, and the table would be cleared at every place. */
const longestVisited = 4096;

/** Scratch, all zeros between calls; and which of its numbers are not. */
let visited = new Int32Array(1024);
let touched = new Int32Array(1024);
/** Scratch: what is still to be tried, as pairs of a step and a place, or of a slot (-1 - slot) and its former value. */
let open = new Int32Array(1024);

export class LinearRegex {
  private readonly program: RegexProgram;
  /** By step: its number among those that several steps lead to, or -1. Only there can two ways meet. */
  private readonly joints: Int32Array;
  private readonly jointCount: number;
  /** By step: which of the ASCII characters it takes, a bit for each. */
  private readonly ascii: readonly Int32Array[];
  /** What no match has been found with: -1 each. */
  private readonly noSlots: readonly number[];

  constructor(node: RegexNode) {
    this.program = compileProgram(node, 2048);
    const { steps, groups } = this.program;
    this.noSlots = Array.from({ length: 2 * groups + 2 }, () => -1);
    const leading = new Uint8Array(steps.length);
    for (const step of steps) {
      for (const next of step.kind === "split" ? step.next : step.kind === "match" ? [] : [step.next]) {
        if (leading[next]! < 2) leading[next]!++;
      }
    }
    let joints = 0;
    this.joints = Int32Array.from(leading, (count) => (count > 1 ? joints++ : -1));
    this.jointCount = joints;
    const bitsOf = new Map<CharSet, Int32Array>();
    this.ascii = steps.map((step) => {
      if (step.kind !== "char") return noBits;
      const known = bitsOf.get(step.set) ?? asciiBits(step.set);
      bitsOf.set(step.set, known);
      return known;
    });
  }

  /**
   * @param end what lies beyond is not read, and counts as the end of the text.
   * @param anchored whether the match must begin at `at`, or may anywhere behind.
   */
  exec(text: string, at: number, end: number, anchored: boolean): MatchOffsets | null {
    if (anchored || end - at <= longestVisited) {
      const found = this.goBack(text, at, end, anchored);
      if (found !== undefined) return found;
    }
    return this.readAtOnce(text, at, end, anchored);
  }

  /** @returns undefined where the table is too small */
  private goBack(text: string, at: number, end: number, anchored: boolean): MatchOffsets | null | undefined {
    const { program, joints, jointCount, ascii } = this;
    const { steps } = program;
    const slots = this.noSlots.slice();
    let touchedCount = 0;
    let result: MatchOffsets | null | undefined = null;
    search: for (let first = at; first <= (anchored ? at : end); first++) {
      slots.fill(-1);
      slots[0] = first;
      let step = program.start;
      let place = first;
      let top = 0;
      for (;;) {
        let goesOn = true;
        const joint = joints[step]!;
        if (joint >= 0) {
          const bit = (place - at) * jointCount + joint;
          if (bit >= mostVisited) {
            result = undefined;
            break search;
          }
          const word = bit >> 5;
          if (word >= visited.length) visited = grown(visited, word);
          const before = visited[word]!;
          if (((before >>> (bit & 31)) & 1) === 1) goesOn = false;
          else {
            if (before === 0) {
              if (touchedCount === touched.length) touched = grown(touched, touchedCount);
              touched[touchedCount++] = word;
            }
            visited[word] = before | (1 << (bit & 31));
          }
        }
        const own = steps[step]!;
        if (!goesOn) {
          // Another way was here, and did not get to a match.
        } else if (own.kind === "char") {
          const unit = place < end ? text.charCodeAt(place) : NaN;
          const isTaken =
            unit < 128 ? ((ascii[step]![unit >> 5]! >>> (unit & 31)) & 1) === 1 : includesUnit(own.set, unit);
          if (isTaken) {
            place++;
            step = own.next;
          } else goesOn = false;
        } else if (own.kind === "split") {
          const { next } = own;
          if (top + 2 * next.length > open.length) open = grown(open, top + 2 * next.length);
          for (let i = next.length - 1; i > 0; i--) {
            open[top++] = next[i]!;
            open[top++] = place;
          }
          step = next[0]!;
        } else if (own.kind === "save") {
          if (top + 2 > open.length) open = grown(open, top + 2);
          open[top++] = -1 - own.slot;
          open[top++] = slots[own.slot]!;
          slots[own.slot] = place;
          step = own.next;
        } else if (own.kind === "assert") {
          const before = place === 0 ? beside.edge : besideOf(text.charCodeAt(place - 1));
          const after = place >= end ? beside.edge : besideOf(text.charCodeAt(place));
          if (holds(own.what, before, after)) step = own.next;
          else goesOn = false;
        } else {
          slots[1] = place;
          result = slots;
          break search;
        }
        while (!goesOn && top > 0) {
          const value = open[--top]!;
          const back = open[--top]!;
          if (back < 0) slots[-1 - back] = value;
          else {
            step = back;
            place = value;
            goesOn = true;
          }
        }
        if (!goesOn) break;
      }
    }
    for (let i = 0; i < touchedCount; i++) visited[touched[i]!] = 0;
    return result;
  }

  private readAtOnce(text: string, at: number, end: number, anchored: boolean): MatchOffsets | null {
    const { steps, start } = this.program;
    const empty = this.noSlots;
    const seen = new Int32Array(steps.length).fill(-1);
    let found: readonly number[] | null = null;
    let threads: Thread[] = [];

    /** Follows a thread to the characters that it waits for, in order of preference. @returns whether it has matched. */
    const follow = (list: Thread[], first: Thread, place: number): boolean => {
      const before = place === 0 ? beside.edge : besideOf(text.charCodeAt(place - 1));
      const after = place >= end ? beside.edge : besideOf(text.charCodeAt(place));
      const waiting = [first];
      for (let thread = waiting.pop(); thread !== undefined; thread = waiting.pop()) {
        if (seen[thread.step] === place) continue;
        seen[thread.step] = place;
        const step = steps[thread.step]!;
        const { slots } = thread;
        switch (step.kind) {
          case "match":
            found = slots.with(1, place);
            return true;
          case "char":
            list.push(thread);
            break;
          case "split":
            for (let i = step.next.length - 1; i >= 0; i--) waiting.push({ step: step.next[i]!, slots });
            break;
          case "save":
            waiting.push({ step: step.next, slots: slots.with(step.slot, place) });
            break;
          case "assert":
            if (holds(step.what, before, after)) waiting.push({ step: step.next, slots });
        }
      }
      return false;
    };

    for (let place = at; ; place++) {
      if (found === null && (place === at || !anchored)) {
        follow(threads, { step: start, slots: empty.with(0, place) }, place);
      }
      if (place >= end || (threads.length === 0 && (found !== null || anchored))) break;
      const unit = text.charCodeAt(place);
      const next: Thread[] = [];
      for (const { step: index, slots } of threads) {
        const step = steps[index]!;
        if (step.kind !== "char" || !includesUnit(step.set, unit)) continue;
        // What comes behind a match is less preferred than it.
        if (follow(next, { step: step.next, slots }, place + 1)) break;
      }
      threads = next;
    }
    return found;
  }
}

const noBits = new Int32Array(4);

function asciiBits(set: CharSet): Int32Array {
  const bits = new Int32Array(4);
  for (let unit = 0; unit < 128; unit++) if (includesUnit(set, unit)) bits[unit >> 5]! |= 1 << (unit & 31);
  return bits;
}

function grown(list: Int32Array<ArrayBuffer>, least: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * Math.max(list.length, least + 1));
  larger.set(list);
  return larger;
}
