import { expect, it } from "vitest";
import { isNamed } from "../../src/model/who.ts";

const person = { email: "kim@example.com", groups: ["eng"] };

it.each([["*"], ["eng"], ["user:kim@example.com"], ["user:KIM@Example.com"]])("%s names them", (name) => {
  expect(isNamed(person, [name])).toBe(true);
});

// The Kelvin sign (U+212A) is a `k` to Unicode's lower case: another address, which somebody else may register.
it.each([["Eng"], ["kim@example.com"], ["user:kim@example.org"], ["user:\u212Aim@example.com"], ["user:"], ["**"]])(
  "%s does not",
  (name) => {
    expect(isNamed(person, [name])).toBe(false);
  },
);

it("names nobody by an empty address", () => {
  expect(isNamed({ email: "", groups: [] }, ["user:"])).toBe(false);
});
