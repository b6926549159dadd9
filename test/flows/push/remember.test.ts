import { expect, test } from "vitest";
import { rememberAnswers } from "../../../src/flows/push/remember.ts";

test("asks once for each text, also where the answer is undefined", () => {
  const asked: string[] = [];
  const answers = rememberAnswers((text) => {
    asked.push(text);
    return text === "none" ? undefined : text.length;
  });

  expect(["ana", "none", "ana", "none", "bo"].map(answers)).toEqual([3, undefined, 3, undefined, 2]);
  expect(asked).toEqual(["ana", "none", "bo"]);
});

test("does not keep long texts", () => {
  let asked = 0;
  const answers = rememberAnswers((text) => {
    asked += 1;
    return text.length;
  });
  const long = "a".repeat(501);

  expect([answers(long), answers(long)]).toEqual([501, 501]);
  expect(asked).toBe(2);
});

test("answers right, and holds a bounded number, however many texts there are", () => {
  let asked = 0;
  const answers = rememberAnswers((text) => {
    asked += 1;
    return Number(text);
  });

  for (let text = 0; text < 10_001; text++) expect(answers(String(text))).toBe(text);
  expect(answers("0")).toBe(0);
  expect(asked).toBe(10_002);
});
