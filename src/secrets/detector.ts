/** The detector of secrets, made from rules. Pure: no I/O, no clock; one detector serves any number of texts. */
import type { Detection } from "../model/finding.ts";
import { createMatcher, type Matcher } from "./candidate.ts";
import { createKeywordAutomaton } from "./keywords.ts";
import type { Rule } from "./rule.ts";
import { createScan, type Scan, type ScanProgram } from "./scan.ts";

export interface Detector {
  readonly rules: readonly Rule[];
  /**
   * @param path the file's path, for rules that are meant for certain files; without it those do not apply.
   * @returns the secrets in the text by place, none overlapping another.
   */
  detect(text: string, path?: string): Detection[];
  /** Reads one text in parts; all ways of cutting it give the same answer. */
  scan(path?: string): Scan;
}

/** @throws GatewayError `config_invalid` if a rule's pattern is not usable; rules from `parseRules` always are. */
export function createDetector(rules: readonly Rule[]): Detector {
  const matchers = rules.map(createMatcher);
  const words = [...new Set(rules.flatMap((rule) => rule.keywords))];
  const keywords = createKeywordAutomaton(words);
  const programFor = (wanted: (matcher: Matcher) => boolean): ScanProgram => ({
    keywords,
    matchersOf: words.map((word) => matchers.filter((m) => m.rule.keywords.includes(word) && wanted(m))),
  });
  const withoutPath = programFor((matcher) => matcher.path === null);
  const hasPaths = matchers.some((matcher) => matcher.path !== null);

  const scan = (path?: string): Scan =>
    createScan(path === undefined || !hasPaths ? withoutPath : programFor((m) => m.path === null || m.path.test(path)));
  return {
    rules,
    scan,
    detect: (text, path) =>
      scan(path)
        .end(text)
        .flatMap((passage) => (passage.kind === "secret" ? [passage.detection] : [])),
  };
}
