import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { readAdditions } from "../../src/git/additions.ts";
import { parseCommitObject } from "../../src/git/commit-object.ts";
import { readChanges, readNewCommits, readNewTags } from "../../src/git/commits.ts";
import { parseTagObject } from "../../src/git/tag-object.ts";
import { addedLines, collect, gitBytes, startScene, ZERO } from "./inspection.ts";

const OID = "a".repeat(40);

const commit = (...lines: readonly (string | Buffer)[]): Buffer =>
  Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from("\n")]));

const textsOf = (content: Buffer): string =>
  parseCommitObject(OID, content)
    .texts.map(({ source, text }) => `${source}: ${text}`)
    .join("\n");

const head = [`tree ${OID}`, `parent ${OID}`];
const people = ["author Ana <ana@x> 1700000000 +0100", "committer Bob B. <bob@x> 1700000001 -0500"];

test("a commit's facts", () => {
  const { facts, tree } = parseCommitObject(OID, commit(...head, ...people, "", "Subject", "", "Body"));
  expect(tree).toBe(OID);
  expect(facts).toEqual({
    oid: OID,
    parents: [OID],
    authorName: "Ana",
    authorEmail: "ana@x",
    authoredAt: "2023-11-14T22:13:20.000Z",
    committerName: "Bob B.",
    committerEmail: "bob@x",
    committedAt: "2023-11-14T22:13:21.000Z",
    message: "Subject\n\nBody\n",
    signature: null,
  });
});

test.each([
  ["-----BEGIN PGP SIGNATURE-----", "openpgp"],
  ["-----BEGIN SSH SIGNATURE-----", "ssh"],
  ["-----BEGIN SIGNED MESSAGE-----", "x509"],
])("a signature's form: %s", (armor, format) => {
  const { facts } = parseCommitObject(OID, commit(...head, ...people, `gpgsig ${armor}`, " abc", "", "Subject"));
  expect(facts.signature).toEqual({ format, signer: null });
});

test("all of a commit object is searched: signatures, merged tags, unknown headers, what stands behind a NUL", () => {
  const texts = textsOf(
    commit(
      ...head,
      ...people,
      "gpgsig -----BEGIN PGP SIGNATURE-----",
      " TOKEN-IN-SIGNATURE",
      "mergetag object x",
      " TOKEN-IN-TAG",
      "x-unknown TOKEN-IN-HEADER",
      "",
      "Subject\0TOKEN-BEHIND-NUL",
    ),
  );
  for (const token of ["TOKEN-IN-SIGNATURE", "TOKEN-IN-TAG", "TOKEN-IN-HEADER", "TOKEN-BEHIND-NUL"]) {
    expect(texts).toContain(token);
  }
  expect(texts).toContain("commit-identity: Ana <ana@x>");
});

test("a named encoding is decoded; one that is wrong or unknown hides nothing", () => {
  const latin = parseCommitObject(
    OID,
    commit(...head, ...people, "encoding ISO-8859-1", "", Buffer.from("Größe", "latin1")),
  );
  expect(latin.facts.message).toBe("Größe\n");
  const wide = commit(...head, ...people, "encoding UTF-16LE", "", Buffer.from("TOKEN-WIDE é", "utf16le"));
  expect(textsOf(wide)).toContain("TOKEN-WIDE");
  const claimed = commit(...head, ...people, "encoding UTF-16LE", "", Buffer.from("TOKEN-PLAIN \xff\xfe", "latin1"));
  expect(textsOf(claimed)).toContain("TOKEN-PLAIN");
  const unknown = commit(...head, ...people, "encoding x-none", "", Buffer.from("TOKEN-ODD \xff", "latin1"));
  expect(parseCommitObject(OID, unknown).facts.message).toBe("TOKEN-ODD ÿ\n");
});

