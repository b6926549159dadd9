import { execFileSync } from "node:child_process";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isRefName } from "../../src/git/ref-name.ts";

const gitSays = (name: string): boolean => {
  try {
    execFileSync("git", ["check-ref-format", name], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

describe("isRefName", () => {
  it.each([
    "refs/heads/main",
    "refs/heads/a/b.c",
    "refs/tags/v1.0",
    "refs/notes/commits",
    "refs/heads/日本",
    "refs/heads/@",
    "refs/heads/a.lock",
    "refs/heads/a.lock/b",
    "refs/heads/.a",
    "refs/heads/a..b",
    "refs/heads/a.",
    "refs/heads/a/",
    "refs/heads//a",
    "refs/heads/a b",
    "refs/heads/a~1",
    "refs/heads/a^",
    "refs/heads/a:b",
    "refs/heads/a?",
    "refs/heads/a*",
    "refs/heads/[a",
    "refs/heads/a\\b",
    "refs/heads/a@{1}",
    "refs/heads/a\x7f",
    "refs/heads/a\x01",
    "refs/heads/a\tb",
  ])("agrees with git check-ref-format on %j", (name) => {
    expect(isRefName(name)).toBe(gitSays(name));
  });

  it("agrees with git on made-up names", () => {
    const name = fc.string({ unit: fc.constantFrom(...Array.from("ab/.@{~\\ -"), ".lock", ".."), maxLength: 8 });
    fc.assert(
      fc.property(name, (tail) => {
        expect(isRefName(`refs/heads/${tail}`)).toBe(gitSays(`refs/heads/${tail}`));
      }),
      { numRuns: 60 },
    );
  });

  it("takes nothing outside of refs/, and nothing endless", () => {
    expect(isRefName("HEAD")).toBe(false);
    expect(isRefName("heads/main")).toBe(false);
    expect(isRefName(`refs/heads/${"a".repeat(1013)}`)).toBe(true);
    expect(isRefName(`refs/heads/${"a".repeat(1014)}`)).toBe(false);
  });
});
