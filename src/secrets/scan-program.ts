/**
 * What is fixed for all readings under one set of rules: the anchors that are looked for, and which rules each of them is for.
 * Of a rule no more is made ready than what texts have asked for.
 */
import { AnchorFinder } from "./anchor-finder.ts";
import { createMatcher, type Matcher } from "./candidate.ts";
import { escapeSigns } from "./escaped-word.ts";
import type { KnownSearches } from "./known-searches.ts";
import type { Reading } from "./reading.ts";
import type { Rule } from "./rule.ts";

/** Looked for with the anchors: texts without them, which most are, hold nothing that is encoded so. */
export const encodingAnchors: readonly string[] = escapeSigns;

/** What is fixed for all readings under one set of rules. */
export interface ScanProgram {
  readonly finder: AnchorFinder;
  /** By index of an anchor, of which the first are `encodingAnchors`: which rules it is for, and how far before it their matches begin. */
  readonly targets: readonly (readonly Target[])[];
  /** @param order the rule's. Compiled when first asked for. */
  readonly matcher: (order: number) => Matcher;
  /** The same by the finder's endings, for those that have come up. */
  readonly byEnding: (EndingTargets | undefined)[];
  /** In a text that comes in parts, these are tried everywhere: their anchor stands behind what is told before it comes. */
  readonly lookingBack: readonly number[];
  /** With neither anchors nor keywords: tried everywhere. */
  readonly everywhere: readonly number[];
  /** By depth, what reads texts that are encoded in others: hostile text is full of short ones. */
  readonly inner: Reading[];
}

/** What an anchor's end stands for. */
export interface EndingTargets {
  readonly targets: readonly Aim[];
  /** Whether it is an escape that something encoded may begin with. */
  readonly isSign: boolean;
}

export interface Aim {
  /** The rule's; to ask the matcher for it would fetch that from memory. */
  readonly order: number;
  readonly matcher: Matcher;
  /** As of `Target`. */
  readonly length: number;
  readonly before: Target["before"];
}

export function targetsOf(program: ScanProgram, ending: number): EndingTargets {
  const { finder, byEnding } = program;
  let known = byEnding[ending];
  if (known === undefined) {
    const anchors = finder.endings[ending]!;
    const targets = anchors
      .flatMap((index) => program.targets[index]!)
      .map((target) => ({ ...target, matcher: program.matcher(target.order) }));
    const isSign = anchors.some((index) => index < encodingAnchors.length);
    byEnding[ending] = known = { targets, isSign };
    if (!isSign && targets.every(({ before }) => before !== null)) {
      finder.learn(
        ending,
        targets.map(({ matcher: { masks, rule }, before }) => ({ masks, ...before!, wordStart: rule.wordStart })),
      );
    }
  }
  return known;
}

export interface Target {
  /** The rule's. */
  readonly order: number;
  /** Of the anchor. */
  readonly length: number;
  /** How far before the anchor a match begins; null for a keyword, behind which it may begin for a while. */
  readonly before: { readonly least: number; readonly most: number } | null;
}

/** Patterns are compiled when a text first asks for them: most rules are never asked. */
export function createProgram(rules: readonly Rule[], searches: KnownSearches): ScanProgram {
  const byText = new Map<string, Target[]>(encodingAnchors.map((sign) => [sign, []]));
  const add = (text: string, target: Target): void => {
    const targets = byText.get(text);
    if (targets === undefined) byText.set(text, [target]);
    else targets.push(target);
  };
  for (const [order, { plan, keywords }] of rules.entries()) {
    for (const { text, least, most } of plan.anchors ?? []) {
      add(text, { order, length: text.length, before: { least, most } });
    }
    if (plan.anchors !== null) continue;
    for (const text of keywords) add(text, { order, length: text.length, before: null });
  }
  const matchers: Matcher[] = [];
  const ordersOf = (isWanted: (rule: Rule) => boolean): number[] =>
    [...rules.keys()].filter((order) => isWanted(rules[order]!));
  const finder = new AnchorFinder([...byText.keys()]);
  return {
    finder,
    targets: [...byText.values()],
    matcher: (order) => (matchers[order] ??= createMatcher(rules[order]!, order, searches)),
    byEnding: [],
    lookingBack: ordersOf(({ plan }) => plan.anchors?.some(({ most }) => most > 0) === true),
    everywhere: ordersOf(({ plan, keywords }) => plan.anchors === null && keywords.length === 0),
    inner: [],
  };
}
