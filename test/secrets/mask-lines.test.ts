import * as fc from "fast-check";
import { expect, test } from "vitest";
import { maskLines } from "../../src/secrets/mask-lines.ts";
import { maskText } from "../../src/secrets/mask.ts";
import { builtin, builtinExamples, fingerprint, pem, secrets } from "./builtin-rules.ts";

const byLine = (text: string, path?: string) => maskLines(text, builtin, fingerprint, path);

test("a secret of several lines becomes a mask on each of them", () => {
  const masked = byLine(`before\n${pem(3)}\nafter ${secrets.awsKey}\n`).split("\n");
  expect(masked).toHaveLength(8);
  expect(masked[0]).toBe("before");
  for (const line of masked.slice(1, 6)) expect(line).toMatch(/^⟦private-key:[0-9a-f]{8}⟧$/);
  expect(masked[6]).toMatch(/^after ⟦aws-access-key:[0-9a-f]{8}⟧$/);
});

test("what is a secret in certain files only is masked in these", () => {
  const line = "db.acme.dev:5432:app:app:Lv8bPeNm7y1PyZMQc8";
  expect(byLine(line)).toBe(line);
  expect(byLine(line, "home/.pgpass")).toMatch(/^db\.acme\.dev:5432:app:app:⟦pgpass-password:[0-9a-f]{8}⟧$/);
});

test("without secrets of several lines it is what maskText gives, and there are always as many lines as before", () => {
  const parts = [
    ...builtinExamples.map(([, text]) => text),
    pem(2),
    "\n",
    " ",
    "⟦aws-access-key:0a1b2c3d⟧",
    'password = "',
    '"',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 8 }), (pieces) => {
      const text = pieces.join("");
      const masked = byLine(text);
      expect(masked.split("\n")).toHaveLength(text.split("\n").length);
      // It has fewer lines where a secret of several became one mask.
      const plain = maskText(text, builtin, fingerprint).text;
      if (plain.split("\n").length === text.split("\n").length) expect(masked).toBe(plain);
    }),
    { numRuns: 300 },
  );
});
