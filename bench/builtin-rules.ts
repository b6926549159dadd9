/** The rules that come with the gateway, as it reads them itself. */
import { readBuiltinRules } from "../src/config/secret-rules.ts";
import type { Rule } from "../src/secrets/rule.ts";
import { parseRules } from "../src/secrets/rules.ts";

/** @throws Error where a file of them cannot be read: the first mistake in it */
export async function builtinRules(): Promise<readonly Rule[]> {
  const files = await readBuiltinRules();
  return files.flatMap(({ name, text, rules }) => {
    if (rules !== undefined) return rules;
    const parsed = parseRules(text);
    if (!parsed.ok) throw new Error(`${name}: ${JSON.stringify(parsed.error[0])}`);
    return parsed.value;
  });
}
