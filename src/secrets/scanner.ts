import type { Severity } from "../model/finding.ts";
import { createDetector } from "./detector.ts";
import { createFingerprint } from "./fingerprint.ts";
import { createLineIndex } from "./line-index.ts";
import { maskText, type MaskedText } from "./mask.ts";
import type { Rule } from "./rule.ts";

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
}

/** What the rest of the gateway sees of this room: rules and key, ready to use. */
export interface Scanner {
  /** @param path as of `Detector.detect` */
  find(text: string, path?: string): PlacedSecret[];
  mask(text: string): MaskedText;
}

/** @throws GatewayError `config_invalid` for a key that is too short */
export function createScanner(rules: readonly Rule[], key: Uint8Array): Scanner {
  const detector = createDetector(rules);
  const fingerprint = createFingerprint(key);
  return {
    find: (text, path) => {
      const detections = detector.detect(text, path);
      if (detections.length === 0) return [];
      const position = createLineIndex(text);
      return detections.map(({ rule, description, severity, start, end }) => {
        const secret = text.slice(start, end);
        const { line, column } = position(start);
        const endColumn = column + (secret.split("\n", 1)[0] ?? "").length;
        return { rule, description, severity, line, column, endColumn, fingerprint: fingerprint(secret) };
      });
    },
    mask: (text) => maskText(text, detector, fingerprint),
  };
}
