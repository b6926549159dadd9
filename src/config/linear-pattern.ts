/** From a pattern in RE2's syntax to the automaton that policy runs on commit messages. */
import { z } from "zod";
import { err, ok, type Result } from "../errors.ts";
import type { LinearPattern, PatternStep } from "../policy/linear-pattern.ts";
import { parseRegex, type RegexNode } from "../secrets/regex-syntax.ts";

/** Steps of one automaton. A character of a text costs at most a walk over all of them. */
const MAX_STEPS = 5_000;

/** RE2 counts to 1,000 and no further: the parser has cut what repeats more than that, and it meant without end. */
const LARGEST_COUNT = 1_000;

class TooManySteps extends Error {}

/** @returns the automaton, or what is wrong with the pattern, in words for the person who wrote it */
export function compileLinearPattern(pattern: string): Result<LinearPattern, string> {
  const parsed = parseRegex(pattern);
  if (!parsed.ok) return parsed;
  const steps: PatternStep[] = [];
  try {
    const end = add(steps, { kind: "match" });
    return ok({ pattern, start: compile(parsed.value, end, steps), steps });
  } catch (error) {
    if (!(error instanceof TooManySteps)) throw error;
    return err("this pattern is too large; let it repeat less often by count ({n,m})");
  }
}

function add(steps: PatternStep[], step: PatternStep): number {
  if (steps.length >= MAX_STEPS) throw new TooManySteps();
  return steps.push(step) - 1;
}

/** From back to front: a node is compiled into what leads to the step behind it. @returns its first step */
function compile(node: RegexNode, next: number, steps: PatternStep[]): number {
  switch (node.kind) {
    case "char":
      return add(steps, { kind: "char", set: node.set, next });
    case "assert":
      return add(steps, { kind: "assert", what: node.what, next });
    case "group":
      return compile(node.node, next, steps);
    case "sequence":
      return node.nodes.reduceRight((after, part) => compile(part, after, steps), next);
    case "choice":
      return add(steps, { kind: "split", next: node.nodes.map((part) => compile(part, next, steps)) });
    case "repeat": {
      let first = next;
      if (node.max > LARGEST_COUNT) {
        first = add(steps, { kind: "split", next: [next] });
        steps[first] = { kind: "split", next: [compile(node.node, first, steps), next] };
      } else {
        for (let optional = node.max - node.min; optional > 0; optional--) {
          first = add(steps, { kind: "split", next: [compile(node.node, first, steps), next] });
        }
      }
      for (let required = node.min; required > 0; required--) first = compile(node.node, first, steps);
      return first;
    }
  }
}

/** A pattern in the configuration. */
export const linearPatternSchema = z
  .string({ error: "expected a regular expression (RE2 syntax), in quotes" })
  .min(1, { error: "an empty pattern matches everything; leave it out" })
  .transform((text, context): LinearPattern => {
    const compiled = compileLinearPattern(text);
    if (compiled.ok) return compiled.value;
    context.addIssue({ code: "custom", message: `this pattern cannot be used: ${compiled.error}` });
    return z.NEVER;
  });
