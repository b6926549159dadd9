import type { Detector } from "./detector.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { encodeMask } from "./mask-form.ts";
import type { Passage } from "./scan.ts";

export interface MaskStream {
  /** @returns the masked text as far as it is certain: never a part of a secret, wherever the text was cut. */
  push(chunk: string): string;
  /** The last part, if there is one more. @returns the rest. */
  end(chunk?: string): string;
  /** Secrets masked so far, by rule. */
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * Masks a text that arrives in parts. All parts together give what `maskText` gives for the whole.
 *
 * Holds back what may still become part of a secret: a few characters of ordinary text, at most some 64 KiB behind the
 * header of a private key. A key whose end does not come within that reach is masked to the end of the text.
 */
export function createMaskStream(detector: Detector, fingerprint: Fingerprint): MaskStream {
  const scan = detector.scan();
  const counts = new Map<string, number>();
  const mask = (passages: readonly Passage[]): string =>
    passages
      .map((passage) => {
        if (passage.kind === "clear") return passage.text;
        const { rule } = passage.detection;
        counts.set(rule, (counts.get(rule) ?? 0) + 1);
        return encodeMask(rule, fingerprint(passage.secret));
      })
      .join("");
  return {
    push: (chunk) => mask(scan.push(chunk)),
    end: (chunk) => mask(scan.end(chunk)),
    get counts() {
      return Object.fromEntries(counts);
    },
  };
}
