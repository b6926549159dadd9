import { expect, test } from "vitest";
import { readAdditions } from "../../src/git/additions.ts";
import { readChanges } from "../../src/git/commits.ts";
import { addedLines, collect, startScene, ZERO } from "./inspection.ts";

const main = (oldOid: string, newOid: string) => ({ ref: "refs/heads/main", oldOid, newOid });

test("a first push into an empty repository: every commit's own lines, with their numbers", async () => {
  const scene = await startScene();
  const one = await scene.commit("one", { "a.txt": "first\nsecond\n" });
  const two = await scene.commit("two", { "a.txt": "first\nbetween\nsecond\nlast" });

  const objects = await scene.inspect({ updates: [main(ZERO, two)] });

  expect(objects.commits).toEqual([one, two]);
  expect(await addedLines(objects, { one, two })).toEqual([
    "one a.txt:1 first",
    "one a.txt:2 second",
    "two a.txt:2 between",
    "two a.txt:4 last",
  ]);
});

test("what a later commit takes out again is seen in the commit that had it", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const guilty = await scene.commit("guilty", { "a.txt": "a\nhunter2\n" });
  const clean = await scene.commit("clean", { "a.txt": "a\n" });

  const objects = await scene.inspect({ updates: [main(base, clean)] });

  expect(await addedLines(objects, { guilty })).toEqual(["guilty a.txt:2 hunter2"]);
});

