import { expect, it } from "vitest";
import { firstIdOf, isId, newId } from "../../src/model/id.ts";

it("orders ids by their time", () => {
  const before = firstIdOf(new Date(Date.now() - 1));
  const id = newId();
  const after = firstIdOf(new Date(Date.now() + 1));
  expect([after, id, before].sort()).toEqual([before, id, after]);
  expect(isId(before)).toBe(true);
  expect(firstIdOf(new Date(-5))).toBe("00000000-0000-7000-8000-000000000000");
});
