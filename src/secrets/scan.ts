/**
 * One reading of one text, whole or in parts, for secrets. The outcome does not depend on where the parts were cut.
 *
 * Every place where a rule's match may begin is asked once, and only when no text to come could change the answer. What is told lies
 * before the earliest place that is still open: a rule that may still match there, or a secret that another one may yet overlap. All of
 * these are bounded, and so is what is held.
 */
import type { Detection } from "../model/finding.ts";
import { findCandidate, lineReach, type Matcher } from "./candidate.ts";
import { contextReach, EncodedTextFinder } from "./encoded-text.ts";
import { findOpenMask, holdsMask, masksIn, trimMasks } from "./mask-form.ts";
import { chooseSecrets, type FoundSecret } from "./overlap.ts";
import { furthestBefore, longestAnchor } from "./regex-anchors.ts";
import { dead, maskedPlaces, untracked } from "./regex-filter.ts";
import { forgetTexts } from "./remembered.ts";
import { targetsOf, type Aim, type ScanProgram } from "./scan-program.ts";
import { isWordStart } from "./word-start.ts";

/** A piece of the text in order. What lies beside a secret inside a wider finding
 * that lost to it is in no piece. */
export type Passage =
  | { readonly kind: "clear"; readonly text: string }
  | { readonly kind: "secret"; readonly detection: Detection; readonly secret: string; readonly matcher: Matcher };

export interface Scan {
  /** @returns what is settled by now. After a block without an end: nothing, ever again. */
  push(chunk: string): Passage[];
  /** The last part, and the rest of the answer. Offsets in detections count from the beginning of the whole text. */
  end(chunk?: string): Passage[];
}

interface Hit {
  /** Offset in the whole text, as all offsets here. */
  readonly at: number;
  readonly matcher: Matcher;
  /** The filter's state at `readTo`, in the filter's generation; `dead` once no more text can matter. */
  state: number;
  generation: number;
  readTo: number;
  accepted: boolean;
  /** For a block: how far its end has been looked for. */
  searched: number;
}

/** What has been told is dropped from the buffer when it exceeds this; less would copy too often. */
const trimAt = 2048;
/** Encoded text within encoded text is read this far down. */
const deepestEncoding = 3;
const keptBehind = lineReach + 64;
/** Characters that a rule's filter may read in vain before it is helped: of an ordinary text it reads far less than there are. */
const mostEffort = 4096;
const effortByCharacter = 2;
/** The same until its runs leave marks for one another: of an ordinary text they would never be seen again. */
const untrackedEffort = 1024;
let nextText = 0;

/**
 * @param isActive which matchers take part, by their order; the others are not meant for this text.
 * @param path as of `Detector.detect`
 * @param depth how many encodings the text has been read out of
 * @param context how much of its beginning is there to be read with the rest only: it has been decoded where it was found
 */
