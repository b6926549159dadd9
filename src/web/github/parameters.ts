/** What a client sends to an OAuth endpoint: a form, JSON, or parameters in the address, as each of GitHub's clients has it. */
import type { Context } from "hono";
import { err, ok, type Result } from "../../errors.ts";

export type Parameters = ReadonlyMap<string, string>;

const REPEATED = "a parameter stands there more than once";

/** @returns or what is wrong, for `error_description` */
export async function readParameters(c: Context): Promise<Result<Parameters, string>> {
  const pairs = [...new URL(c.req.url).searchParams];
  const type = (c.req.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  const body = await c.req.text();
  if (type === "application/json") {
    const json = parseJson(body);
    if (json === null) return err("the body is no JSON object");
    for (const [name, value] of Object.entries(json)) if (typeof value === "string") pairs.push([name, value]);
  } else if (body !== "") pairs.push(...new URLSearchParams(body));
  return collect(pairs);
}

/** RFC 6749, section 3.1: a parameter comes once. One reader's first is another one's last. */
export function collect(pairs: readonly (readonly [string, string])[]): Result<Parameters, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of pairs) {
    if (parameters.has(name)) return err(REPEATED);
    parameters.set(name, value);
  }
  return ok(parameters);
}

function parseJson(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
