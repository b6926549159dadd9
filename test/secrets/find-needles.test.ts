/** How tests look for secrets that must be nowhere: what this overlooks, none of them would notice. */
import { expect, test } from "vitest";
import { findNeedles, findNeedlesInTurns, plants } from "../harness/plants.ts";
import { builtin } from "./builtin-rules.ts";

const planted = plants(builtin, null, (text) => text);
const needles = planted.flatMap(({ id, needles }) => needles.map((needle) => [needle, id] as const));

const forms: Readonly<Record<string, (needle: string) => string>> = {
  clear: (needle) => needle,
  "JSON's": (needle) => JSON.stringify(needle).slice(1, -1),
  "a row's": (needle) => needle.replaceAll("\\", "\\\\"),
  "an address's": (needle) => encodeURIComponent(needle),
};

test.each(Object.entries(forms))("every needle is found in %s form, at the edges of a text too", (_, form) => {
  expect(needles.length).toBeGreaterThan(500);
  const overlooked = needles.filter(([needle, id]) =>
    [form(needle), `${form(needle)} after`, `before ${form(needle)}`, `ü${form(needle)}ü`].some(
      (text) => findNeedles(text, [[needle, id]]).length === 0,
    ),
  );
  expect(overlooked).toEqual([]);
});

test("each of many is found in one pass, also where a long text is read in turns", async () => {
  const ids = new Set(needles.map(([, id]) => id));
  const text = needles.map(([needle]) => `${"x".repeat(1_500)}${needle}`).join("");
  expect(text.length).toBeGreaterThan(1_000_000);
  const told = (found: readonly string[]): Set<string> => new Set(found.map((one) => one.split(": …")[0] ?? ""));
  expect(told(findNeedles(text, needles))).toEqual(ids);
  expect(told(await findNeedlesInTurns(text, needles))).toEqual(ids);
});

test("what only begins like a needle is none", () => {
  expect(findNeedles("secret-value-1 secret-value", [["secret-value-2", "a"]])).toEqual([]);
  expect(findNeedles("", [["secret-value-2", "a"]])).toEqual([]);
});
