/**
 * One reading of one text, whole or in parts, for secrets. The outcome does not depend on where the parts were cut.
 *
 * Every place where a keyword stands is asked once, and only when no text to come could change the answer. What is
 * told lies before the earliest place that is still open: a keyword's beginning at the end of the text, a rule that is
 * still matching there, or a secret that another one may yet overlap. All of these are bounded, and so is what is held.
 */
import type { Detection } from "../model/finding.ts";
import { findCandidate, lineReach, type Matcher } from "./candidate.ts";
import type { KeywordAutomaton } from "./keywords.ts";
import { findOpenMask, masksIn, trimMasks } from "./mask-form.ts";
import { chooseSecrets, type FoundSecret } from "./overlap.ts";

/** A piece of the text in order. What lies beside a secret inside a wider finding
 * that lost to it is in no piece. */
export type Passage =
  | { readonly kind: "clear"; readonly text: string }
  | { readonly kind: "secret"; readonly detection: Detection; readonly secret: string };

export interface Scan {
  /** @returns what is settled by now. After a block without an end: nothing, ever again. */
  push(chunk: string): Passage[];
  /** The last part, and the rest of the answer. Offsets in detections count from the beginning of the whole text. */
  end(chunk?: string): Passage[];
}

/** What is fixed for all readings under one set of rules. */
export interface ScanProgram {
  readonly keywords: KeywordAutomaton;
  /** For every keyword the rules that may begin with it; those not meant for the path left out. */
  readonly matchersOf: readonly (readonly Matcher[])[];
}

interface Hit {
  /** Offset in the whole text, as all offsets here. */
  readonly at: number;
  readonly matcher: Matcher;
  /** For a block: how far its end has been looked for. */
  searched: number;
}

/** What has been told is dropped from the buffer when it exceeds this; less would copy too often. */
const trimAt = 2048;
const keptBehind = lineReach + 64;

export function createScan({ keywords, matchersOf }: ScanProgram): Scan {
  let buffer = "";
  /** Offset of the buffer's first character. */
  let origin = 0;
  /** Everything before has been told. */
  let told = 0;
  let state = 0;
  let swallowing = false;
  let hits: Hit[] = [];
  let found: FoundSecret[] = [];
  const resumeAt = new Map<Matcher, number>();

  function read(chunk: string): void {
    const from = buffer.length;
    buffer += chunk;
    state = keywords.scan(buffer, from, state, (keyword, start) => {
      for (const matcher of matchersOf[keyword]!) addHit(origin + start, matcher);
    });
  }

  // The automaton reports by a keyword's end; rules are asked by its beginning.
  function addHit(at: number, matcher: Matcher): void {
    let place = hits.length;
    while (place > 0 && hits[place - 1]!.at > at) place--;
    for (let i = place - 1; i >= 0 && hits[i]!.at === at; i--) if (hits[i]!.matcher === matcher) return;
    const hit: Hit = { at, matcher, searched: 0 };
    if (place === hits.length) hits.push(hit);
    else hits.splice(place, 0, hit);
  }

  /** Asks every hit whose answer is certain. @returns the offset before which nothing new can begin. */
  function settle(final: boolean): number {
    const total = origin + buffer.length;
    const mask = final ? -1 : findOpenMask(buffer);
    let horizon = final ? total : total - keywords.pendingLength(state);
    if (mask >= 0) horizon = Math.min(horizon, origin + mask);
    const waiting: Hit[] = [];
    const busy = new Set<Matcher>();
    let i = 0;
    for (; i < hits.length && hits[i]!.at < horizon; i++) {
      const hit = hits[i]!;
      const { matcher } = hit;
      // A rule's matches do not overlap, so whether a later one counts depends on the earlier one.
      if (busy.has(matcher)) waiting.push(hit);
      else if (hit.at >= (resumeAt.get(matcher) ?? 0)) {
        const answer = findCandidate(matcher, buffer, hit.at - origin, final, hit.searched - origin);
        if (answer === null) continue;
        if ("more" in answer || (mask >= 0 && answer.end > mask)) {
          hit.searched = "more" in answer ? origin + answer.more : hit.searched;
          busy.add(matcher);
          waiting.push(hit);
          continue;
        }
        resumeAt.set(matcher, origin + answer.matchEnd);
        found.push({ ...answer, start: origin + answer.start, end: origin + answer.end, matcher });
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
    for (const group of chosen) {
      swallowing = group.end === Infinity;
      // Masks in a wider secret stay: whoever compares records looks for them.
      const span = trimMasks(buffer, group.start - origin, Math.min(group.end - origin, buffer.length));
      clear(origin + span.start);
      const masks = swallowing ? "" : masksIn(buffer.slice(span.start, span.end));
      if (masks !== "") passages.push({ kind: "clear", text: masks });
      for (const { start, end, secret, severity, matcher } of group.secrets) {
        const { id, description } = matcher.rule;
        passages.push({ kind: "secret", detection: { rule: id, description, severity, start, end }, secret });
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
      read(chunk);
      const passages = tell(settle(false), false);
      if (swallowing) forget();
      return passages;
    },
    end(chunk = "") {
      if (swallowing) return [];
      read(chunk);
      const total = origin + buffer.length;
      const passages = tell(settle(true), true).map((passage) =>
        passage.kind === "secret" && passage.detection.end === Infinity
          ? { ...passage, detection: { ...passage.detection, end: total } }
          : passage,
      );
      forget();
      return passages;
    },
  };
}