test("an encoding in which letters are not their bytes is decoded, or the commit refused", () => {
  const inside = "TOK\u001b(BEN\u001b(J-IN-PIECES";
  for (const encoding of ["ISO-2022-JP", "iso-2022-jp", "CSISO2022JP"]) {
    const pieces = commit(...head, ...people, `encoding ${encoding}`, "", inside);
    expect(textsOf(pieces)).toContain("TOKEN-IN-PIECES");
    expect(parseCommitObject(OID, pieces).facts.message).toBe("TOKEN-IN-PIECES\n");
    const named = commit(...head, `author ${inside} <a@x> 0 +0000`, people[1] ?? "", `encoding ${encoding}`, "", "x");
    expect(textsOf(named)).toContain("TOKEN-IN-PIECES");
  }
  // Escapes that are none there: what a terminal, or another iconv, leaves out.
  expect(textsOf(commit(...head, ...people, "encoding ISO-2022-JP", "", "TOK\u001b[8mEN\u001b$(Q!-ODD"))).toContain(
    "TOKEN",
  );
  for (const encoding of [
    ..."UTF-7 utf7 CSUTF7 UTF-7-IMAP UNICODE-1-1-UTF-7 HZ HZ-GB-2312 ISO-2022-KR ISO-2022-CN-EXT JAVA C99".split(" "),
    ..."EBCDIC-US EBCDICATDE IBM037 IBM-037 CP037 cp37 CP500 500 500V1 1047 CSIBM1047 IBM-1047 x-IBM1364 IBM00924 OSF10020025".split(
      " ",
    ),
    ..."UTF-7//IGNORE CP1140//TRANSLIT UTF-7\0x".split(" "),
  ]) {
    const hidden = commit(...head, ...people, `encoding ${encoding}`, "", "+AFQATwBLAEUATg-");
    expect(() => parseCommitObject(OID, hidden), encoding).toThrow(
      expect.objectContaining({ code: "inspection_failed" }),
    );
  }
  for (const encoding of [
    ..."UTF-8 utf8 ISO-8859-1 latin1 ISO8859-15 cp1252 CP850 IBM437 cp866 KOI8-R SJIS EUC-JP GBK GB18030 BIG5-HKSCS".split(
      " ",
    ),
    ..."UTF-16 UTF-32LE UCS-4 ANSI_X3.4-1968 646 x-none ISO-8859-1//TRANSLIT".split(" "),
  ]) {
    const plain = commit(...head, ...people, `encoding ${encoding}`, "", "TOKEN-PLAIN");
    expect(textsOf(plain), encoding).toContain("TOKEN-PLAIN");
  }
});

test("identities are read as tolerantly as git does", () => {
  const odd = (author: string) =>
    parseCommitObject(OID, commit(...head, `author ${author}`, people[1] ?? "", "", "x")).facts;
  expect(odd("<> 0 +0000")).toMatchObject({ authorName: "", authorEmail: "", authoredAt: "1970-01-01T00:00:00.000Z" });
  expect(odd("Ana")).toMatchObject({ authorName: "Ana", authorEmail: "" });
  expect(odd("A <a@x> nonsense")).toMatchObject({ authorEmail: "a@x", authoredAt: "1970-01-01T00:00:00.000Z" });
  expect(odd("A <a@x> 99999999999999 +0000")).toMatchObject({ authoredAt: "1970-01-01T00:00:00.000Z" });
});

test("a parent that git would not see is none here either; what is malformed is refused", () => {
  const hidden = parseCommitObject(OID, commit(`tree ${OID}`, ...people, `parent ${OID}`, "", "x"));
  expect(hidden.facts.parents).toEqual([]);
  for (const bad of [
    commit(...people, "", "x"),
    commit("tree nothing", ...people, "", "x"),
    commit(`tree ${OID}`, `parent ${OID} ${OID}`, ...people, "", "x"),
    commit(`tree ${OID}`, people[1] ?? "", people[0] ?? "", "", "x"),
    Buffer.alloc(0),
  ]) {
    expect(() => parseCommitObject(OID, bad)).toThrow(`commit ${OID} is malformed`);
  }
  expect(() => parseTagObject(OID, commit(`object ${OID}`, "tag x", "", "x"))).toThrow(`tag ${OID} is malformed`);
});

test("annotated tags, also tags of tags, and what only a tag reaches", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const tagged = await scene.commit("tagged", { "a.txt": "a\nonly by tag\n" });
  await scene.must("tag", "-a", "-m", "TOKEN-IN-MESSAGE", "v1", tagged);
  await scene.must("tag", "-a", "-m", "outer", "v1-outer", "v1");
  const outer = await scene.must("rev-parse", "v1-outer");

  const objects = await scene.inspect({ updates: [{ ref: "refs/tags/v1-outer", oldOid: ZERO, newOid: outer }] });

  const tags = await collect(readNewTags(objects));
  expect(tags.map((tag) => [tag.name, tag.targetType, tag.message, tag.taggerEmail])).toEqual([
    ["v1-outer", "tag", "outer\n", "ana@example.com"],
    ["v1", "commit", "TOKEN-IN-MESSAGE\n", "ana@example.com"],
  ]);
  expect(await addedLines(objects, { tagged })).toEqual(["tagged a.txt:2 only by tag"]);
});

