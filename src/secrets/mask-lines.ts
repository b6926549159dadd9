import type { Detector } from "./detector.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { encodeMask } from "./mask-form.ts";

/**
 * As `maskText`, with as many lines as before: a secret of several lines becomes a mask on each of them, so that what is known
 * by the number of its line stays there.
 * @param path as of `Detector.detect`: what is a secret in certain files only is masked in these
 */
export function maskLines(text: string, detector: Detector, fingerprint: Fingerprint, path?: string): string {
  let masked = "";
  /** Everything before has been told, or stands in `hidden`. */
  let at = 0;
  let hidden = "";
  let hiddenTo = 0;
  const hide = (end: number): void => {
    if (hidden === "") return;
    const lines = text.slice(at, end).split("\n").length;
    masked += Array.from({ length: lines }, () => hidden).join("\n");
    hidden = "";
    at = end;
  };
  for (const passage of detector.scan(path).end(text)) {
    if (passage.kind === "secret") {
      const { rule, end } = passage.detection;
      hidden += encodeMask(rule, fingerprint(passage.secret));
      hiddenTo = Math.max(hiddenTo, end);
      continue;
    }
    // A wider secret hides more than its own span: what is clear again begins behind it.
    const from = hidden === "" ? at : text.indexOf(passage.text, Math.max(at, hiddenTo));
    if (from < 0 || !text.startsWith(passage.text, from)) {
      // Masks that stood in what is hidden now.
      hidden += passage.text;
      continue;
    }
    hide(from);
    masked += passage.text;
    at += passage.text.length;
  }
  hide(text.length);
  return masked;
}
