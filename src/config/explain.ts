/** What the schema says against a value, in the words of the person who wrote it. */
import type { z } from "zod";
import { findNearest, valueAt, type ConfigMistake, type DocumentPath } from "./mistake.ts";
import type { ConfigDocument } from "./document.ts";
import { configJsonSchema } from "./schema.ts";

type Issue = z.core.$ZodIssue;

export function explainIssue(document: ConfigDocument, prefix: DocumentPath, issue: Issue): ConfigMistake[] {
  const path = [...prefix, ...issue.path.map((part) => (typeof part === "number" ? part : String(part)))];
  const value = valueAt(document.value, path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(document, path, key));
    case "invalid_key":
      return [document.mistake(path, issue.issues[0]?.message ?? "this name is not possible here", "key")];
    case "invalid_union":
      if (value === undefined) return [missing(document, path)];
      if ("note" in issue && issue.discriminator !== undefined) return [wrongKind(document, path, knownValues(issue))];
      return explainUnion(document, path, issue);
    case "invalid_type":
      if (value === undefined) return [missing(document, path)];
      return [document.mistake(path, isOwnWords(issue) ? issue.message : expected(issue.expected))];
    case "invalid_value":
      return [
        value === undefined ? missing(document, path) : wrongValue(document, path, value, issue.values.map(String)),
      ];
    case "too_small":
      return [document.mistake(path, isOwnWords(issue) ? issue.message : "may not be empty")];
    case "too_big":
    case "invalid_format":
    case "not_multiple_of":
    case "invalid_element":
    case "custom":
    default:
      return [document.mistake(path, isOwnWords(issue) ? issue.message : "this value is not possible here")];
  }
}

/** Messages of ours start small; the library's own start with a capital and tell what was received. */
const isOwnWords = (issue: Issue): boolean => !/^(?:Invalid|Too|Unrecognized)/.test(issue.message);

export function unknownKey(document: ConfigDocument, path: DocumentPath, key: string): ConfigMistake {
  const known = knownKeys(path);
  const nearest = findNearest(key, known);
  const hint = nearest === null ? `known here: ${known.join(", ")}` : `did you mean ${nearest}?`;
  return document.mistake([...path, key], `unknown key; ${hint}`, "key");
}

const missing = (document: ConfigDocument, path: DocumentPath): ConfigMistake =>
  document.mistake(path, `is missing; add ${String(path.at(-1))}`);

function wrongValue(
  document: ConfigDocument,
  path: DocumentPath,
  value: unknown,
  known: readonly string[],
): ConfigMistake {
  const nearest = typeof value === "string" ? findNearest(value, known) : null;
  return document.mistake(
    path,
    `expected ${known.join(" or ")}${nearest === null ? "" : `; did you mean ${nearest}?`}`,
  );
}

const wrongKind = (document: ConfigDocument, path: DocumentPath, known: readonly string[]): ConfigMistake =>
  wrongValue(document, path, valueAt(document.value, path), known);

const knownValues = (issue: Issue): readonly string[] =>
  "options" in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];

/** Of several possible forms, complains about the one that was most likely meant. */
function explainUnion(
  document: ConfigDocument,
  path: DocumentPath,
  issue: Issue & { code: "invalid_union" },
): ConfigMistake[] {
  const weight = (branch: readonly Issue[]): number =>
    branch.reduce(
      (sum, { code, ...rest }) => sum + (code === "unrecognized_keys" && "keys" in rest ? rest.keys.length : 1),
      0,
    );
  const isOtherType = (branch: readonly Issue[]): boolean =>
    branch.some(({ code, path }) => path.length === 0 && (code === "invalid_type" || code === "invalid_value"));
  const value = valueAt(document.value, path);
  const isEmpty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
  const [likeliest] = issue.errors.filter((branch) => !isOtherType(branch)).sort((a, b) => weight(a) - weight(b));
  if (likeliest === undefined || isEmpty) {
    const words = issue.errors
      .flat()
      .flatMap((inner) => (inner.code === "invalid_value" ? inner.values.map(String) : []));
    const nearest = typeof value === "string" ? findNearest(value, words) : null;
    return [document.mistake(path, `${issue.message}${nearest === null ? "" : `; did you mean ${nearest}?`}`)];
  }
  return likeliest.flatMap((inner) => explainIssue(document, path, inner));
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: "expected text; put quotes around it",
  number: "expected a number",
  int: "expected a whole number",
  boolean: "expected true or false",
  array: "expected a list, as in [a, b]",
  object: "expected a mapping, as in { key: value }",
  record: "expected a mapping from names to values",
};

const expected = (type: string): string => EXPECTED[type] ?? `expected ${type}`;

/** The keys that the schema knows at a place, over all forms that the place may have. */
function knownKeys(path: DocumentPath): readonly string[] {
  let at: readonly Record<string, unknown>[] = forms(configJsonSchema());
  for (const part of path) {
    at = at.flatMap((schema) => {
      const properties = schema["properties"] as Record<string, unknown> | undefined;
      const inner = typeof part === "number" ? schema["items"] : (properties?.[part] ?? schema["additionalProperties"]);
      return forms(inner);
    });
  }
  return [...new Set(at.flatMap((schema) => Object.keys((schema["properties"] as object | undefined) ?? {})))];
}

function forms(schema: unknown): readonly Record<string, unknown>[] {
  if (typeof schema !== "object" || schema === null) return [];
  const record = schema as Record<string, unknown>;
  const inner = [record["anyOf"], record["oneOf"], record["allOf"]].flatMap((list) =>
    Array.isArray(list) ? list : [],
  );
  return [record, ...inner.flatMap(forms)];
}
