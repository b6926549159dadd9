import { expect, it } from "vitest";
import { relatePaths } from "../../src/attribution/paths.ts";

it.each([
  ["src/a.ts", "src/a.ts", "same"],
  ["/home/ana/project/src/a.ts", "src/a.ts", "same"],
  ["file:///home/ana/project/src/a.ts", "src/a.ts", "same"],
  ["C:\\project\\src\\a.ts", "src/a.ts", "same"],
  ["./src/a.ts", "src/a.ts", "same"],
  ["lib/a.ts", "packages/one/lib/a.ts", "same"],
  ["index.ts", "src/index.ts", "unknown"],
  ["/home/ana/project/README.md", "README.md", "unknown"],
  ["README.md", "README.md", "same"],
  [null, "src/a.ts", "unknown"],
  ["", "src/a.ts", "unknown"],
  ["src/b.ts", "src/a.ts", "other"],
  ["test/a.ts", "src/a.ts", "other"],
  ["xsrc/a.ts", "src/a.ts", "other"],
] as const)("%j against %j is %s", (suggested, committed, relation) => {
  expect(relatePaths(suggested, committed)).toBe(relation);
});
