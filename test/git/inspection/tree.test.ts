import { expect, test } from "vitest";
import { checkTree, TreeCursor } from "../../../src/git/inspection/tree.ts";

const OID = "1".repeat(40);

const tree = (...entries: readonly (readonly [mode: string, name: string])[]): Buffer =>
  Buffer.concat(
    entries.map(([mode, name]) => Buffer.concat([Buffer.from(`${mode} ${name}\0`, "latin1"), Buffer.alloc(20, 7)])),
  );

const FILE = "100644";
const DIRECTORY = "40000";

test.each<[string, Buffer]>([
  ["files and directories in git's order", tree([FILE, "a"], [FILE, "a-b"], [DIRECTORY, "b"], [FILE, "b0"])],
  ["a directory behind files whose names go on", tree([FILE, "a-"], [FILE, "a."], [DIRECTORY, "a"], [FILE, "a0"])],
  ["links, submodules, programs", tree(["120000", "l"], ["160000", "m"], ["100755", "p"])],
  ["modes of old versions of git", tree(["100664", "a"], ["040000", "b"])],
  ["names that only look like git's", tree([FILE, "..."], [FILE, ".gita"], [FILE, ".gitmodules"])],
  ["none", Buffer.alloc(0)],
])("taken: %s", (_, bytes) => {
  expect(() => checkTree(OID, bytes, 20)).not.toThrow();
});

test.each<[string, Buffer]>([
  ["a file twice", tree([FILE, "a"], [FILE, "a"])],
  ["a file and a directory of one name", tree([FILE, "a"], [DIRECTORY, "a"])],
  ["the two far from each other", tree([FILE, "a"], [FILE, "a-"], [FILE, "a-b"], [FILE, "a."], [DIRECTORY, "a"])],
  ["another order", tree([FILE, "b"], [FILE, "a"])],
  ["a directory that is sorted as a file", tree([DIRECTORY, "a"], [FILE, "a-"])],
  ["a slash", tree([FILE, "a/b"])],
  [".", tree([FILE, "."])],
  ["..", tree([DIRECTORY, ".."])],
  [".GIT", tree([DIRECTORY, ".GIT"])],
  ["GIT~1", tree([DIRECTORY, "GIT~1"])],
  ["no name", tree([FILE, ""])],
  ["a mode that git takes for a submodule", tree(["644", "a"])],
  ["a mode that is none", tree(["1006448", "a"])],
  ["an end in the middle", tree([FILE, "a"]).subarray(0, -1)],
  ["no end of the name", Buffer.from("100644 a")],
])("refused: %s", (_, bytes) => {
  expect(() => checkTree(OID, bytes, 20)).toThrow(`tree ${OID} is malformed`);
});

test("an entry is the same as another only with mode and id", () => {
  const cursor = (mode: string, id: number): TreeCursor =>
    new TreeCursor(OID, Buffer.concat([Buffer.from(`${mode} a\0`), Buffer.alloc(20, id)]), 20);
  expect(cursor(FILE, 1).isSame(cursor(FILE, 1))).toBe(true);
  expect(cursor(FILE, 1).isSame(cursor("100664", 1))).toBe(true);
  expect(cursor(FILE, 1).isIdentical(cursor("100664", 1))).toBe(false);
  expect(cursor(FILE, 1).isSame(cursor(FILE, 2))).toBe(false);
  expect(cursor(FILE, 1).isSame(cursor("100755", 1))).toBe(false);
  expect(cursor(FILE, 1).compare(cursor(DIRECTORY, 1))).toBeLessThan(0);
});
