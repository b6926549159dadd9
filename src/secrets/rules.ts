/** Rule files: YAML text → rules, or every mistake in it with its line. The fields are described in docs/secret-rules.md. */
import { LineCounter, isMap, isNode, parseDocument, type Document } from "yaml";
import { z } from "zod";
import { err, ok, type Result } from "../errors.ts";
import { checksumNames } from "./checksum.ts";
import type { Allowlist, Rule, RuleMistake } from "./rule.ts";
import { encodeRegex } from "./regex-source.ts";
import { planRule } from "./rule-regex.ts";
import { longestMatch } from "./regex-bounds.ts";
import { parseRegex, type RegexNode } from "./regex-syntax.ts";

/** Stands in examples where a secret is broken up; taken out before use. */
const splitMark = /¦/g;

const example = z.string().transform((text) => text.replace(splitMark, ""));
const keyword = z
  .string()
  .regex(/^[!-~]{3,64}$/, "a keyword is 3 to 64 printable ASCII characters without spaces")
  .transform((text) => text.toLowerCase());

const pattern = z.string().min(1);
const allowSchema = z
  .array(
    z.strictObject({
      on: z.enum(["secret", "match", "word", "line"]).default("secret"),
      condition: z.enum(["any", "all"]).default("any"),
      regexes: z.array(pattern).default([]),
      stopWords: z.array(z.string().min(2)).default([]),
      paths: z.array(pattern).default([]),
    }),
  )
  .default([]);
const ruleSchema = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9-]{0,47}$/, "an id is small letters, digits and hyphens, 48 at most"),
  description: z.string().min(1).max(200),
  severity: z.enum(["block", "warn"]),
  reference: z.url({ protocol: /^https$/ }),
  tags: z.array(z.string().min(1)).default([]),
  keywords: z.array(keyword).default([]),
  regex: pattern,
  secretGroup: z.int().min(0).nullable().default(null),
  wordStart: z.boolean().default(false),
  until: pattern.nullable().default(null),
  entropy: z.number().min(0).max(8).default(0),
  random: z.union([z.boolean(), z.literal("letters")]).default(false),
  checksum: z.enum(checksumNames).nullable().default(null),
  path: pattern.nullable().default(null),
  allow: allowSchema,
  required: z
    .array(
      z.strictObject({
        rule: z.string().min(1),
        withinLines: z.int().min(0).nullable().default(null),
        withinColumns: z.int().min(0).nullable().default(null),
      }),
    )
    .default([]),
  examples: z.strictObject({
    match: z.array(example).min(1),
    noMatch: z.array(example).default([]),
    path: z.string().nullable().default(null),
  }),
});
const fileSchema = z.strictObject({ allow: allowSchema, rules: z.array(z.unknown()).min(1) });

const longestUntil = 256;

type RawRule = z.infer<typeof ruleSchema>;
type NodePath = readonly (string | number)[];

/** @param text a rule file. @returns its rules in order, or all mistakes by line. */
export function parseRules(text: string): Result<Rule[], RuleMistake[]> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, strict: true, uniqueKeys: true });
  const mistakes: RuleMistake[] = [...document.errors, ...document.warnings].map((error) => ({
    line: error.linePos?.[0].line ?? 1,
    rule: null,
    message: error.message.split("\n")[0]!,
  }));
  if (mistakes.length > 0) return err(mistakes);

  const lineOf = (path: NodePath): number => lineOfNode(document, lines, path);
  let data: unknown;
  try {
    data = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return err([{ line: 1, rule: null, message: error instanceof Error ? error.message : "unreadable YAML" }]);
  }
  const file = fileSchema.safeParse(data);
  if (!file.success) return err(schemaMistakes(file.error, [], null, lineOf));

  const rules: Rule[] = [];
  const seen = new Map<string, number>();
  for (const [index, raw] of file.data.rules.entries()) {
    const at: NodePath = ["rules", index];
    const parsed = ruleSchema.safeParse(raw);
    if (!parsed.success) {
      mistakes.push(...schemaMistakes(parsed.error, at, idOf(raw), lineOf));
      continue;
    }
    const rule = parsed.data;
    const earlier = seen.get(rule.id);
    if (earlier !== undefined) {
      mistakes.push({
        line: lineOf([...at, "id"]),
        rule: rule.id,
        message: `the id stands in line ${earlier} already`,
      });
    }
    seen.set(rule.id, lineOf([...at, "id"]));
    const regex = parseRegex(rule.regex);
    if (!regex.ok) {
      mistakes.push({ line: lineOf([...at, "regex"]), rule: rule.id, message: `the pattern ${regex.error}` });
    }
    for (const { path, message } of patternMistakes(rule, regex.ok ? regex.value : null)) {
      mistakes.push({ line: lineOf([...at, ...path]), rule: rule.id, message });
    }
    if (mistakes.length > 0 || !regex.ok) continue;
    const allow = [...rule.allow, ...file.data.allow];
    rules.push({ ...rule, allow, line: lineOf([...at, "id"]), plan: planRule(regex.value, rule) });
  }
  for (const { path, message } of allowMistakes(file.data.allow, [])) {
    mistakes.push({ line: lineOf(path), rule: null, message });
  }
  return mistakes.length > 0 ? err(mistakes.sort((a, b) => a.line - b.line)) : ok(rules);
}

