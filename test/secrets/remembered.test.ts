import { expect, test } from "vitest";
import { forgetTexts, remembered } from "../../src/secrets/remembered.ts";

test("what was asked of a text lately is not asked again until it is forgotten", () => {
  const asked: string[] = [];
  const lengthOf = remembered((text) => {
    asked.push(text);
    return text.length;
  });
  const texts = ["a", "bb", "ccc", "dddd"];
  for (let turn = 0; turn < 3; turn++) expect(texts.map(lengthOf)).toEqual([1, 2, 3, 4]);
  expect(asked).toEqual(texts);
  expect(lengthOf("eeeee")).toBe(5);
  expect(lengthOf("dddd")).toBe(4);
  expect(asked).toEqual([...texts, "eeeee"]);
  expect(lengthOf("a")).toBe(1);
  expect(asked).toEqual([...texts, "eeeee", "a"]);
  forgetTexts();
  expect(lengthOf("a")).toBe(1);
  expect(asked).toEqual([...texts, "eeeee", "a", "a"]);
});
