import type { Detector } from "./detector.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { createMaskStream } from "./mask-stream.ts";

export interface MaskedText {
  readonly text: string;
  /** Secrets masked, by rule. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Puts `⟦<rule>:<8 hex digits>⟧` in place of every secret. What has been masked before stays as it is. */
export function maskText(text: string, detector: Detector, fingerprint: Fingerprint): MaskedText {
  const stream = createMaskStream(detector, fingerprint);
  const masked = stream.end(text);
  return { text: masked, counts: stream.counts };
}
