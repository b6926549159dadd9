import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { addedLines, gitBytes, startScene, ZERO, type Scene } from "./inspection.ts";

type Entry = readonly [mode: string, name: string, oid: string];

async function tree(scene: Scene, entries: readonly Entry[]): Promise<string> {
  const bytes = entries.map(([mode, name, oid]) =>
    Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, "hex")]),
  );
  await writeFile(path.join(scene.root, "tree"), Buffer.concat(bytes));
  return scene.must("hash-object", "-w", "-t", "tree", "--literally", path.join(scene.root, "tree"));
}

async function blob(scene: Scene, content: string): Promise<string> {
  return (await gitBytes(["hash-object", "-w", "--stdin"], scene.work, content)).toString().trim();
}

/** Every object by name: git's own walks would stumble over some of these. */
const packOf = (scene: Scene, oids: readonly string[]): Promise<Buffer> =>
  gitBytes(["pack-objects", "--stdout", "-q"], scene.work, `${oids.join("\n")}\n`);

test.each([
  ["a name that is there twice", "a.txt", "a.txt"],
  ["entries in the wrong order", "b.txt", "a.txt"],
  ["a name that is also a path", "a/b", "a"],
  ["a name of git's own", ".git", ".gitmodules"],
  ["names that lead elsewhere", "..", "."],
])("what a malformed tree holds is read, or the push is refused: %s", async (_, first, second) => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "old\n" });
  await scene.land("refs/heads/main", base);
  const [plain, secret] = [await blob(scene, "plain\n"), await blob(scene, "TOKEN-123456\n")];
  for (const [one, two] of [
    [plain, secret],
    [secret, plain],
  ] as const) {
    const root = await tree(scene, [
      ["100644", first, one],
      ["100644", second, two],
    ]);
    const commit = await scene.must("commit-tree", root, "-p", base, "-m", "x");
    const pack = await packOf(scene, [commit, root, plain, secret]);
    const outcome = await scene
      .inspect({ updates: [{ ref: "refs/heads/main", oldOid: base, newOid: commit }], pack })
      .then((objects) => addedLines(objects))
      .catch((error: unknown) => [`refused: ${String(error)}`]);
    expect(outcome.join("\n")).toMatch(/TOKEN-123456|refused: GatewayError/);
  }
});

test("zero-padded modes of old versions of git pass, and are read", async () => {
  const scene = await startScene();
  const content = await blob(scene, "content\n");
  const inner = await tree(scene, [["100644", "f.txt", content]]);
  const root = await tree(scene, [["040000", "dir", inner]]);
  const commit = await scene.must("commit-tree", root, "-m", "x");
  const pack = await packOf(scene, [commit, root, inner, content]);

  const objects = await scene.inspect({ updates: [{ ref: "refs/heads/main", oldOid: ZERO, newOid: commit }], pack });

  expect(await addedLines(objects, { commit })).toEqual(["commit dir/f.txt:1 content"]);
});
