import { expect, test } from "vitest";
import { readBuiltRules } from "../../src/config/built-secret-rules.ts";
import { readBuiltinRules } from "../../src/config/secret-rules.ts";
import { parseRules } from "../../src/secrets/rules.ts";
import { builtinFiles } from "./builtin-rules.ts";

test("rules that were read at the build are what the files say", () => {
  for (const { name, text, rules } of builtinFiles) expect({ ok: true, value: rules }, name).toEqual(parseRules(text));
});

test("a rule file that has been changed since the build is read anew, and so are all", async () => {
  const files = await readBuiltinRules();
  expect(await readBuiltRules(files)).not.toBeNull();
  for (const changed of [
    files.map((file, i) => (i === 3 ? { ...file, text: `${file.text}\n` } : file)),
    files.slice(1),
    files.toReversed(),
  ]) {
    expect(await readBuiltRules(changed)).toBeNull();
  }
});
