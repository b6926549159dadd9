/**
 * The places of a text at which a rule's match may begin. A few characters tell of nearly all of them that none does; the others are kept,
 * and asked once, when no text to come could change the answer.
 */
import { findCandidate, type Matcher } from "./candidate.ts";
import { ContextRuns } from "./context-runs.ts";
import { addFound, type FoundSecret } from "./overlap.ts";
import { dead, maskedPlaces, untracked } from "./regex-filter.ts";
import type { TextAtHand } from "./text-at-hand.ts";
import { isWordStart } from "./word-start.ts";

/** How far a rule has got in the text. */
export interface Progress {
  readonly matcher: Matcher;
  /** Where it may match again. */
  resumeAt: number;
  /** Up to where it has been tried; how far behind a keyword it is. */
  triedTo: number;
  armedTo: number;
}

interface Place {
  readonly at: number;
  readonly progress: Progress;
  /** The filter's state at `readTo`, in the filter's generation; `dead` once no more text can matter. */
  state: number;
  generation: number;
  readTo: number;
  accepted: boolean;
  /** For a block: how far its end has been looked for. */
  searched: number;
}

/** Characters that a rule's filter may read in vain before it is helped: of an ordinary text it reads far less than there are. */
const mostEffort = 4096;
const effortByCharacter = 2;
/** The same until its runs leave marks for one another: of an ordinary text they would never be seen again. */
const untrackedEffort = 1024;

export class OpenPlaces {
  private readonly text: TextAtHand;
  /** By offset. */
  private places: Place[] = [];
  /** By the rule's order. */
  private readonly progress = new Map<number, Progress>();
  private readonly contextRuns = new ContextRuns();
  /** Whether a rule has matched, or nearly. */
  private hasResumed = false;

  constructor(text: TextAtHand) {
    this.text = text;
  }

  /** To be called when another text begins, or none is read any more. */
  forget(): void {
    if (this.places.length > 0) this.places = [];
    if (this.progress.size > 0) this.progress.clear();
    this.hasResumed = false;
  }

  progressOf(matcher: Matcher): Progress {
    let own = this.progress.get(matcher.order);
    if (own === undefined) {
      own = { matcher, resumeAt: 0, triedTo: 0, armedTo: 0 };
      this.progress.set(matcher.order, own);
    }
    return own;
  }

  /** Tries a rule at all places before `end` that it has not been tried at. */
  tryUpTo(progress: Progress, end: number, final: boolean): void {
    const { matcher, triedTo } = progress;
    const { buffer, origin, told, lastChanged } = this.text;
    const { masks } = matcher;
    const last = Math.min(end - 1, lastChanged);
    for (let at = Math.max(triedTo, told); at <= last; at++) {
      const unit = buffer.charCodeAt(at - origin);
      if ((masks[unit < 128 ? unit : 128]! & 1) === 1) this.tryAt(matcher, at, final);
    }
    progress.triedTo = Math.max(triedTo, end);
  }

  /** Keeps the place if the filter says that the rule may match there. */
  tryAt(matcher: Matcher, at: number, final: boolean): void {
    const { buffer, origin, told, number, lastChanged, decodedFrom } = this.text;
    if (at < told || at > lastChanged || (this.hasResumed && at < (this.progress.get(matcher.order)?.resumeAt ?? 0)))
      return;
    const start = at - origin;
    const { masks, effort } = matcher;
    // The coarse filter tells as much, and does not look at the same characters for every place.
    const isHelped = final && effort.text === number && effort.read > mostEffort + effortByCharacter * at;
    const isKept = final && decodedFrom !== null && this.contextRuns.has(matcher, decodedFrom, start);
    if (!isKept) {
      const masked = isHelped ? 1 : Math.min(maskedPlaces, buffer.length - start);
      for (let i = 0; i < masked; i++) {
        const unit = buffer.charCodeAt(start + i);
        if (((masks[unit < 128 ? unit : 128]! >>> i) & 1) === 0) return;
      }
      if (matcher.rule.wordStart && !isWordStart(buffer, start)) return;
    }
    // Nearly all places end here, and cost no memory.
    if (final) {
      const may =
        decodedFrom === null
          ? this.mayMatch(matcher, start, isHelped)
          : this.mayReach(matcher, start, isKept, isHelped);
      if (!may) return;
    }
    const progress = this.progressOf(matcher);
    const place: Place = { at, progress, state: dead, generation: -1, readTo: at, accepted: final, searched: 0 };
    if (final || this.readOn(place, final)) this.keep(place);
  }

