/** The detector of secrets, made from rules. Pure: no I/O, no clock; one detector serves any number of texts. */
import type { Detection } from "../model/finding.ts";
import { AnchorAutomaton } from "./anchor-automaton.ts";
import { createMatcher, type Matcher } from "./candidate.ts";
import type { Rule } from "./rule.ts";
import { createScan, type Scan, type ScanProgram, type Target } from "./scan.ts";

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
  const program = createProgram(matchers);
  const withPath = matchers.filter(({ path }) => path !== null);
  const withoutPath = Uint8Array.from(matchers, ({ path }) => (path === null ? 1 : 0));

  const scan = (path?: string): Scan => {
    if (path === undefined || withPath.length === 0) return createScan(program, withoutPath, path);
    const isActive = withoutPath.slice();
    for (const matcher of withPath) if (matcher.path!.test(path)) isActive[matcher.order] = 1;
    return createScan(program, isActive, path);
  };
  return {
    rules,
    scan,
    detect: (text, path) =>
      scan(path)
        .end(text)
        .flatMap((passage) => (passage.kind === "secret" ? [passage.detection] : [])),
  };
}

function createProgram(matchers: readonly Matcher[]): ScanProgram {
  const byText = new Map<string, Target[]>();
  const add = (text: string, target: Target): void => {
    const targets = byText.get(text);
    if (targets === undefined) byText.set(text, [target]);
    else targets.push(target);
  };
  for (const matcher of matchers) {
    for (const { text, least, most } of matcher.anchors ?? []) {
      add(text, { matcher, length: text.length, before: { least, most } });
    }
    if (matcher.anchors !== null) continue;
    for (const text of matcher.keywords) add(text, { matcher, length: text.length, before: null });
  }
  return {
    automaton: new AnchorAutomaton([...byText.keys()]),
    targets: [...byText.values()],
    matchers,
    lookingBack: matchers.filter(({ anchors }) => anchors?.some(({ most }) => most > 0) === true),
    everywhere: matchers.filter(({ anchors, keywords }) => anchors === null && keywords.length === 0),
  };
}
