/** From a rule's pattern to something that may be run on hostile text, or the reason why it may not. */
import { err, ok, type Result } from "../errors.ts";
import { leadingLiterals, longestMatch, worstSteps } from "./regex-bounds.ts";
import { encodeRegex } from "./regex-source.ts";
import { parseRegex } from "./regex-syntax.ts";

/** The longest match that a rule may have, in code units. Longer secrets are for `until`. */
const longestAllowedMatch = 16_384;
/** Steps of a backtracking engine at one keyword of the worst text. A megabyte holds some 100,000 keywords. */
const mostSteps = 60_000;

export interface RuleRegex {
  /** Source for V8. */
  readonly source: string;
  /** Source, anchored, of "more text could still change the outcome": see `encodeRegex`. */
  readonly open: string;
  readonly longest: number;
}

/**
 * @param pattern RE2 syntax.
 * @param keywords in lower case: the pattern is run where one of them stands, so every match must begin with one. null for
 * patterns that are searched for in a text that is short already (allowlists, paths).
 */
export function compileRuleRegex(pattern: string, keywords: readonly string[] | null): Result<RuleRegex, string> {
  const parsed = parseRegex(pattern);
  if (!parsed.ok) return parsed;
  const longest = longestMatch(parsed.value);
  if (keywords !== null && longest > longestAllowedMatch) {
    return err(`can match ${longest} characters and more; bound it to ${longestAllowedMatch}`);
  }
  const steps = worstSteps(parsed.value);
  if (steps > mostSteps) {
    return err(
      `can need ${steps.toExponential(0)} steps on hostile text; bound its repetitions, or let what follows each begin differently`,
    );
  }
  if (keywords !== null) {
    const stray = leadingLiterals(parsed.value).find(({ text }) => !keywords.some((word) => text.startsWith(word)));
    if (stray !== undefined) {
      return err(
        stray.text === ""
          ? "has no fixed beginning; let it begin with one of its keywords"
          : `can begin with \`${stray.text}\`, which none of its keywords begins`,
      );
    }
  }
  return ok({
    source: encodeRegex(parsed.value, false),
    open: `(?:${encodeRegex(parsed.value, true)})$`,
    longest,
  });
}
