import type { InlineAllow, Severity } from "../model/finding.ts";
import type { Detector } from "./detector.ts";
import { createFingerprint } from "./fingerprint.ts";
import { createLineIndex } from "./line-index.ts";
import { createMaskStream, type MaskStream } from "./mask-stream.ts";
import { maskLines } from "./mask-lines.ts";
import { maskWords } from "./mask-words.ts";
import { maskText, type MaskedText } from "./mask.ts";

/** A secret as it may be told: where it stands, never what it is. */
export interface PlacedSecret {
  readonly rule: string;
  readonly description: string;
  readonly severity: Severity;
  /** 1-based, in the text. */
  readonly line: number;
  /** 1-based, in UTF-16 code units. */
  readonly column: number;
  /** One past the secret's last character, on its first line. */
  readonly endColumn: number;
  readonly fingerprint: string;
  /** The comment on its line that allows it; secrets in its reason are masked. */
  readonly allowed: InlineAllow | null;
}

/** What the rest of the gateway sees of this room: rules and key, ready to use. */
export interface Scanner {
  /** @param path as of `Detector.detect` */
  find(text: string, path?: string): PlacedSecret[];
  mask(text: string): MaskedText;
  /** For names, and for texts that quote them; see `maskWords`. */
  maskName(text: string): string;
  /** As `mask`, line by line, as part of a file; see `maskLines`. */
  maskLines(text: string, path?: string): string;
  /** For a text that comes in parts. */
  maskStream(): MaskStream;
}

/** Characters of the reason of a comment that are told. */
const LONGEST_REASON = 300;

/** @throws GatewayError `config_invalid` for a key that is too short */
export function createScanner(detector: Detector, key: Uint8Array): Scanner {
  const fingerprint = createFingerprint(key);
  /** A reason may hold other secrets, and this one again, without what it was known by. */
  const tellReason = (masked: string, secret: string): string =>
    masked.replaceAll(secret, "…").slice(0, LONGEST_REASON);
  const maskReason = (reason: string): string => maskText(reason, detector, fingerprint).text;
  return {
    find: (text, path) => {
      const found = detector.find(text, path);
      if (found.length === 0) return [];
      const position = createLineIndex(text);
      // A comment may allow all secrets of a line.
      const reasons = new Map<InlineAllow, string>();
      return found.map(({ detection: { rule, description, severity, start, end, allowed }, secret }) => {
        const { line, column } = position(start);
        const lineEnd = text.slice(start, end).indexOf("\n");
        const endColumn = column + (lineEnd < 0 ? end - start : lineEnd);
        if (allowed !== null && !reasons.has(allowed)) reasons.set(allowed, maskReason(allowed.reason));
        return {
          rule,
          description,
          severity,
          line,
          column,
          endColumn,
          fingerprint: fingerprint(secret),
          allowed: allowed === null ? null : { by: allowed.by, reason: tellReason(reasons.get(allowed)!, secret) },
        };
      });
    },
    mask: (text) => maskText(text, detector, fingerprint),
    maskName: (text) => maskWords(text, (one) => maskText(one, detector, fingerprint).text),
    maskLines: (text, path) => maskLines(text, detector, fingerprint, path),
    maskStream: () => createMaskStream(detector, fingerprint),
  };
}
