/**
 * When things happen in a replay: the recorded times, with the waits cut short. A person who thinks for an hour is shown for a
 * second; an answer streams as it streamed. Pure.
 */
import type { ReplayExchange, ReplayTurn } from "./replay-model.ts";

/** All in milliseconds of the replay. */
export interface TimelineSlot {
  readonly id: string;
  /** What was asked is there. */
  readonly at: number;
  /** The first byte of the answer. */
  readonly answerAt: number;
  /** The whole answer. */
  readonly end: number;
}

export interface Timeline {
  readonly slots: ReadonlyMap<string, TimelineSlot>;
  readonly length: number;
}

const clamp = (value: number, least: number, most: number): number => Math.min(Math.max(value, least), most);

/** Milliseconds that the arrow keys move. */
export const SLIDER_STEP = 100;
const MAX_PAUSE = 1_200;
const MAX_WAIT = 1_500;
const MAX_STREAM = 30_000;
/** For an answer that came in one piece. */
const WHOLE = 500;

const between = (from: Date | null, to: Date | null): number =>
  from === null || to === null ? 0 : to.getTime() - from.getTime();

const streamed = ({ record: { timing } }: ReplayExchange): number => {
  const last = timing.at(-1);
  return last === undefined ? WHOLE : clamp(last.ms, 100, MAX_STREAM);
};

export function buildTimeline(turns: readonly ReplayTurn[]): Timeline {
  const slots = new Map<string, TimelineSlot>();
  let end = 0;
  let before: Date | null = null;
  for (const exchange of turns.flatMap((turn) => turn.exchanges)) {
    const { id, startedAt, firstByteAt, finishedAt } = exchange.record;
    const at = end + (before === null ? 0 : clamp(between(before, startedAt), 100, MAX_PAUSE));
    const answerAt = at + clamp(between(startedAt, firstByteAt), 250, MAX_WAIT);
    end = answerAt + (exchange.answer.length === 0 ? 0 : streamed(exchange));
    slots.set(id, { id, at, answerAt, end });
    before = finishedAt ?? startedAt;
  }
  // In the steps of the slider, so that its end is the end.
  return { slots, length: Math.ceil(end / SLIDER_STEP) * SLIDER_STEP };
}