interface PatternMistake {
  readonly path: NodePath;
  readonly message: string;
}

const patternMistake = (path: NodePath, text: string): PatternMistake[] => {
  const parsed = parseRegex(text);
  return parsed.ok ? [] : [{ path, message: `the pattern ${parsed.error}` }];
};

const allowMistakes = (allow: readonly Allowlist[], at: NodePath): PatternMistake[] =>
  allow.flatMap((list, i) =>
    (["regexes", "paths"] as const).flatMap((kind) =>
      list[kind].flatMap((text, j) => patternMistake([...at, "allow", i, kind, j], text)),
    ),
  );

/** What about the rule's patterns is no use, by its place within the rule. @param regex its own, unless that is none */
function patternMistakes(rule: RawRule, regex: RegexNode | null): PatternMistake[] {
  const found: PatternMistake[] = [
    ...(rule.until === null ? [] : patternMistake(["until"], rule.until)),
    ...(rule.path === null ? [] : patternMistake(["path"], rule.path)),
    ...allowMistakes(rule.allow, []),
  ];
  if (rule.secretGroup !== null && regex !== null) {
    const groups = new RegExp(`${encodeRegex(regex)}|`).exec("")!.length - 1;
    if (rule.secretGroup > groups) {
      found.push({ path: ["secretGroup"], message: `the pattern has ${groups} groups, none has this number` });
    }
  }
  const until = rule.until === null ? null : parseRegex(rule.until);
  if (until?.ok === true && longestMatch(until.value) > longestUntil) {
    found.push({ path: ["until"], message: `the pattern can match more than ${longestUntil} characters; bound it` });
  }
  if (rule.path !== null && rule.examples.path === null) {
    found.push({ path: ["examples"], message: "the rule has a `path`; give the examples one that it matches" });
  }
  return found;
}

function schemaMistakes(
  error: z.ZodError,
  at: NodePath,
  rule: string | null,
  lineOf: (path: NodePath) => number,
): RuleMistake[] {
  return error.issues.flatMap((issue) => {
    const path = [...at, ...issue.path.map((key) => (typeof key === "symbol" ? String(key) : key))];
    const name = path.slice(at.length).join(".");
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({ line: lineOf([...path, key]), rule, message: `unknown key \`${key}\`` }));
    }
    return [{ line: lineOf(path), rule, message: name === "" ? issue.message : `\`${name}\`: ${issue.message}` }];
  });
}

function idOf(raw: unknown): string | null {
  const id = typeof raw === "object" && raw !== null && "id" in raw ? raw.id : null;
  return typeof id === "string" ? id : null;
}

/** The line of the node, or of the closest one around it that exists. */
function lineOfNode(document: Document, lines: LineCounter, path: NodePath): number {
  for (let length = path.length; length > 0; length--) {
    const parent = document.getIn(path.slice(0, length - 1), true);
    const key = path[length - 1]!;
    // A key's own line: the value of a block scalar or of a list begins further down.
    const pair = isMap(parent) ? parent.items.find((item) => isNode(item.key) && String(item.key) === key) : undefined;
    const node = pair === undefined ? document.getIn(path.slice(0, length), true) : pair.key;
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}