  /** As `mayMatch`, of a text that has been decoded: the match must reach what that has changed. */
  private mayReach(matcher: Matcher, start: number, isKept: boolean, isHelped: boolean): boolean {
    const { text, contextRuns } = this;
    const { effort, longest, until } = matcher;
    if (until === null) {
      const changed = text.changedFrom(start);
      if (changed >= start + longest) return false;
      if (effort.text !== text.number) {
        effort.text = text.number;
        effort.read = 0;
      }
      // A text that has been read over and over is read with the marks of the runs before.
      if (changed > start && (isKept || effort.read <= untrackedEffort))
        return contextRuns.mayReach(matcher, text, start, changed, isKept);
    }
    return this.mayMatch(matcher, start, isHelped);
  }

  /** @param start in the buffer, to which nothing will be added */
  private mayMatch({ filter, coarse, effort, longest }: Matcher, start: number, isHelped: boolean): boolean {
    const { buffer, origin, number } = this.text;
    const end = Math.min(buffer.length, start + longest + 1);
    const isEdge = end === buffer.length;
    if (isHelped) {
      const first = coarse();
      const begin = first.begin(buffer, start);
      if (!first.read(buffer, start, begin, end, origin, number, true, isEdge).accepted) return false;
    }
    if (effort.text !== number) {
      effort.text = number;
      effort.read = 0;
    }
    const begin = filter.begin(buffer, start);
    const trail = effort.read > untrackedEffort ? number : untracked;
    const run = filter.read(buffer, start, begin, end, origin, trail, true, isEdge);
    if (run.accepted) return true;
    effort.read += run.read + maskedPlaces;
    return false;
  }

  /** Reads on for a place. @returns whether the rule may match there. */
  private readOn(place: Place, final: boolean): boolean {
    const { buffer, origin, number } = this.text;
    const { at, progress } = place;
    const { filter, longest } = progress.matcher;
    if (place.generation !== filter.generation) {
      place.state = filter.begin(buffer, at - origin);
      place.readTo = at;
    }
    const end = Math.min(buffer.length, at - origin + longest + 1);
    const isEdge = final && end === buffer.length;
    const run = filter.read(buffer, place.readTo - origin, place.state, end, origin, number, final, isEdge);
    place.accepted ||= run.accepted;
    place.state = end < buffer.length ? dead : run.state;
    place.readTo = origin + end;
    place.generation = filter.generation;
    return place.accepted || (!final && place.state !== dead);
  }

  private keep(own: Place): void {
    const { places } = this;
    let index = places.length;
    while (index > 0 && places[index - 1]!.at > own.at) index--;
    for (let i = index - 1; i >= 0 && places[i]!.at === own.at; i--) if (places[i]!.progress === own.progress) return;
    if (index === places.length) places.push(own);
    else places.splice(index, 0, own);
  }

  /**
   * Asks at every place before `horizon` whose answer is certain.
   * @param mask where in the buffer a mask begins that its end has cut off; -1 if none does.
   * @param found gets the secrets
   * @returns the first place that is still open, or the horizon.
   */
  ask(horizon: number, final: boolean, mask: number, found: FoundSecret[]): number {
    const { places, text } = this;
    if (places.length === 0) return horizon;
    const { origin, length } = text;
    const waiting: Place[] = [];
    const busy = new Set<Progress>();
    let i = 0;
    for (; i < places.length && places[i]!.at < horizon; i++) {
      const place = places[i]!;
      const { progress } = place;
      // A rule's matches do not overlap, so whether a later one counts depends on the earlier one.
      if (busy.size > 0 && busy.has(progress)) {
        waiting.push(place);
        continue;
      }
      if (place.at < progress.resumeAt) continue;
      if (place.state !== dead && (final ? !place.accepted : place.readTo < length) && !this.readOn(place, final))
        continue;
      if (!final && place.state !== dead) {
        busy.add(progress);
        waiting.push(place);
        continue;
      }
      if (!place.accepted) continue;
      const answer = findCandidate(progress.matcher, text, place.at - origin, final, place.searched - origin);
      if (typeof answer === "number") {
        progress.resumeAt = origin + answer;
        this.hasResumed = true;
      } else if ("searched" in answer) {
        place.searched = origin + answer.searched;
        busy.add(progress);
        waiting.push(place);
      } else if (mask >= 0 && answer.end > origin + mask) {
        busy.add(progress);
        waiting.push(place);
      } else {
        progress.resumeAt = answer.matchEnd;
        this.hasResumed = true;
        addFound(found, answer);
      }
    }
    if (i > 0) this.places = i < places.length ? [...waiting, ...places.slice(i)] : waiting;
    return waiting.length > 0 ? Math.min(horizon, waiting[0]!.at) : horizon;
  }
}
