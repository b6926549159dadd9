/**
 * Whether a rule's match that begins in a decoded text, or in what stands before it, may reach something that decoding has changed; all others
 * are found where they stand. A hostile text is full of escaped words, each of which is read with the same text before it as its neighbours:
 * a run through that goes on where the one for the word before has stopped.
 */
import type { Matcher } from "./candidate.ts";
import { dead, untracked } from "./regex-filter.ts";
import type { DecodedFrom, TextAtHand } from "./text-at-hand.ts";

/** A power of two. */
const mostKept = 512;
/** Of each: its text, its place there, its rule; the filter's generation, how far it has got, its state there. */
const fields = 6;

export class ContextRuns {
  private readonly kept = new Int32Array(fields * mostKept).fill(-1);

  /** @param start a place before what was decoded. @returns whether a rule that may match there has been read on from it already. */
  has({ order, filter }: Matcher, from: DecodedFrom, start: number): boolean {
    // Where the text before is cut off, a run may begin otherwise.
    if (start === 0 || start >= from.before) return false;
    const { kept } = this;
    const place = from.start + start;
    const slot = slotOf(place, order);
    return (
      kept[slot] === from.number &&
      kept[slot + 1] === place &&
      kept[slot + 2] === order &&
      kept[slot + 3] === filter.generation &&
      kept[slot + 4]! <= from.start + from.before
    );
  }

  /**
   * @param changed the first place from `start` on that decoding has changed, behind `start`
   * @param isKept as `has` says
   */
  mayReach(
    matcher: Matcher,
    { buffer, decodedFrom }: TextAtHand,
    start: number,
    changed: number,
    isKept: boolean,
  ): boolean {
    const { filter, effort, longest, order } = matcher;
    const { before, number, start: origin } = decodedFrom!;
    const { kept } = this;
    const slot = slotOf(origin + start, order);
    let state = isKept ? kept[slot + 5]! : filter.begin(buffer, start);
    if (state === dead) return false;
    const from = isKept ? kept[slot + 4]! - origin : start;
    if (from < changed) {
      const run = filter.read(buffer, from, state, changed, 0, untracked, false, false);
      effort.read += run.read;
      state = run.state;
    }
    if (start > 0 && start < before) {
      kept[slot] = number;
      kept[slot + 1] = origin + start;
      kept[slot + 2] = order;
      kept[slot + 3] = filter.generation;
      kept[slot + 4] = origin + changed;
      kept[slot + 5] = state;
    }
    if (state === dead) return false;
    // What ends right before it does not reach it.
    state = filter.read(buffer, changed, state, changed + 1, 0, untracked, false, false).state;
    if (state === dead) return false;
    const end = Math.min(buffer.length, start + longest + 1);
    return filter.read(buffer, changed + 1, state, end, 0, untracked, true, end === buffer.length).accepted;
  }
}

const slotOf = (place: number, order: number): number => fields * ((place ^ (67 * order)) & (mostKept - 1));
