import { readBuiltinRules } from "../../src/config/secret-rules.ts";
import { createDetector } from "../../src/secrets/detector.ts";
import { createFingerprint } from "../../src/secrets/fingerprint.ts";
import type { Rule } from "../../src/secrets/rule.ts";
import { parseRules } from "../../src/secrets/rules.ts";

/** The files that `builtin` stands for, in their order. */
export const builtinFiles = await readBuiltinRules();

export function builtinRules(): readonly Rule[] {
  return builtinFiles.flatMap(({ name, text, rules }) => {
    if (rules !== undefined) return rules;
    const parsed = parseRules(text);
    if (!parsed.ok) throw new Error(`${name}: ${JSON.stringify(parsed.error)}`);
    return parsed.value;
  });
}

export const builtin = createDetector(builtinRules());
export const fingerprint = createFingerprint(new Uint8Array(32).fill(7));

/** Every example that a rule must find whatever file it stands in, with the rule's id. */
export const builtinExamples = builtin.rules
  .filter(({ path }) => path === null)
  .flatMap((rule) => rule.examples.match.map((text) => [rule.id, text] as const));

// Made up, and put together here so that no secret scanner takes this file for a leak.
const joined = (...parts: string[]): string => parts.join("");
export const secrets = {
  awsKey: joined("AK", "IA6NUU6OM73YMZGNTV"),
  awsSecret: joined("UCz8ZbM1brtspDujy/", "mLnnsX3dauu29nglYEijIF"),
  githubValid: joined("gh", "p_pGKCFCqy7IUyZdF9ZegW0sH1rzVBoq3EfJ5v"),
  githubInvalid: joined("gh", "p_pGKCFCqy7IUyZdF9ZegW0sH1rzVBoq3EfJ5w"),
  sallyport: joined("gh", "o_ycXFEaUPl8npO0y23Ve2lMmR7GWvaiV3fUqif69JX51rVwMxq"),
  slack: joined("xo", "xb-36718297441-827121168857-Y4tCWNXEbuti2ggoayjkABrZ"),
  npm: joined("np", "m_Ls56aTq5wooY6HSenwZ7MxX3rrnPmb1mzWNv"),
  jwt: joined("ey", "JvtsXKKwCnHNmkhUlnn.ey", "Jkzb7eiq8HoAfL3hXkd.TuVYiqnPCurfRsGIt4ej8qf"),
};

const keyLine = "BI9hhAG2BR3NxXYul6C5AG8UpYagwqpWp1Zw09PtXkBleZesLvDjHvtl0oW44pm7";
export const pemHeader = joined("-----BEGIN ", "RSA PRIVATE KEY-----");
export const pemFooter = joined("-----END ", "RSA PRIVATE KEY-----");
/** A key of `lines` lines. */
export const pem = (lines = 3): string =>
  [pemHeader, ...Array.from({ length: lines }, () => keyLine), pemFooter].join("\n");
