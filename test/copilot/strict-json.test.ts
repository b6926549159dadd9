import { expect, test } from "vitest";
import { parseStrictJson } from "../../src/copilot/strict-json.ts";

const parse = (text: string) => parseStrictJson(Buffer.from(text));

test.each([
  '{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}',
  String.raw`{"a":"{\"a\":1,\"a\":2}","b\"":"\\","c":"\\\"a"}`,
  '[" \\" ",{"a":[],"b":{}}]',
  '"a"',
  "null",
])("reads what can be read in one way: %s", (text) => {
  expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
});

test.each([
  ['{"a":1,"a":2}', "repeats a name"],
  ['{"x":[{"model":"m","messages":[],"model":"n"}]}', "repeats a name"],
  [String.raw`{"a":1,"\u0061":2}`, "repeats a name"],
  ['{"a":{"b":1},"a":2}', "repeats a name"],
  ['{"a":1', "not valid JSON"],
  ['{"a":"', "not valid JSON"],
  ["", "not valid JSON"],
  ['\ufeff{"a":1}', "not valid JSON"],
  ["[".repeat(300) + "]".repeat(300), "nests deeper"],
])("refuses %s", (text, reason) => {
  const result = parse(text);
  expect(result.ok ? "read" : result.error).toContain(reason);
});

test("refuses bytes that are not UTF-8", () => {
  expect(parseStrictJson(Buffer.from([0x22, 0xff, 0x22]))).toEqual({ ok: false, error: "the body is not UTF-8" });
});
