/**
 * A pattern run as a set of threads that all read the same character (Pike's machine): linear in the text whatever the pattern, with
 * the groups and the preferences of a backtracking engine. For patterns that such an engine could be stalled by.
 */
import { beside, besideOf, compileProgram, holds, includesUnit, type RegexProgram } from "./regex-program.ts";
import type { RegexNode } from "./regex-syntax.ts";

/** Ends of the match and of each group, two for each, -1 where a group took no part. */
export type MatchOffsets = readonly number[];

interface Thread {
  readonly step: number;
  readonly slots: readonly number[];
}

export class LinearRegex {
  private readonly program: RegexProgram;

  constructor(node: RegexNode) {
    this.program = compileProgram(node, 2048);
  }

  /**
   * @param end what lies beyond is not read, and counts as the end of the text.
   * @param anchored whether the match must begin at `at`, or may anywhere behind.
   */
  exec(text: string, at: number, end: number, anchored: boolean): MatchOffsets | null {
    const { steps, start, groups } = this.program;
    const empty: readonly number[] = Array.from({ length: 2 * groups + 2 }, () => -1);
    const seen = new Int32Array(steps.length).fill(-1);
    let found: readonly number[] | null = null;
    let threads: Thread[] = [];

    /** Follows a thread to the characters that it waits for, in order of preference. @returns whether it has matched. */
    const follow = (list: Thread[], first: Thread, place: number): boolean => {
      const before = place === 0 ? beside.edge : besideOf(text.charCodeAt(place - 1));
      const after = place >= end ? beside.edge : besideOf(text.charCodeAt(place));
      const open = [first];
      for (let thread = open.pop(); thread !== undefined; thread = open.pop()) {
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
            for (let i = step.next.length - 1; i >= 0; i--) open.push({ step: step.next[i]!, slots });
            break;
          case "save":
            open.push({ step: step.next, slots: slots.with(step.slot, place) });
            break;
          case "assert":
            if (holds(step.what, before, after)) open.push({ step: step.next, slots });
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