export function createScan(
  program: ScanProgram,
  isActive: Uint8Array,
  path: string | undefined,
  depth = 0,
  context = 0,
): Scan {
  const { finder } = program;
  const textNumber = nextText++;
  let buffer = "";
  /** Offset of the buffer's first character. */
  let origin = 0;
  /** Everything before has been told. */
  let told = 0;
  let swallowing = false;
  let hits: Hit[] = [];
  let found: FoundSecret[] = [];
  /** By matcher, as all of these: where it may match again; up to where it has been tried; how far behind a keyword it is. */
  const resumeAt = new Map<Matcher, number>();
  const triedTo = new Map<Matcher, number>();
  const armedTo = new Map<Matcher, number>();
  const activeOf = (orders: readonly number[]): Matcher[] =>
    orders.filter((order) => isActive[order] === 1).map((order) => program.matcher(order));
  const armed = activeOf(program.everywhere);
  for (const matcher of armed) armedTo.set(matcher, Infinity);
  /** In a text that comes in parts; null until the first. */
  let backwards: readonly Matcher[] | null = null;
  const encodedTexts = new EncodedTextFinder(context);
  let hasSigns = false;
  let hasZeros = false;
  /** Whether the text came in parts. */
  let wasCut = false;

  function read(chunk: string, final: boolean): void {
    let from = buffer.length;
    buffer += chunk;
    while (from < buffer.length) {
      const to = finder.find(buffer, from);
      const { hits: ends, hitCount } = finder;
      for (let i = 0; i < hitCount; i++) {
        const end = ends[2 * i]!;
        const ending = ends[2 * i + 1]!;
        const { targets, isSign } = targetsOf(program, ending);
        hasSigns ||= isSign;
        for (let j = 0; j < targets.length; j++) {
          const target = targets[j]!;
          if (isActive[target.matcher.order] === 1) aim(target, end, final);
        }
      }
      if (!wasCut && depth < deepestEncoding) encodedTexts.noteRuns(buffer, finder.runs);
      hasZeros ||= finder.hasZeros;
      for (const matcher of armed) tryUpTo(matcher, Math.min(armedTo.get(matcher) ?? 0, origin + to), final);
      if (!final)
        for (const matcher of (backwards ??= activeOf(program.lookingBack))) tryUpTo(matcher, origin + to, final);
      from = to;
      if (final) ask(origin + from - furthestBefore - longestAnchor, final);
    }
  }

  /** @param end behind the anchor, in the buffer. */
  function aim({ matcher, length, before }: Aim, end: number, final: boolean): void {
    const place = origin + end - length;
    if (before?.most === 0) {
      tryAt(matcher, place, final);
      return;
    }
    if (before === null) {
      if (!armed.includes(matcher)) armed.push(matcher);
      // Where the last keyword's reach has ended, nothing is tried before this one's.
      tryUpTo(matcher, Math.min(armedTo.get(matcher) ?? 0, place), final);
      triedTo.set(matcher, Math.max(triedTo.get(matcher) ?? 0, place));
      armedTo.set(matcher, place + length + furthestBefore);
      return;
    }
    const last = place - before.least;
    const tried = triedTo.get(matcher) ?? 0;
    for (let at = Math.max(tried, place - before.most, told); at <= last; at++) tryAt(matcher, at, final);
    triedTo.set(matcher, Math.max(tried, last + 1));
  }

  function tryUpTo(matcher: Matcher, end: number, final: boolean): void {
    const tried = triedTo.get(matcher) ?? 0;
    const { masks } = matcher;
    for (let at = Math.max(tried, told); at < end; at++) {
      const unit = buffer.charCodeAt(at - origin);
      if ((masks[unit < 128 ? unit : 128]! & 1) === 1) tryAt(matcher, at, final);
    }
    triedTo.set(matcher, Math.max(tried, end));
  }

  /** Keeps the place if the filter says that the rule may match there. */
  function tryAt(matcher: Matcher, at: number, final: boolean): void {
    if (at < told || (resumeAt.size > 0 && at < (resumeAt.get(matcher) ?? 0))) return;
    const start = at - origin;
    const { masks, effort } = matcher;
    // The coarse filter tells as much, and does not look at the same characters for every place.
    const isHelped = final && effort.text === textNumber && effort.read > mostEffort + effortByCharacter * at;
    const masked = isHelped ? 1 : Math.min(maskedPlaces, buffer.length - start);
    for (let i = 0; i < masked; i++) {
      const unit = buffer.charCodeAt(start + i);
      if (((masks[unit < 128 ? unit : 128]! >>> i) & 1) === 0) return;
    }
    if (matcher.rule.wordStart && !isWordStart(buffer, start)) return;
    // Nearly all places end here, and cost no memory.
    if (final && !mayMatch(matcher, start, isHelped)) return;
    const hit: Hit = { at, matcher, state: dead, generation: -1, readTo: at, accepted: final, searched: 0 };
    if (final || readOn(hit, final)) addHit(hit);
  }

  /** @param start in the buffer, to which nothing will be added */
  function mayMatch({ filter, coarse, effort, longest }: Matcher, start: number, isHelped: boolean): boolean {
    const end = Math.min(buffer.length, start + longest + 1);
    const isEdge = end === buffer.length;
    if (isHelped) {
      const first = coarse();
      const begin = first.begin(buffer, start);
      if (!first.read(buffer, start, begin, end, origin, textNumber, true, isEdge).accepted) return false;
    }
    if (effort.text !== textNumber) {
      effort.text = textNumber;
      effort.read = 0;
    }
    const begin = filter.begin(buffer, start);
    const number = effort.read > untrackedEffort ? textNumber : untracked;
    const run = filter.read(buffer, start, begin, end, origin, number, true, isEdge);
    if (run.accepted) return true;
    effort.read += run.read + maskedPlaces;
    return false;
  }

  /** Reads on for a hit. @returns whether the rule may match there. */
  function readOn(hit: Hit, final: boolean): boolean {
    const { at, matcher } = hit;
    const { filter, longest } = matcher;
    if (hit.generation !== filter.generation) {
      hit.state = filter.begin(buffer, at - origin);
      hit.readTo = at;
    }
    const end = Math.min(buffer.length, at - origin + longest + 1);
    const isEdge = final && end === buffer.length;
    const run = filter.read(buffer, hit.readTo - origin, hit.state, end, origin, textNumber, final, isEdge);
    hit.accepted ||= run.accepted;
    hit.state = end < buffer.length ? dead : run.state;
    hit.readTo = origin + end;
    hit.generation = filter.generation;
    return hit.accepted || (!final && hit.state !== dead);
  }

  function addHit(hit: Hit): void {
    let place = hits.length;
    while (place > 0 && hits[place - 1]!.at > hit.at) place--;
    for (let i = place - 1; i >= 0 && hits[i]!.at === hit.at; i--) if (hits[i]!.matcher === hit.matcher) return;
    if (place === hits.length) hits.push(hit);
    else hits.splice(place, 0, hit);
  }

  /** Looks for secrets in what is encoded. @returns the first place where something encoded may still begin. */
  function decode(final: boolean): number {
    const { found: texts, open } = encodedTexts.find(
      buffer,
      origin,
      told,
      final,
      wasCut ? null : { hasSigns, hasZeros },
    );
    for (const encoded of texts) {
      // What a value is, its name tells: it is read with what stands around it in its line.
      const before = lineBefore(buffer, encoded.start);
      const inner = before + encoded.decoded + (encoded.behind ?? signBehind(buffer, encoded.end));
      for (const passage of createScan(program, isActive, path, depth + 1, before.length).end(inner)) {
        if (passage.kind === "clear") continue;
        const { detection, secret, matcher } = passage;
        const start = detection.start - before.length;
        const end = Math.min(encoded.decoded.length, detection.end - before.length);
        if (end <= Math.max(0, start)) continue;
        // What is encoded in the text before is found there, and does not reach into this.
        if (start < 0 && detection.description !== matcher.rule.description) continue;
        const from = origin + (start < 0 ? encoded.start + start : encoded.sourceOf(start, false));
        const to = origin + encoded.sourceOf(end, true);
        // As it stands it has been read already.
        if (to - from === end - start || to <= told) continue;
        const { severity } = detection;
        const note = `${detection.description.slice(matcher.rule.description.length)} (${encoded.encoding})`;
        found.push({ start: Math.max(from, told), end: to, matchEnd: to, secret, severity, matcher, note });
      }
    }
    return open;
  }

  /** @returns the offset before which nothing new can begin. */
  function settle(final: boolean): number {
    const total = origin + buffer.length;
    const undecoded = depth < deepestEncoding ? decode(final) : total;
    if (final) {
      ask(Infinity, final);
      return total;
    }
    const mask = findOpenMask(buffer);
    const horizon = Math.min(total - finder.pendingLength(buffer), undecoded);
    return ask(mask < 0 ? horizon : Math.min(horizon, origin + mask), final, mask);
  }

  /**
   * Asks every hit before `horizon` whose answer is certain.
   * @param mask where in the buffer a mask begins that its end has cut off; -1 if none does.
   * @returns the first place that is still open, or the horizon.
   */
  function ask(horizon: number, final: boolean, mask = -1): number {
    const total = origin + buffer.length;
    if (hits.length === 0) return horizon;
    const waiting: Hit[] = [];
    const busy = new Set<Matcher>();
    let i = 0;
    for (; i < hits.length && hits[i]!.at < horizon; i++) {
      const hit = hits[i]!;
      const { matcher } = hit;
      // A rule's matches do not overlap, so whether a later one counts depends on the earlier one.
      if (busy.size > 0 && busy.has(matcher)) {
        waiting.push(hit);
        continue;
      }
      if (hit.at < (resumeAt.get(matcher) ?? 0)) continue;
      if (hit.state !== dead && (final ? !hit.accepted : hit.readTo < total) && !readOn(hit, final)) continue;
      if (!final && hit.state !== dead) {
        busy.add(matcher);
        waiting.push(hit);
        continue;
      }
      if (!hit.accepted) continue;
      const answer = findCandidate(matcher, buffer, path, hit.at - origin, final, hit.searched - origin);
      if (answer.kind === "none") {
        resumeAt.set(matcher, origin + answer.resume);
      } else if (answer.kind === "open" || (mask >= 0 && answer.candidate.end > mask)) {
        if (answer.kind === "open") hit.searched = origin + answer.searched;
        busy.add(matcher);
        waiting.push(hit);
      } else {
        const { candidate } = answer;
        resumeAt.set(matcher, origin + candidate.matchEnd);
        // Spread out it would cost more than to find it: a hostile text is full of them.
        const { start, end, secret, severity } = candidate;
        const matchEnd = origin + candidate.matchEnd;
        found.push({ start: origin + start, end: origin + end, matchEnd, secret, severity, matcher, note: "" });
      }
    }
    hits = i === 0 ? hits : [...waiting, ...hits.slice(i)];
    return waiting.length > 0 ? Math.min(horizon, waiting[0]!.at) : horizon;
  }

  function tell(horizon: number, final: boolean): Passage[] {
    const passages: Passage[] = [];
    const clear = (upTo: number): void => {
      if (upTo > told) passages.push({ kind: "clear", text: buffer.slice(told - origin, upTo - origin) });
      told = Math.max(told, upTo);
    };
    const { chosen, rest } = chooseSecrets(found, horizon, final);
    found = rest;
    const hasMasks = chosen.length > 0 && holdsMask(buffer);
    for (const group of chosen) {
      swallowing = group.end === Infinity;
      // Masks in a wider secret stay: whoever compares records looks for them.
      const whole = { start: group.start - origin, end: Math.min(group.end - origin, buffer.length) };
      const span = hasMasks ? trimMasks(buffer, whole.start, whole.end) : whole;
      clear(origin + span.start);
      const masks = swallowing || !hasMasks ? "" : masksIn(buffer.slice(span.start, span.end));
      if (masks !== "") passages.push({ kind: "clear", text: masks });
      for (const { start, end, secret, severity, matcher, note } of group.secrets) {
        const { id } = matcher.rule;
        const description = note === "" ? matcher.rule.description : `${matcher.rule.description}${note}`;
        const detection: Detection = { rule: id, description, severity, start, end, allowed: null };
        passages.push({ kind: "secret", detection, secret, matcher });
      }
      told = origin + span.end;
    }
    if (swallowing) return passages;
    clear(Math.min(horizon, found[0]?.start ?? Infinity));
    if (told - origin > trimAt) {
      buffer = buffer.slice(told - origin - keptBehind);
      origin = told - keptBehind;
    }
    return passages;
  }

  function forget(): void {
    buffer = "";
    hits = [];
    found = [];
  }

  return {
    push(chunk) {
      if (swallowing || chunk === "") return [];
      wasCut = true;
      read(chunk, false);
      const passages = tell(settle(false), false);
      if (swallowing) forget();
      forgetTexts();
      return passages;
    },
    end(chunk = "") {
      if (swallowing) return [];
      read(chunk, true);
      const total = origin + buffer.length;
      const passages = tell(settle(true), true).map((passage) =>
        passage.kind === "secret" && passage.detection.end === Infinity
          ? { ...passage, detection: { ...passage.detection, end: total } }
          : passage,
      );
      forget();
      if (depth === 0) forgetTexts();
      return passages;
    },
  };
}

function lineBefore(text: string, at: number): string {
  const before = text.slice(Math.max(0, at - contextReach), at);
  return before.slice(before.lastIndexOf("\n") + 1);
}

/** A quote or the like, which a rule may ask for; never more of the text, whose own secrets are its own. */
function signBehind(text: string, at: number): string {
  const sign = text.charAt(at);
  return /[A-Za-z0-9+/_=-]/.test(sign) ? "" : sign;
}