test("a thin pack is completed from the upstream, and only the changed line of a large file counts", async () => {
  const scene = await startScene();
  const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index} ${(index * 7919) % 104_729}`);
  const base = await scene.commit("base", { "big.txt": lines.join("\n") });
  await scene.land("refs/heads/main", base);
  lines[777] = "changed";
  const next = await scene.commit("next", { "big.txt": lines.join("\n") });
  const pack = await scene.pack([next], [base]);
  expect(pack.length).toBeLessThan(2000);

  const objects = await scene.inspect({ updates: [main(base, next)], pack });

  expect(await addedLines(objects, { next })).toEqual(["next big.txt:778 changed"]);
});

test("merges: what is in no parent is the merge's own, what came from a parent is not", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n", "b.txt": "b\n" });
  await scene.land("refs/heads/main", base);
  await scene.must("checkout", "-q", "-b", "side");
  const side = await scene.commit("side", { "b.txt": "b\nfrom side\n" });
  await scene.must("checkout", "-q", "main");
  const own = await scene.commit("own", { "a.txt": "a\nfrom main\n" });
  await scene.must("merge", "-q", "--no-commit", "side");
  const merge = await scene.commit("merge", {
    "b.txt": "b\nfrom side\nevil line\n",
    "new/evil.txt": "evil file\n",
  });

  const objects = await scene.inspect({ updates: [main(base, merge)] });

  expect((await addedLines(objects, { side, own, merge })).sort()).toEqual([
    "merge b.txt:3 evil line",
    "merge new/evil.txt:1 evil file",
    "own a.txt:2 from main",
    "side b.txt:2 from side",
  ]);
});

test("renames and moves tell only what is new; the names themselves are changes", async () => {
  const scene = await startScene();
  const text = Array.from({ length: 40 }, (_, index) => `line ${index}`).join("\n");
  const base = await scene.commit("base", { "old/name.txt": `${text}\n`, "other.txt": `${text} x\nshort\n` });
  await scene.land("refs/heads/main", base);
  const moved = await scene.commit("moved", {
    "old/name.txt": null,
    "new/name.txt": `${text}\n`,
    "other.txt": null,
    "renamed and changed.txt": `${text} x\nshort\nadded\n`,
  });

  const objects = await scene.inspect({ updates: [main(base, moved)] });

  expect(await addedLines(objects, { moved })).toEqual(["moved renamed and changed.txt:42 added"]);
  const changes = await collect(readChanges(objects));
  expect(changes.map(({ kind, path }) => `${kind} ${path}`).sort()).toEqual([
    "add new/name.txt",
    "add renamed and changed.txt",
    "delete old/name.txt",
    "delete other.txt",
  ]);
});

test("names of every kind come through: spaces, quotes, line feeds, tabs, other scripts, bytes that are no UTF-8", async () => {
  const scene = await startScene();
  const names = [
    "with space",
    'quo"te',
    "back\\slash",
    "line\nfeed",
    "tab\there",
    "größe 🙂",
    " b/x",
    "-rf",
    "a b/a b",
  ];
  const files = Object.fromEntries(names.map((name) => [name, `in ${JSON.stringify(name)}\n`]));
  const one = await scene.commit("one", files);

  const objects = await scene.inspect({ updates: [main(ZERO, one)] });

  const added = (await addedLines(objects, { one })).sort();
  expect(added).toEqual(names.map((name) => `one ${name}:1 in ${JSON.stringify(name)}`).sort());
  const changes = await collect(readChanges(objects));
  expect(changes.map((change) => change.path).sort()).toEqual([...names].sort());
});

test("`.gitattributes` of the push hides nothing", async () => {
  const scene = await startScene();
  const one = await scene.commit("one", {
    ".gitattributes": "* -diff -text binary\n*.key diff=secret filter=x\n",
    "a.key": "key material\n",
    "dir/.gitattributes": "* binary\n",
    "dir/b.txt": "more of it\n",
  });

  const objects = await scene.inspect({ updates: [main(ZERO, one)] });

  const added = await addedLines(objects, { one });
  expect(added).toContain("one a.key:1 key material");
  expect(added).toContain("one dir/b.txt:1 more of it");
});

test.each([
  ["NUL in a text", Buffer.from("fine\nTOKEN-123456 \0 rest\n"), 2],
  [
    "NUL between every letter, after many lines of text",
    Buffer.from(`${"x\n".repeat(9000)}T\0O\0K\0E\0N\0-\x001\x002\x003\x004\x005\x006\0\n`),
    9001,
  ],
  ["a program", Buffer.concat([Buffer.alloc(300, 1), Buffer.from("\n\n\0\0TOKEN-123456\0\0")]), 3],
  ["UTF-16LE with a mark", Buffer.from("\ufeffone\r\nTOKEN-123456 é\r\n", "utf16le"), 2],
  ["UTF-16BE with a mark", Buffer.from("\ufeffone\nTOKEN-123456\n", "utf16le").swap16(), 2],
  ["UTF-16LE without a mark", Buffer.from("one\nTOKEN-123456\n", "utf16le"), 2],
  ["UTF-16BE without a mark", Buffer.from("one\nTOKEN-123456\n", "utf16le").swap16(), 2],
  ["UTF-32", Buffer.from(Uint32Array.from(Buffer.from("one\nTOKEN-123456\n")).buffer), 2],
  ["ASCII behind a false UTF-16 mark", Buffer.from("\xff\xfe\nTOKEN-123456\n\0", "latin1"), 2],
  ["ISO-8859-1", Buffer.from("größe\nTOKEN-123456\n", "latin1"), 2],
])("content that is no plain text is read: %s", async (_, content, line) => {
  const scene = await startScene();
  const base = await scene.commit("base", { "f.bin": Buffer.from("\0\0old content here\0") });
  await scene.land("refs/heads/main", base);
  const one = await scene.commit("one", { "f.bin": content });

  const added = await addedLines(await scene.inspect({ updates: [main(base, one)] }), { one });

  const found = added.filter((text) => text.includes("TOKEN-123456"));
  expect(found.map((text) => text.split(" ")[1])).toEqual(found.map(() => `f.bin:${line}`));
  expect(found.length).toBeGreaterThan(0);
});

test("of a binary file that changes, what was in it before is not told again", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "f.bin": Buffer.from("\0\x01OLD-SECRET\0\n\0") });
  await scene.land("refs/heads/main", base);
  const one = await scene.commit("one", { "f.bin": Buffer.from("\0\x01OLD-SECRET\0\n\0NEW-SECRET\0") });

  expect(await addedLines(await scene.inspect({ updates: [main(base, one)] }), { one })).toEqual([
    "one f.bin:2 NEW-SECRET",
  ]);
});

test("files that are too large to compare are read in pieces that overlap, and compared line by line", async () => {
  const scene = await startScene();
  const lines = Array.from({ length: 150_000 }, (_, index) => `line number ${index} of a large file`);
  const base = await scene.commit("base", { "large.txt": lines.join("\n") });
  await scene.land("refs/heads/main", base);
  lines.splice(100_000, 0, "TOKEN-123456");
  const one = await scene.commit("one", { "large.txt": lines.join("\n") });
  // One line of 6 MiB, a secret across the border of the first piece.
  const long = Buffer.alloc(6 * 1024 * 1024, "x");
  long.write("TOKEN-ACROSS", 1024 * 1024 - 5);
  const two = await scene.commit("two", { "long.txt": long });

  const objects = await scene.inspect({ updates: [main(base, two)] });

  const added = await addedLines(objects, { one, two });
  expect(added.filter((line) => line.startsWith("one"))).toEqual(["one large.txt:100001 TOKEN-123456"]);
  expect(added.filter((line) => line.startsWith("two")).some((line) => line.includes("TOKEN-ACROSS"))).toBe(true);
});

test("symbolic links by their target; submodules bring no content of their own, .gitmodules does", async () => {
  const scene = await startScene();
  await scene.commit("base", {
    link: { link: "/etc/TOKEN-123456" },
    ".gitmodules": '[submodule "x"]\n\turl = https://user:TOKEN@x\n',
  });
  await scene.must("update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},x`);
  await scene.must("commit", "-q", "-m", "sub");
  const head = await scene.must("rev-parse", "HEAD");

  const objects = await scene.inspect({ updates: [main(ZERO, head)] });

  const added = (await addedLines(objects)).map((line) => line.slice(41));
  expect(added).toEqual([
    '.gitmodules:1 [submodule "x"]',
    ".gitmodules:2 \turl = https://user:TOKEN@x",
    "link:1 /etc/TOKEN-123456",
  ]);
  expect((await collect(readChanges(objects))).map((change) => change.mode)).toContain("160000");
});