test("tags and refs on files and trees: all that is in them is read", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  await writeFile(path.join(scene.work, "loose"), "TOKEN-IN-BLOB\n");
  const blob = await scene.must("hash-object", "-w", "loose");
  const tree = (await gitBytes(["mktree"], scene.work, `100644 blob ${blob}\tin-tree.txt\n`)).toString().trim();
  await scene.must("tag", "-a", "-m", "x", "on-blob", blob);
  const tag = await scene.must("rev-parse", "on-blob");

  const byTag = await scene.inspect({ updates: [{ ref: "refs/tags/on-blob", oldOid: ZERO, newOid: tag }] });
  expect(await addedLines(byTag, { tag })).toEqual(["tag :1 TOKEN-IN-BLOB"]);

  const byTree = await scene.inspect({ updates: [{ ref: "refs/tags/tree", oldOid: ZERO, newOid: tree }] });
  expect(await addedLines(byTree, { tree })).toEqual(["tree in-tree.txt:1 TOKEN-IN-BLOB"]);
  expect((await collect(readChanges(byTree))).map((change) => change.path)).toEqual(["in-tree.txt"]);
});

test("several refs, a deletion among them, in one push", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const one = await scene.commit("one", { "one.txt": "one\n" });
  await scene.must("checkout", "-q", "-b", "other", base);
  const two = await scene.commit("two", { "two.txt": "two\n" });

  const objects = await scene.inspect({
    updates: [
      { ref: "refs/heads/main", oldOid: base, newOid: one },
      { ref: "refs/heads/other", oldOid: ZERO, newOid: two },
      { ref: "refs/heads/gone", oldOid: base, newOid: ZERO },
    ],
  });

  expect((await addedLines(objects, { one, two })).sort()).toEqual(["one one.txt:1 one", "two two.txt:1 two"]);
});

test("a push that only deletes has nothing to read", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const objects = await scene.inspect({
    updates: [{ ref: "refs/heads/main", oldOid: base, newOid: ZERO }],
    pack: Buffer.alloc(0),
  });
  expect(await collect(readNewCommits(objects))).toEqual([]);
  expect(await collect(readAdditions(objects))).toEqual([]);
  expect(await collect(readChanges(objects))).toEqual([]);
});

test("sha256 repositories", async () => {
  const scene = await startScene({ objectFormat: "sha256" });
  const base = await scene.commit("base", { "a.txt": "a\n".repeat(500) });
  await scene.land("refs/heads/main", base);
  const one = await scene.commit("one", {
    "a.txt": `${"a\n".repeat(500)}one\n`,
    "b.bin": Buffer.from("\0\x01\x02content here"),
  });
  expect(one.length).toBe(64);

  const objects = await scene.inspect({ updates: [{ ref: "refs/heads/main", oldOid: base, newOid: one }] });

  expect(await addedLines(objects, { one })).toEqual(["one a.txt:501 one", "one b.bin:1 content here"]);
});

test("too many commits, and a message that is too long, are refused by name", async () => {
  const scene = await startScene();
  await scene.commit("one", { "a.txt": "a\n" });
  const two = await scene.commit("x".repeat(5000), { "a.txt": "b\n" });
  const updates = [{ ref: "refs/heads/main", oldOid: ZERO, newOid: two }];
  await expect(scene.inspect({ updates, limits: { commits: 1 } })).rejects.toMatchObject({
    code: "limit_exceeded",
    message: expect.stringContaining("2 new commits, the limit of one push (limits.commits) is 1"),
  });
  await expect(scene.inspect({ updates, limits: { commitBytes: 4000 } })).rejects.toMatchObject({
    code: "limit_exceeded",
    message: expect.stringContaining(two),
  });
  const objects = await scene.inspect({ updates, limits: { additionBytes: 1 } });
  await expect(collect(readAdditions(objects))).rejects.toMatchObject({ code: "limit_exceeded" });
});
