import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesGlob } from "../../src/model/glob.ts";
import { cpuTimeMs } from "../harness/cpu-time.ts";

describe("matchesGlob", () => {
  it.each([
    ["refs/heads/main", "refs/heads/main"],
    ["refs/heads/release/*", "refs/heads/release/1.2"],
    ["refs/heads/release-*", "refs/heads/release-"],
    ["refs/heads/*-stable", "refs/heads/1-2-stable"],
    ["refs/heads/**", "refs/heads/a/b/c"],
    ["code/**", "code/team/app"],
    ["code/*/app", "code/team/app"],
    ["**", "anything/at/all"],
    ["**", ""],
    ["*", ""],
    ["**/app", "app"],
    ["**/app", "code/team/app"],
    ["code/**/app", "code/app"],
    ["code/**/app", "code/a/b/app"],
    ["a**z", "a/b/z"],
    ["code/a.b", "code/a.b"],
    ["", ""],
  ])("%s matches %s", (pattern, text) => {
    expect(matchesGlob(pattern, text)).toBe(true);
  });

  it.each([
    ["refs/heads/main", "refs/heads/main2"],
    ["refs/heads/main", "refs/heads/mai"],
    ["refs/heads/main", "xrefs/heads/main"],
    ["refs/heads/release/*", "refs/heads/release/1/2"],
    ["refs/heads/*", "refs/heads/a/b"],
    ["code/**", "code"],
    ["code/**", "codex/app"],
    ["**/app", "myapp"],
    ["code/**/app", "code/xapp"],
    ["code/a.b", "code/aXb"],
    ["code/[ab]", "code/a"],
    ["", "a"],
    ["refs/heads/main", "refs/heads/Main"],
  ])("%s does not match %s", (pattern, text) => {
    expect(matchesGlob(pattern, text)).toBe(false);
  });

  it("is not stalled by a text made to backtrack", () => {
    const before = cpuTimeMs();
    expect(matchesGlob(`${"**a".repeat(30)}b`, "a".repeat(20_000))).toBe(false);
    expect(cpuTimeMs() - before).toBeLessThan(3_000);
  });
});

describe("matchesGlob, against a regular expression", () => {
  /** The same by backtracking, which is right for texts as short as these. */
  const reference = (pattern: string): RegExp =>
    new RegExp(
      `^${pattern
        .replace(/[.]/g, "\\$&")
        .replace(/(^|\/)\*\*\//g, "$1<segments>")
        .replaceAll("**", "<any>")
        .replaceAll("*", "[^/]*")
        .replaceAll("<segments>", "(?:[^]*/)?")
        .replaceAll("<any>", "[^]*")}$`,
    );

  it("agrees", () => {
    const unit = fc.constantFrom("a", "b", "/", "*", "**", "**/");
    fc.assert(
      fc.property(
        // Three stars in a row are read from the left here and there in different ways: nobody means them.
        fc.string({ unit, maxLength: 6 }).filter((pattern) => !/\*{3}|\*\*\/\*\*\//.test(pattern)),
        fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 8 }),
        (pattern, text) => {
          expect(matchesGlob(pattern, text)).toBe(reference(pattern).test(text));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
