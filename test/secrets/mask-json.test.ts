import { expect, test } from "vitest";
import { maskJson } from "../../src/secrets/mask-json.ts";
import { maskText } from "../../src/secrets/mask.ts";
import { builtin, fingerprint, pem, secrets } from "./builtin-rules.ts";

const mask = (text: string): string => maskText(text, builtin, fingerprint).text;
const masked = (value: unknown): unknown => maskJson(value, mask);
const aws = mask(secrets.awsKey);

test("strings and names are masked wherever they stand, everything else stays", () => {
  const value = { a: [1, null, true, `x ${secrets.awsKey}`], [secrets.awsKey]: { b: secrets.awsKey }, n: 1e21 };
  expect(masked(value)).toEqual({ a: [1, null, true, `x ${aws}`], [aws]: { b: aws }, n: 1e21 });
});

test("a value is a secret by the name that it stands under", () => {
  const value = { password: "hunter2-and-3-more", title: "hunter2-and-3-more" };
  expect(masked(value)).toEqual({
    password: expect.stringMatching(/^⟦generic-password:[0-9a-f]{8}⟧$/) as string,
    title: "hunter2-and-3-more",
  });
});

test("JSON in a string stays JSON, its numbers and blanks as they were", () => {
  const inside = `{ "id": 12345678901234567890, "text": "a\\n${secrets.awsKey}\\tb", "password": "hunter2-and-3-more" }`;
  const { args } = masked({ args: inside }) as { args: string };
  expect(args).not.toContain("hunter2");
  expect(args).not.toContain(secrets.awsKey);
  expect(args).toContain('{ "id": 12345678901234567890, "text": ');
  expect(JSON.parse(args)).toMatchObject({ text: `a\n${aws}\tb`, password: expect.stringContaining("⟦") as string });
});

test.each([1, 2, 3, 4])("a private key under %i layers of JSON", (layers) => {
  let value: unknown = { key: pem(5) };
  for (let i = 0; i < layers; i++) value = { arguments: JSON.stringify(value) };
  let result = masked(value) as Record<string, string>;
  for (let i = 0; i < layers; i++) result = JSON.parse(result["arguments"]!) as Record<string, string>;
  expect(result["key"]).toMatch(/^⟦private-key:[0-9a-f]{8}⟧$/);
});

test("a secret that is written with escapes is found in the decoded text", () => {
  const escaped = `{"t":"\\u0041${secrets.awsKey.slice(1)}"}`;
  expect(masked(escaped)).toBe(`{"t":"${aws}"}`);
});

test("a string that only looks like JSON is masked as text", () => {
  expect(masked(`{ broken ${secrets.awsKey}`)).toBe(`{ broken ${aws}`);
});

test("a name that would reach the prototype stays a name", () => {
  const value: unknown = JSON.parse('{"__proto__": {"a": 1}}');
  const result = masked(value) as object;
  expect(Object.keys(result)).toEqual(["__proto__"]);
  expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
});

test("what is nested too deep to be read is not kept", () => {
  const text = `${"[".repeat(5000)}"${secrets.awsKey}"${"]".repeat(5000)}`;
  expect(JSON.stringify(masked(JSON.parse(text)))).toContain("⟦not-scanned:nesting⟧");
  expect(masked(text)).not.toContain(secrets.awsKey);
});