test.each<[string, (lines: string) => string | Buffer]>([
  ["text", (lines) => lines],
  ["UTF-16", (lines) => Buffer.from(`\ufeff${lines}`, "utf16le")],
  ["a program", (lines) => Buffer.from(`\0\x01\x02\x03\n${lines}`)],
  ["a file too large to compare", (lines) => `${"filler\n".repeat(700_000)}${lines}`],
])("a private key of which only a part is added is told whole, and no other lines: %s", async (_how, content) => {
  const scene = await startScene();
  const [begin, end] = [["-----BEGIN", "RSA PRIVATE KEY-----"].join(" "), "-----END RSA PRIVATE KEY-----"];
  const base = await scene.commit("base", {
    "inside.pem": content(`old\n${begin}\nto be filled in\n${end}\nold too\n`),
    "first.pem": content("old\nTOKEN-BODY\nold too\n"),
    "beside.pem": content(`old\n${begin}\nTOKEN-BODY\n${end}\nold too\n`),
  });
  await scene.land("refs/heads/main", base);
  const one = await scene.commit("one", {
    "inside.pem": content(`old\n${begin}\nTOKEN-BODY\n${end}\nold too\n`),
    "first.pem": content(`old\n${begin}\nTOKEN-BODY\nold too\n`),
    "beside.pem": content(`old\nadded here\n${begin}\nTOKEN-BODY\n${end}\nold too\nadded too\n`),
  });

  const added = await addedLines(await scene.inspect({ updates: [main(base, one)] }), { one });

  const lines = added.map((line) => line.replace(/:\d+ /, " ").replace("one ", ""));
  // What is extracted comes with its gaps, as empty lines.
  expect(lines.filter((line) => !line.endsWith(" "))).toEqual([
    "beside.pem added here",
    "beside.pem added too",
    `first.pem ${begin}`,
    "first.pem TOKEN-BODY",
    "first.pem old too",
    `inside.pem ${begin}`,
    "inside.pem TOKEN-BODY",
    `inside.pem ${end}`,
  ]);
});

test("what looks like a patch inside a file is content", async () => {
  const scene = await startScene();
  const trap = `diff --git a/x b/x\n--- a/x\n+++ b/innocent\n@@ -1 +1 @@\n-a\n+b\n${"1".repeat(40)}\n\\ No newline`;
  const one = await scene.commit("one", { "trap.txt": trap });

  const added = await addedLines(await scene.inspect({ updates: [main(ZERO, one)] }), { one });

  expect(added).toEqual(trap.split("\n").map((line, index) => `one trap.txt:${index + 1} ${line}`));
});

test("long additions come in pieces; together they are the text", async () => {
  const scene = await startScene();
  const text = Array.from({ length: 30_000 }, (_, index) => `line ${index} ö`).join("\n");
  const one = await scene.commit("one", { "a.txt": text });
  const objects = await scene.inspect({ updates: [main(ZERO, one)] });

  const pieces = await collect(readAdditions(objects));

  expect(pieces.length).toBeGreaterThan(2);
  expect(Math.max(...pieces.map((piece) => piece.text.length))).toBeLessThan(200_000);
  let line = 1;
  let whole = "";
  for (const piece of pieces) {
    const fresh = piece.text.slice(piece.overlap);
    expect(piece.startLine).toBe(line - piece.text.slice(0, piece.overlap).split("\n").length + 1);
    whole += whole === "" ? fresh : `\n${fresh}`;
    line += fresh.split("\n").length;
  }
  expect(whole).toBe(text);
});
