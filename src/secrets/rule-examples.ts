import { createDetector } from "./detector.ts";
import type { Rule, RuleMistake } from "./rule.ts";

/** Runs each rule, by itself, on its own examples. @returns those that come out otherwise than the file says. */
export function checkExamples(rules: readonly Rule[]): RuleMistake[] {
  return rules.flatMap((rule) => {
    const detector = createDetector([rule]);
    const found = (text: string): boolean => detector.detect(text, rule.examples.path ?? undefined).length > 0;
    const mistake = (message: string): RuleMistake => ({ line: rule.line, rule: rule.id, message });
    // By number: an example's text would be a secret in a log.
    return [
      ...rule.examples.match.flatMap((text, i) =>
        found(text) ? [] : [mistake(`example ${i + 1} of \`match\` is not found by the rule`)],
      ),
      ...rule.examples.noMatch.flatMap((text, i) =>
        found(text) ? [mistake(`example ${i + 1} of \`noMatch\` is found by the rule`)] : [],
      ),
    ];
  });
}
