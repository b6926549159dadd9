/**
 * Reports of telemetry as Application Insights takes them: a JSON list of envelopes, or one envelope a line.
 *
 * ```
 * {"name", "time", "iKey", "tags": {…}, "data": {"baseType", "baseData": {"name", "properties": {…}, "measurements": {…}}}}
 * ```
 * Pure.
 */
import { asObject, isObject, type JsonObject } from "./json-value.ts";
import { parseStrictJson } from "./strict-json.ts";

export interface Reports {
  readonly envelopes: readonly JsonObject[];
  readonly form: "list" | "lines" | "one";
}

/** @returns null where the body is something else */
export function parseReports(body: Buffer): Reports | null {
  const whole = parseStrictJson(body);
  if (whole.ok) {
    if (isObject(whole.value)) return { envelopes: [whole.value], form: "one" };
    return Array.isArray(whole.value) && whole.value.every(isObject) ? { envelopes: whole.value, form: "list" } : null;
  }
  const lines = body
    .toString("utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => parseStrictJson(Buffer.from(line)));
  const envelopes = lines.map((line) => (line.ok && isObject(line.value) ? line.value : null));
  if (envelopes.length === 0 || envelopes.includes(null)) return null;
  return { envelopes: envelopes.map(asObject), form: "lines" };
}

export function encodeReports({ envelopes, form }: Reports): Buffer {
  if (form === "lines") return Buffer.from(envelopes.map((envelope) => `${JSON.stringify(envelope)}\n`).join(""));
  return Buffer.from(JSON.stringify(form === "one" ? envelopes[0] : envelopes));
}

/** Codes, versions, ids, names of events. What a person or a model wrote has spaces, or is long. */
const PLAIN = /^[\w.:/@+-]{0,64}$/;

/** Without everything that could be somebody's words: what is left counts and measures. Names go by the same rule. */
export function stripReport(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return PLAIN.test(value) ? value : "";
  if (typeof value !== "object" || value === null) return value;
  if (depth > 12) return null;
  if (Array.isArray(value)) return value.map((item) => stripReport(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => PLAIN.test(name))
      .map(([name, item]: [string, unknown]) => [name, stripReport(item, depth + 1)]),
  );
}
