import { expect, it } from "vitest";
import { mintUserCode, parseUserCode } from "../../../src/web/github/user-code.ts";

it("makes eight letters that are no words and no digits", () => {
  expect(mintUserCode(() => 0)).toBe("BBBB-BBBB");
  expect(mintUserCode((max) => max - 1)).toBe("ZZZZ-ZZZZ");
  for (let count = 0; count < 200; count += 1) {
    const code = mintUserCode();
    expect(code).toMatch(/^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/);
    expect(parseUserCode(code)).toBe(code);
  }
});

it.each(["bcdf-ghjk", " BCDF GHJK ", "bcdfghjk", "BCDF–GHJK", "b c d f g h j k"])("takes %s as it is meant", (text) => {
  expect(parseUserCode(text)).toBe("BCDF-GHJK");
});

it.each(["", "BCDF-GHJ", "BCDF-GHJKL", "ABCD-EFGH", "BCDF-GHJ1", "ＢCDF-GHJK", "x".repeat(10_000), null, 7])(
  "takes %s for no code",
  (text) => expect(parseUserCode(text)).toBeNull(),
);
