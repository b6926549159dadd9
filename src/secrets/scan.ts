/**
 * What a reading of a text for secrets tells, in order, whole or in parts.
 *
 * What is told lies before the earliest place that is still open: a rule that may still match there, or a secret that another one may yet
 * overlap. All of these are bounded, and so is what is held.
 */
import type { Detection } from "../model/finding.ts";
import { lineReach } from "./candidate.ts";
import { masksIn, trimMasks } from "./mask-form.ts";
import { chooseSecrets, type FoundSecret } from "./overlap.ts";
import { Reading } from "./reading.ts";
import { forgetTexts } from "./remembered.ts";
import type { ScanProgram } from "./scan-program.ts";

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

/** What has been told is dropped from the buffer when it exceeds this; less would copy too often. */
const trimAt = 2048;
const keptBehind = lineReach + 64;

export function detectionOf(
  { matcher, severity, start, end, note }: FoundSecret,
  allowed: Detection["allowed"] = null,
): Detection {
  const { id, description } = matcher.rule;
  return { rule: id, description: note === "" ? description : description + note, severity, start, end, allowed };
}

/** @param isActive and the rest: as of `Reading.begin` */
export function createScan(program: ScanProgram, isActive: Uint8Array, path: string | undefined): Scan {
  const reading = new Reading(program);
  reading.begin(isActive, path);
  const { text } = reading;
  let swallowing = false;

  function tell(horizon: number, final: boolean): Passage[] {
    const { buffer, origin } = text;
    const passages: Passage[] = [];
    const clear = (upTo: number): void => {
      if (upTo > text.told) passages.push({ kind: "clear", text: buffer.slice(text.told - origin, upTo - origin) });
      text.told = Math.max(text.told, upTo);
    };
    const { chosen, rest } = chooseSecrets(reading.found, horizon, final);
    reading.found = rest;
    const hasMasks = chosen.length > 0 && text.holdsMasks;
    for (const group of chosen) {
      swallowing = group.end === Infinity;
      // Masks in a wider secret stay: whoever compares records looks for them.
      const whole = { start: group.start - origin, end: Math.min(group.end - origin, buffer.length) };
      const span = hasMasks ? trimMasks(buffer, whole.start, whole.end) : whole;
      clear(origin + span.start);
      const masks = swallowing || !hasMasks ? "" : masksIn(buffer.slice(span.start, span.end));
      if (masks !== "") passages.push({ kind: "clear", text: masks });
      for (const found of group.secrets)
        passages.push({ kind: "secret", detection: detectionOf(found), secret: found.secret });
      text.told = origin + span.end;
    }
    if (swallowing) return passages;
    clear(Math.min(horizon, rest[0]?.start ?? Infinity));
    if (text.told - origin > trimAt) text.drop(keptBehind);
    return passages;
  }

  return {
    push(chunk) {
      if (swallowing || chunk === "") return [];
      reading.read(chunk, false);
      const passages = tell(reading.settle(false), false);
      if (swallowing) reading.forget();
      forgetTexts();
      return passages;
    },
    end(chunk = "") {
      if (swallowing) return [];
      reading.read(chunk, true);
      const total = text.length;
      const passages = tell(reading.settle(true), true).map((passage) =>
        passage.kind === "secret" && passage.detection.end === Infinity
          ? { ...passage, detection: { ...passage.detection, end: total } }
          : passage,
      );
      reading.forget();
      forgetTexts();
      return passages;
    },
  };
}
