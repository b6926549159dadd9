/**
 * Every way around the gateway that somebody has thought of, one test each, named by the attack. This file only grows.
 *
 * All of them share one world: what is refused leaves nothing behind that the next one could meet.
 */
import { createHash } from "node:crypto";
import { cp, mkdir, writeFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { deflateSync, gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { encodePktLine, FLUSH_PKT } from "../src/git/pkt-line.ts";
import {
  encodePackFile,
  makeDelta,
  OFS_DELTA,
  plainEntry,
  REF_DELTA,
  signPack,
  varint,
  type PackEntry,
} from "./fuzz/pack-file.ts";
import { Random } from "./fuzz/random.ts";
import { hashToken } from "../src/identity/tokens.ts";
import { mustGit as mustGitBytes } from "./fuzz/git-run.ts";
import { git, mustGit, type GitRun, type WorkingCopy } from "./harness/git.ts";
import { objectMaker, type ObjectMaker } from "./harness/objects.ts";
import { plantedAwsKey, plantedPem } from "./harness/planted.ts";
import {
  basic,
  firstCommand,
  packOf,
  rawFetchBytes,
  rawPush,
  rawPushBytes,
  rawRequest,
  ZERO,
} from "./harness/raw-push.ts";
import { sharedWorld, type Person } from "./harness/world.ts";

const PROTECTED = ["refs/heads/main", "refs/heads/release/*"];
const world = sharedWorld({
  connection: {
    access: [
      { repositories: ["team/**", "two/**"], read: ["*"], write: ["*"] },
      { repositories: ["vault/**"], read: ["owners"], write: ["owners"] },
    ],
  },
  connections: { other: { kind: "git", url: "http://127.0.0.1:9/", allow: ["owners"] } },
  pushes: [
    {
      repositories: ["code/two/**"],
      protect: [{ refs: PROTECTED, approvers: ["leads"], approvals: 2, wait: "0s" }],
      refuse: [],
    },
    { repositories: ["code/**"], protect: [{ refs: PROTECTED, approvers: ["leads"], wait: "0s" }] },
  ],
});

const SECRET = `key = ${plantedAwsKey}\n`;

let ana: Person;
let lee: Person;
/** A clone of `team/app`, whose `main` is the same upstream from first to last. */
let copy: WorkingCopy;
let make: ObjectMaker;
let main = "";
let mainTree = "";

beforeAll(async () => {
  ana = await world().person("ana@example.com", ["eng"]);
  lee = await world().person("lee@example.com", ["leads"]);
  const large = Array.from({ length: 20_000 }, (_, at) => `line ${at} of a file that is sent as a delta`).join("\n");
  await world().upstream.commitDirectly("team/app", "refs/heads/main", { "large.txt": `${large}\n` });
  copy = await ana.clone("team/app");
  make = objectMaker(copy);
  main = await copy.must("rev-parse", "HEAD");
  mainTree = await copy.must("rev-parse", "HEAD^{tree}");
});

let serial = 0;
const freshName = (): string => `attack-${(serial += 1)}`;

const file = async (name: string, content: string | Uint8Array = SECRET) =>
  make.tree([["100644", name, await make.blob(content)]]);

/** The requests that could have moved a ref upstream since `mark`; git's four-byte probe cannot. */
const forwardedSince = (mark: number) =>
  world()
    .upstream.requests.slice(mark)
    .filter(({ method, url, bodyBytes }) => method === "POST" && url.endsWith("git-receive-pack") && bodyBytes > 4);

/** Pushes `oid` and expects that git says no, shows no secret, and that nothing went on. */
async function expectRefused(
  oid: string,
  ref = `refs/heads/${freshName()}`,
  reason = /\(.*secret.*\)/,
): Promise<GitRun> {
  const mark = world().upstream.requests.length;
  const push = await copy.git("push", "origin", `${oid}:${ref}`);
  expect(push.stderr).toMatch(/! \[remote rejected\]/);
  expect(push.stderr).toMatch(reason);
  expect(push.stderr).not.toContain(plantedAwsKey);
  expect(push.code).toBe(1);
  expect(forwardedSince(mark)).toEqual([]);
  expect(await world().upstream.ref("team/app", ref)).toBeNull();
  expect(await world().upstream.hasObject("team/app", oid)).toBe(false);
  return push;
}

describe("a secret hidden", () => {
  test("in a commit that the next one of the same push undoes", async () => {
    const bad = await make.commit({ tree: await file("a.txt"), parents: [main] });
    await expectRefused(await make.commit({ tree: mainTree, parents: [bad] }));
  });

  test("in the side branch of a merge that takes nothing of it", async () => {
    const bad = await make.commit({ tree: await file("a.txt"), parents: [main] });
    await expectRefused(await make.commit({ tree: mainTree, parents: [main, bad] }));
  });

  test("in a merge itself, in neither parent (evil merge)", async () => {
    const side = await make.commit({ tree: await file("b.txt", "b\n"), parents: [main] });
    await expectRefused(await make.commit({ tree: await file("a.txt"), parents: [main, side] }));
  });

  test("in a merge of a commit with itself", async () => {
    await expectRefused(await make.commit({ tree: await file("a.txt"), parents: [main, main] }));
  });

  test("in an octopus merge", async () => {
    const sides = [];
    for (const name of ["x", "y"]) sides.push(await make.commit({ tree: await file(name, name), parents: [main] }));
    await expectRefused(await make.commit({ tree: await file("a.txt"), parents: [main, ...sides] }));
  });

  test("in a history with a root of its own", async () => {
    await expectRefused(await make.commit({ tree: await file("a.txt") }));
  });

  test("in an annotated tag", async () => {
    await expectRefused(await make.tag(main, "commit", "t", plantedAwsKey), `refs/tags/${freshName()}`);
  });

  test("in the name of a tagger", async () => {
    const tag = await make.tag(main, "commit", "t", "Release", `${plantedAwsKey} <a@example.com> 1700000000 +0000`);
    await expectRefused(tag, `refs/tags/${freshName()}`);
  });

  test("in a tag that only another tag points at", async () => {
    const inner = await make.tag(main, "commit", "inner", plantedAwsKey);
    await expectRefused(await make.tag(inner, "tag", "outer", "Outer"), `refs/tags/${freshName()}`);
  });

  test("in a blob that only a tag points at", async () => {
    await expectRefused(await make.tag(await make.blob(SECRET), "blob", "t", "Key"), `refs/tags/${freshName()}`);
  });

  test("in a tree that only a tag points at", async () => {
    const tree = await make.tree([["040000", "deep", await file("a.txt")]]);
    await expectRefused(await make.tag(tree, "tree", "t", "Tree"), `refs/tags/${freshName()}`);
  });

  test("in a blob that a lightweight tag points at", async () => {
    await expectRefused(await make.blob(`lightweight ${SECRET}`), `refs/tags/${freshName()}`);
  });

  test("in the name of a file in a tree that a lightweight tag points at", async () => {
    const tree = await make.tree([["100644", `${plantedAwsKey}.txt`, await make.blob("x\n")]]);
    await expectRefused(tree, `refs/tags/${freshName()}`);
  });

  test.each<[string, string | Uint8Array]>([
    ["between NUL bytes", `\0\0${plantedAwsKey}\0\0`],
    ["behind bytes that are not UTF-8", Buffer.concat([Buffer.from([0xff, 0xfe, 0xfd, 0x80]), Buffer.from(SECRET)])],
    ["in UTF-16, with a byte order mark", Buffer.from(`\ufeff${SECRET}`, "utf16le")],
    ["in UTF-16, without one", Buffer.from(SECRET, "utf16le")],
    ["in UTF-16, big-endian", Buffer.from(`\ufeff${SECRET}`, "utf16le").swap16()],
    ["in UTF-32", Buffer.from(Array.from(Buffer.from(SECRET), (byte) => [byte, 0, 0, 0]).flat())],
    ["at the end of a line of 5 MB", `${"x ".repeat(2_500_000)}${plantedAwsKey}\n`],
    ["at the end of 5 MB of lines", `${"nothing to see here\n".repeat(250_000)}${SECRET}`],
    ["behind carriage returns alone", `one\rtwo\r${SECRET}`],
    ["in a file without a line feed at its end", plantedAwsKey],
    [
      "in UTF-16 of the other byte order than its mark says",
      Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(SECRET, "utf16le").swap16()]),
    ],
    [
      "in UTF-16, out of step behind an odd byte",
      Buffer.concat([Buffer.from("\ufeffone\n", "utf16le"), Buffer.from([1]), Buffer.from(SECRET, "utf16le")]),
    ],
    [
      "in UTF-16, far behind plain text",
      Buffer.concat([Buffer.from("x\n".repeat(9_000)), Buffer.from(SECRET, "utf16le")]),
    ],
    [
      "in UTF-32, big-endian, behind a mark of UTF-32",
      Buffer.from([0, 0, 0xfe, 0xff, ...Array.from(Buffer.from(SECRET), (byte) => [0, 0, 0, byte]).flat()]),
    ],
    ["in plain letters behind a mark of UTF-16", Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(SECRET)])],
    ["between terminal control sequences", `\u001b[8m${SECRET}\u001b[0m`],
    ["behind a carriage return that overwrites it on a terminal", `${SECRET.trim()}\rnothing to see here at all\n`],
    ["behind what looks like the end of a patch", `-- \n2.39.5\n\ndiff --git a/x b/x\n${SECRET}`],
    ["behind what looks like a conflict", `<<<<<<< ours\n=======\n${SECRET}>>>>>>> theirs\n`],
    ["behind what looks like an LFS pointer", `version https://git-lfs.github.com/spec/v1\n${SECRET}`],
    ["behind the mark that tools take for generated", `// Code generated by x. DO NOT EDIT.\n// @generated\n${SECRET}`],
  ])("in a file, %s", async (_how, content) => {
    await expectRefused(await make.commit({ tree: await file("a.bin", content), parents: [main] }));
  });

  test("in a file that .gitattributes calls binary, without diff, and encoded otherwise", async () => {
    const attributes = await make.blob("* -text -diff binary working-tree-encoding=UTF-16 filter=x export-ignore\n");
    const tree = await make.tree([
      ["100644", ".gitattributes", attributes],
      ["100644", "a.txt", await make.blob(SECRET)],
    ]);
    await expectRefused(await make.commit({ tree, parents: [main] }));
  });

  test("in one line of a large file, sent as a delta of a few bytes", async () => {
    const before = await copy.must("show", "HEAD:large.txt");
    const tree = await file("large.txt", `${before.replace("line 10000 ", `${SECRET}line 10000 `)}\n`);
    await expectRefused(await make.commit({ tree, parents: [main] }));
  });

  test("in a file that is renamed at the same time", async () => {
    const before = await copy.must("show", "HEAD:large.txt");
    await expectRefused(
      await make.commit({ tree: await file("renamed.txt", `${before}\n${SECRET}`), parents: [main] }),
    );
  });

  test("in the name of a file", async () => {
    await expectRefused(await make.commit({ tree: await file(`${plantedAwsKey}.txt`, "x"), parents: [main] }));
  });

  test("in the name of a directory", async () => {
    const tree = await make.tree([["040000", plantedAwsKey, await file("a.txt", "x")]]);
    await expectRefused(await make.commit({ tree, parents: [main] }));
  });

  test("in the name of an empty directory, which no file's path shows", async () => {
    const tree = await make.tree([["040000", plantedAwsKey, await make.tree([])]]);
    await expectRefused(await make.commit({ tree, parents: [main] }));
  });

  test("in the names of an empty directory and of a submodule in a tree that only a tag points at", async () => {
    const empty = await make.tree([["040000", plantedAwsKey, await make.tree([])]]);
    await expectRefused(await make.tag(empty, "tree", "t", "Tree"), `refs/tags/${freshName()}`);
    const submodule = await make.tree([["160000", plantedAwsKey, "2".repeat(40)]]);
    await expectRefused(await make.tag(submodule, "tree", "t", "Tree"), `refs/tags/${freshName()}`);
  });

  test("in the name of a submodule", async () => {
    const tree = await make.tree([["160000", plantedAwsKey, "1".repeat(40)]]);
    await expectRefused(await make.commit({ tree, parents: [main] }));
  });

  test("in the target of a symbolic link", async () => {
    const tree = await make.tree([["120000", "link", await make.blob(`/home/${plantedAwsKey}`)]]);
    await expectRefused(await make.commit({ tree, parents: [main] }));
  });

  test("in the address of a submodule", async () => {
    const modules = `[submodule "x"]\n\tpath = x\n\turl = https://user:${plantedAwsKey}@example.com/x\n`;
    await expectRefused(await make.commit({ tree: await file(".gitmodules", modules), parents: [main] }));
  });

  test.each<[string, Omit<Parameters<ObjectMaker["commit"]>[0], "tree">]>([
    ["the message", { message: `Use ${plantedAwsKey}\n` }],
    ["the message, behind a NUL", { message: `Change\0${plantedAwsKey}\n` }],
    ["the message, in UTF-16", { headers: ["encoding UTF-16LE"], message: Buffer.from(SECRET, "utf16le") }],
    ["a trailer", { message: `Change\n\nKey: ${plantedAwsKey}\n` }],
    ["the author's name", { author: `${plantedAwsKey} <a@example.com> 1700000000 +0000` }],
    ["the author's address", { author: `A <${plantedAwsKey}@example.com> 1700000000 +0000` }],
    ["the committer's name", { committer: `${plantedAwsKey} <a@example.com> 1700000000 +0000` }],
    ["a header of its own", { headers: [`x-note ${plantedAwsKey}`] }],
    ["a continued header", { headers: ["x-note one", ` ${plantedAwsKey}`] }],
    ["a signature", { headers: ["gpgsig -----BEGIN PGP SIGNATURE-----", ` ${plantedAwsKey}`, " -----END-----"] }],
    ["the name of an encoding", { headers: [`encoding ${plantedAwsKey}`] }],
    ["a merged tag", { headers: ["mergetag object x", " type commit", ` ${plantedAwsKey}`] }],
    ["the name of a header", { headers: [`${plantedAwsKey} x`] }],
    ["a header without a value", { headers: [plantedAwsKey] }],
    ["a signature of another format", { headers: ["gpgsig-sha256 -----BEGIN", ` ${plantedAwsKey}`] }],
    ["a header behind a NUL", { headers: [`x-note one\0${plantedAwsKey}`] }],
    ["the author's name, behind a NUL", { author: `A\0${plantedAwsKey} <a@example.com> 1700000000 +0000` }],
    ["the author's time zone", { author: `A <a@example.com> 1700000000 ${plantedAwsKey}` }],
    ["a second author", { headers: [`author ${plantedAwsKey} <a@example.com> 1700000000 +0000`] }],
    ["a second tree", { headers: [`tree ${plantedAwsKey}`] }],
    [
      "the message, which an encoding that lies makes unreadable",
      { headers: ["encoding UTF-16LE"], message: `${SECRET}\u00e9` },
    ],
    ["the message, in UTF-7 by its header", { headers: ["encoding UTF-7"], message: SECRET }],
    ["the message, without a line feed", { message: plantedAwsKey }],
  ])("in a commit: %s", async (_where, parts) => {
    await expectRefused(await make.commit({ tree: mainTree, parents: [main], ...parts }));
  });

  test("in a blob that goes along as the commit of a submodule", async () => {
    const blob = await make.blob(`as a submodule ${SECRET}`);
    const tree = await make.rawTree([["160000", "sub", blob]]);
    const commit = await make.commit({ tree, parents: [main] });
    const mark = world().upstream.requests.length;
    const pack = await packOf(copy.directory, [commit, tree, blob]);
    const answer = await rawPush(world(), ana, {
      repository: "team/app",
      commands: [`${ZERO} ${commit} refs/heads/${freshName()}`],
      pack,
    });
    expect(answer.text).toContain("ng refs/heads/");
    expect(forwardedSince(mark)).toEqual([]);
  });

  test("in a commit that goes along as the commit of a submodule", async () => {
    const sub = await make.commit({ tree: mainTree, parents: [main], message: SECRET });
    const tree = await make.tree([["160000", "sub", sub]]);
    const commit = await make.commit({ tree, parents: [main] });
    const mark = world().upstream.requests.length;
    const pack = await packOf(copy.directory, [commit, tree, sub]);
    const answer = await rawPush(world(), ana, {
      repository: "team/app",
      commands: [`${ZERO} ${commit} refs/heads/${freshName()}`],
      pack,
    });
    expect(answer.text).toContain("ng refs/heads/");
    expect(forwardedSince(mark)).toEqual([]);
  });

  test("in a tree that goes along as the commit of a submodule of a tagged tree", async () => {
    const hidden = await make.tree([["100644", plantedAwsKey, await make.blob("x\n")]]);
    const tree = await make.rawTree([["160000", "sub", hidden]]);
    const mark = world().upstream.requests.length;
    const pack = await packOf(copy.directory, [tree, hidden]);
    const answer = await rawPush(world(), ana, {
      repository: "team/app",
      commands: [`${ZERO} ${tree} refs/tags/${freshName()}`],
      pack,
    });
    expect(answer.text).toContain("ng refs/tags/");
    expect(forwardedSince(mark)).toEqual([]);
  });

  test("in an object that no ref of the push reaches", async () => {
    const blob = await make.blob(`unreached ${SECRET}`);
    const commit = await make.commit({ tree: mainTree, parents: [main], message: "Unreached\n" });
    const mark = world().upstream.requests.length;
    const answer = await rawPush(world(), ana, {
      repository: "team/app",
      commands: [`${ZERO} ${commit} refs/heads/${freshName()}`],
      pack: await packOf(copy.directory, [commit, blob]),
    });
    expect(answer.text).toMatch(/ng refs\/heads\/\S+ .*no ref of this push reaches/);
    expect(forwardedSince(mark)).toEqual([]);
  });

  test.each<[string, (secret: string) => Promise<string>]>([
    [
      "in the second of two entries of one name",
      async (secret) =>
        make.rawTree([
          ["100644", "a.txt", await make.blob("clean\n")],
          ["100644", "a.txt", secret],
        ]),
    ],
    [
      "behind an entry that is not in order",
      async (secret) =>
        make.rawTree([
          ["100644", "z.txt", await make.blob("clean\n")],
          ["100644", "large.txt", secret],
          ["100644", "README.md", await make.blob("clean\n")],
        ]),
    ],
    ["as a file of an unknown mode", async (secret) => make.rawTree([["100000", "a.txt", secret]])],
    ["as a directory's entry", async (secret) => make.rawTree([["40000", "a.txt", secret]])],
    ["below .git", async (secret) => make.rawTree([["100644", ".git", secret]])],
  ])("in a tree that no git would make: %s", async (_how, build) => {
    const secret = await make.blob(`malformed tree ${SECRET}`);
    const tree = await build(secret);
    const commit = await make.commit({ tree, parents: [main] });
    const mark = world().upstream.requests.length;
    const clean = await make.blob("clean\n");
    const answer = await rawPush(world(), ana, {
      repository: "team/app",
      commands: [`${ZERO} ${commit} refs/heads/${freshName()}`],
      pack: await packOf(copy.directory, [commit, tree, secret, clean]),
    });
    expect(answer.text).toContain("ng refs/heads/");
    expect(answer.text).not.toContain(plantedAwsKey);
    expect(forwardedSince(mark)).toEqual([]);
  });

  test("in the second of two branches: the first arrives, and nothing of the second", async () => {
    const [good, bad] = [`refs/heads/${freshName()}`, `refs/heads/${freshName()}`];
    const goodOid = await make.commit({ tree: mainTree, parents: [main], message: "Good\n" });
    const badOid = await make.commit({ tree: await file("a.txt"), parents: [main] });
    const push = await copy.git("push", "origin", `${goodOid}:${good}`, `${badOid}:${bad}`);
    expect(push.stderr.match(/\[remote rejected\].*secret/g)).toHaveLength(1);
    expect(await world().upstream.ref("team/app", good)).toBe(goodOid);
    expect(await world().upstream.ref("team/app", bad)).toBeNull();
    expect(await world().upstream.hasObject("team/app", badOid)).toBe(false);
  });

  test("in a commit that only a tag of a tag reaches", async () => {
    const bad = await make.commit({ tree: await file("a.txt"), message: `Alone ${freshName()}\n` });
    const inner = await make.tag(bad, "commit", "inner", "Inner");
    await expectRefused(await make.tag(inner, "tag", "outer", "Outer"), `refs/tags/${freshName()}`);
  });

  test("in a further header of a tag, and in its signature", async () => {
    for (const header of [`x-note ${plantedAwsKey}`, `gpgsig-sha256 x\n ${plantedAwsKey}`]) {
      const oid = await make.tag(main, "commit", "t", "Release", `A <a@example.com> 1700000000 +0000\n${header}`);
      await expectRefused(oid, `refs/tags/${freshName()}`);
    }
  });

  test("in a note", async () => {
    const note = await make.tree([["100644", main, await make.blob(`note ${SECRET}`)]]);
    await expectRefused(await make.commit({ tree: note, message: "Notes\n" }), `refs/notes/${freshName()}`);
  });

  test("in a file that is deleted and restored", async () => {
    const added = await make.commit({ tree: await file("a.txt"), parents: [main], message: "Add\n" });
    const gone = await make.commit({ tree: mainTree, parents: [added], message: "Delete\n" });
    await expectRefused(await make.commit({ tree: await file("a.txt"), parents: [gone], message: "Restore\n" }));
  });

  test("in the new name of a file that is otherwise as it was", async () => {
    const before = await copy.must("rev-parse", "HEAD:large.txt");
    const tree = await make.tree([["100644", `${plantedAwsKey}.txt`, before]]);
    await expectRefused(await make.commit({ tree, parents: [main], message: "Rename\n" }));
  });

  test("in a file of the past whose mode alone changes: to a link", async () => {
    const target = await make.blob(`/home/${plantedAwsKey}`);
    const first = await make.commit({ tree: await make.tree([["100644", "x", target]]), message: "File\n" });
    await expectRefused(await make.commit({ tree: await make.tree([["120000", "x", target]]), parents: [first] }));
  });

  test("in a key whose first half one commit brings, and whose other half the next", async () => {
    const lines = plantedPem.split("\n");
    const half = lines.length / 2;
    const filler = ["a line", "another line"];
    const first = await make.commit({
      tree: await file("key.pem", [...lines.slice(0, half), ...filler].join("\n")),
      parents: [main],
    });
    await expectRefused(await make.commit({ tree: await file("key.pem", plantedPem), parents: [first] }));
  });

  test("in a key whose first and last line were there before", async () => {
    const lines = plantedPem.split("\n");
    const shell = await make.commit({
      tree: await file("key.pem", [lines[0], "to be filled in", lines.at(-1)].join("\n")),
      parents: [main],
    });
    await expectRefused(await make.commit({ tree: await file("key.pem", plantedPem), parents: [shell] }));
  });

  test("in one of many versions of a huge file, sent as deltas of a few bytes", async () => {
    const line = "the same line again and again, forty bytes\n";
    let parent = main;
    for (let version = 0; version < 4; version++) {
      const content = `${line.repeat(55_000)}version ${version}\n${version === 2 ? SECRET : ""}${line.repeat(55_000)}`;
      parent = await make.commit({ tree: await file("huge.txt", content), parents: [parent], message: "Grow\n" });
    }
    await expectRefused(parent);
  });

  test("in the name of a branch", async () => {
    const oid = await make.commit({ tree: mainTree, parents: [main], message: "For a branch\n" });
    const ref = `refs/heads/${plantedAwsKey}`;
    const mark = world().upstream.requests.length;
    const push = await copy.git("push", "origin", `${oid}:${ref}`);
    // git itself shows the name that it was given; the gateway's own lines do not.
    const said = push.stderr.split("\n").filter((line) => line.startsWith("remote:"));
    expect(said.join("\n")).toContain("the name of a ref");
    expect(said.join("\n")).not.toContain(plantedAwsKey);
    expect(push.code).toBe(1);
    expect(forwardedSince(mark)).toEqual([]);
  });

  test.each<[string, (oid: string) => readonly Buffer[]]>([
    ["a name that is none", (oid) => [firstCommand(`${ZERO} ${oid} refs/heads/${plantedAwsKey} x`)]],
    ["an id", () => [firstCommand(`${plantedAwsKey} ${plantedAwsKey} refs/heads/x`)]],
    [
      "a name that is there twice",
      (oid) => [
        firstCommand(`${ZERO} ${oid} refs/heads/${plantedAwsKey}`),
        encodePktLine(`${ZERO} ${oid} refs/heads/${plantedAwsKey}`),
      ],
    ],
    ["a capability", (oid) => [firstCommand(`${ZERO} ${oid} refs/heads/x`, `report-status atomic=${plantedAwsKey}`)]],
    [
      "the object format",
      (oid) => [firstCommand(`${ZERO} ${oid} refs/heads/x`, `report-status object-format=${plantedAwsKey}`)],
    ],
    [
      "a line that is not UTF-8",
      (oid) => [
        firstCommand(`${ZERO} ${oid} refs/heads/x`),
        encodePktLine(Buffer.from(`${ZERO} ${oid} refs/heads/\xff${plantedAwsKey}`, "latin1")),
      ],
    ],
  ])("in a command that is refused for another reason: in %s, and nobody is told it", async (_where, lines) => {
    const oid = await nextCommit();
    const mark = world().upstream.requests.length;
    const body = Buffer.concat([...lines(oid), FLUSH_PKT, await packOf(copy.directory, [oid])]);
    const answer = await rawPushBytes(world(), ana, "team/app", body);
    expect(answer.text).not.toMatch(/unpack ok|\bok refs/);
    // The protocol names a ref in its answer: that, and nothing else.
    expect(answer.text.replaceAll(`ng refs/heads/${plantedAwsKey} `, "")).not.toContain(plantedAwsKey);
    expect(world().logText()).not.toContain(plantedAwsKey);
    expect(forwardedSince(mark)).toEqual([]);
  });

  test("in a push option", async () => {
    const oid = await make.commit({ tree: mainTree, parents: [main], message: "With an option\n" });
    const mark = world().upstream.requests.length;
    const push = await copy.git("push", "-o", `token=${plantedAwsKey}`, "origin", `${oid}:refs/heads/${freshName()}`);
    expect(push.stderr).toContain("[remote rejected]");
    expect(push.stderr).not.toContain(plantedAwsKey);
    expect(forwardedSince(mark)).toEqual([]);
  });

  test("in a push whose body is gzip", async () => {
    const tree = await file("a.txt");
    const commit = await make.commit({ tree, parents: [main], message: "Gzip\n" });
    const mark = world().upstream.requests.length;
    const answer = await rawPush(world(), ana, {
      repository: "team/app",
      commands: [`${ZERO} ${commit} refs/heads/${freshName()}`],
      pack: await packOf(copy.directory, [commit, `^${main}`], true),
      gzip: true,
    });
    expect(answer.text).toMatch(/ng refs\/heads\/\S+ .*secret/);
    expect(forwardedSince(mark)).toEqual([]);
  });
});

describe("a secret in a pack that is made by hand", () => {
  const id = (oid: string): Buffer => Buffer.from(oid, "hex");
  const commitOf = async (tree: string, parents: readonly string[], message: string) =>
    make.commit({ tree, parents, message });
  const contentOf = async (kind: string, oid: string): Promise<Buffer> =>
    mustGitBytes(["cat-file", kind, oid], copy.directory);
  const expectNothing = async (oid: string, pack: Buffer, reason: RegExp, ref = `refs/heads/${freshName()}`) => {
    const mark = world().upstream.requests.length;
    const answer = await rawPush(world(), ana, { repository: "team/app", commands: [`${ZERO} ${oid} ${ref}`], pack });
    expect(answer.text).toMatch(reason);
    expect(answer.text).not.toMatch(/\bok refs/);
    expect(answer.text).not.toContain(plantedAwsKey);
    expect(forwardedSince(mark)).toEqual([]);
    expect(await world().upstream.hasObject("team/app", oid)).toBe(false);
  };
  const entry = async (kind: "commit" | "tree" | "blob" | "tag", oid: string): Promise<PackEntry> =>
    plainEntry({ kind, content: await contentOf(kind, oid) });
  const delta = (base: Buffer, result: Buffer): Buffer => makeDelta(base, result, new Random(1));

  test("in the message of a commit that is a delta of another one, and of an old one", async () => {
    for (const isOld of [false, true]) {
      const plain = isOld ? main : await nextCommit();
      const bad = await commitOf(mainTree, [plain], `${freshName()}\n\n${SECRET}`);
      const base = await contentOf("commit", plain);
      const content = delta(base, await contentOf("commit", bad));
      const entries: PackEntry[] = isOld
        ? [{ type: REF_DELTA, content, base: id(plain) }]
        : [plainEntry({ kind: "commit", content: base }), { type: OFS_DELTA, content, base: 0 }];
      await expectNothing(bad, encodePackFile(entries, "sha1"), /ng refs\S+ .*secret/);
    }
  });

  test("in a file, a tree and a tag that are deltas of deltas", async () => {
    const blob = await make.blob(`delta ${freshName()} ${SECRET}`);
    const tree = await make.tree([["100644", `${plantedAwsKey}.txt`, blob]]);
    const tag = await make.tag(await commitOf(tree, [main], "Tagged\n"), "commit", "t", SECRET);
    const commit = await copy.must("rev-parse", `${tag}^{commit}`);
    const entries: PackEntry[] = [];
    for (const [kind, oid] of [
      ["blob", blob],
      ["tree", tree],
      ["commit", commit],
      ["tag", tag],
    ] as const) {
      const content = await contentOf(kind, oid);
      const whole = Buffer.concat([content, Buffer.from("x")]);
      const at = entries.length;
      entries.push({ type: { commit: 1, tree: 2, blob: 3, tag: 4 }[kind], content: content.subarray(0, -3) });
      entries.push({ type: OFS_DELTA, content: delta(content.subarray(0, -3), whole), base: at });
      entries.push({ type: OFS_DELTA, content: delta(whole, content), base: at + 1 });
    }
    // What stands below is reached by nothing: not even that may go along.
    await expectNothing(tag, encodePackFile(entries, "sha1"), /ng refs/, `refs/tags/${freshName()}`);
  });

  test("put together by copying pieces of files that are upstream", async () => {
    const old = await copy.must("rev-parse", "HEAD:large.txt");
    const base = await contentOf("blob", old);
    const pieces = Array.from(plantedAwsKey, (letter) => base.indexOf(letter.toLowerCase()));
    const inserted = Buffer.from(plantedAwsKey);
    const instructions = pieces.map((_, at) => Buffer.from([1, inserted[at] ?? 0]));
    const content = Buffer.concat([varint(base.length), varint(inserted.length), ...instructions]);
    const blob = await make.blob(plantedAwsKey);
    const tree = await make.tree([["100644", "a.txt", blob]]);
    const commit = await commitOf(tree, [main], `Pieces ${freshName()}\n`);
    const entries = [
      await entry("commit", commit),
      await entry("tree", tree),
      { type: REF_DELTA, content, base: id(old) },
    ];
    await expectNothing(commit, encodePackFile(entries, "sha1"), /ng refs\S+ .*secret/);
  });

  test.each<
    [
      string,
      (
        blob: string,
      ) => Promise<{ oid: string; others: readonly (readonly ["commit" | "tree" | "blob" | "tag", string])[] }>,
    ]
  >([
    ["as the parent of a commit", async (blob) => ({ oid: await commitOf(mainTree, [main, blob], "x\n"), others: [] })],
    ["as the tree of a commit", async (blob) => ({ oid: await commitOf(blob, [main], "x\n"), others: [] })],
    [
      "as a directory of a tree",
      async (blob) => {
        const tree = await make.rawTree([["40000", "dir", blob]]);
        return { oid: await commitOf(tree, [main], "x\n"), others: [["tree", tree]] };
      },
    ],
    ["as the commit of a tag", async (blob) => ({ oid: await make.tag(blob, "commit", "t", "x"), others: [] })],
    [
      "behind a tag as the parent of a commit",
      async (blob) => {
        const tag = await make.tag(blob, "blob", "t", "x");
        return { oid: await commitOf(mainTree, [main, tag], "x\n"), others: [["tag", tag]] };
      },
    ],
  ])("as what it is not: %s", async (_how, build) => {
    const blob = await make.blob(`not a file ${freshName()} ${SECRET}`);
    const { oid, others } = await build(blob);
    const kind = (await copy.must("cat-file", "-t", oid)) as "commit" | "tag";
    const entries = [await entry(kind, oid), await entry("blob", blob)];
    for (const [type, other] of others) entries.push(await entry(type, other));
    await expectNothing(oid, encodePackFile(entries, "sha1"), /ng refs/);
  });

  test.each<[string, (pack: Buffer, bad: Buffer) => Buffer]>([
    ["behind the end of the pack", (pack, bad) => Buffer.concat([pack, bad])],
    [
      "behind the end of the pack, where its checksum says otherwise",
      (pack, bad) => signPack(Buffer.concat([pack, bad]), "sha1"),
    ],
    [
      "as one object more than the pack announces",
      (pack, bad) => signPack(Buffer.concat([pack.subarray(0, -20), bad.subarray(12, -20)]), "sha1"),
    ],
    [
      "behind the end of an object's stream",
      (pack) => {
        const stream = Buffer.concat([deflateSync("clean"), deflateSync(SECRET)]);
        const count = Buffer.alloc(4);
        count.writeUInt32BE(pack.readUInt32BE(8) + 1);
        return signPack(
          Buffer.concat([pack.subarray(0, 8), count, pack.subarray(12, -20), Buffer.from([0x35]), stream]),
          "sha1",
        );
      },
    ],
  ])("%s", async (_where, build) => {
    const oid = await nextCommit();
    const good = encodePackFile([await entry("commit", oid)], "sha1");
    const bad = encodePackFile([plainEntry({ kind: "blob", content: Buffer.from(SECRET) })], "sha1");
    await expectNothing(oid, build(good, bad), /ng refs\S+ the pack is not valid/);
  });

  test("in an object that is sent twice", async () => {
    const oid = await commitOf(await file("a.txt"), [main], `Twice ${freshName()}\n`);
    const tree = await copy.must("rev-parse", `${oid}^{tree}`);
    const blob = await copy.must("rev-parse", `${oid}:a.txt`);
    const one = await entry("blob", blob);
    const entries = [await entry("commit", oid), await entry("tree", tree), one, one];
    await expectNothing(oid, encodePackFile(entries, "sha1"), /ng refs/);
  });

  test("behind a parent that the client says is cut off (shallow)", async () => {
    const parent = await commitOf(await file("a.txt"), [main], `Cut ${freshName()}\n`);
    const oid = await commitOf(mainTree, [parent], "On top\n");
    const mark = world().upstream.requests.length;
    for (const shallow of [parent, oid]) {
      const answer = await rawPushBytes(
        world(),
        ana,
        "team/app",
        Buffer.concat([
          encodePktLine(`shallow ${shallow}`),
          firstCommand(`${ZERO} ${oid} refs/heads/${freshName()}`),
          FLUSH_PKT,
          encodePackFile([await entry("commit", oid)], "sha1"),
        ]),
      );
      expect(answer.text).toMatch(/ng refs\S+ .*no ref of the upstream reaches/);
    }
    expect(forwardedSince(mark)).toEqual([]);
  });

  test("in a body of gzip that unpacks to a thousand times as much", async () => {
    const oid = await nextCommit();
    const head = Buffer.concat([firstCommand(`${ZERO} ${oid} refs/heads/${freshName()}`), FLUSH_PKT]);
    const body = gzipSync(Buffer.concat([head, Buffer.alloc(100 * 1024 * 1024)]), { level: 9 });
    expect(body.length).toBeLessThan(200_000);
    const mark = world().upstream.requests.length;
    const answer = await rawPushBytes(world(), ana, "team/app", body, { "content-encoding": "gzip" });
    expect(answer.text).toContain("the pack is not valid");
    expect(forwardedSince(mark)).toEqual([]);
  });
});

/** Bytes as they are, over a connection of their own, until the answer is there; where none is awaited, until it is silent or closed. */
function rawBytes(bytes: Buffer, answer?: RegExp): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(Number(new URL(world().url).port), "127.0.0.1");
    let text = "";
    socket.setTimeout(answer === undefined ? 1_500 : 60_000, () => socket.destroy());
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (answer?.test(text)) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
    socket.write(bytes);
  });
}

/** A repository of the test's own, equal to `team/app`. */
async function newRepository(group: "team" | "two" = "team"): Promise<string> {
  const name = `${group}/${freshName()}`;
  const { upstream } = world();
  await cp(upstream.directoryOf("team/app"), upstream.directoryOf(name), { recursive: true });
  return name;
}

const urlOf = (repository: string): string => `${world().url}/git/code/${repository}.git`;
const mainOf = (repository: string): Promise<string | null> => world().upstream.ref(repository, "refs/heads/main");
const nextCommit = (parent = main): Promise<string> =>
  make.commit({ tree: mainTree, parents: [parent], message: `Change ${freshName()}\n` });

const approvalIn = (text: string): string => {
  const id = /\/approvals\/([0-9a-f-]{36})/.exec(text)?.[1];
  if (id === undefined) throw new Error(`no approval link in:\n${text}`);
  return id;
};

/** Pushes to a protected branch. @returns the hold's id */
async function hold(repository: string, oid: string, ref = "refs/heads/main", by = copy): Promise<string> {
  const push = await by.git("push", "--force", urlOf(repository), `${oid}:${ref}`);
  expect(push.stderr).toMatch(/! \[remote rejected\].*held for approval/);
  return approvalIn(push.stderr);
}

const statusOf = async (approval: string): Promise<unknown> =>
  ((await (await lee.fetch(`/api/v1/approvals/${approval}`)).json()) as { status: unknown }).status;

async function untilMainIs(repository: string, oid: string): Promise<void> {
  await expect.poll(() => mainOf(repository), { interval: 100 }).toBe(oid);
}

describe("an approval", () => {
  test("for one branch is used on another", async () => {
    const repository = await newRepository();
    const oid = await nextCommit();
    await lee.decide(await hold(repository, oid), "approve", "main only");
    await untilMainIs(repository, oid);
    await hold(repository, oid, "refs/heads/release/1");
    expect(await world().upstream.ref(repository, "refs/heads/release/1")).toBeNull();
  });

  test("for one repository is used on another", async () => {
    const [one, two] = [await newRepository(), await newRepository()];
    const oid = await nextCommit();
    const approval = await hold(one, oid);
    expect(await hold(two, oid)).not.toBe(approval);
    await lee.decide(approval, "approve", "one only");
    await untilMainIs(one, oid);
    expect(await mainOf(two)).toBe(main);
  });

  test("for one content is used on another", async () => {
    const repository = await newRepository();
    const [good, bad] = [await nextCommit(), await nextCommit()];
    const approval = await hold(repository, good);
    const other = await hold(repository, bad);
    expect(other).not.toBe(approval);
    await lee.decide(approval, "approve", "the good one");
    await untilMainIs(repository, good);
    // And the other one cannot be carried out any more, whoever approves it.
    await lee.decide(other, "approve", "by mistake");
    await expect
      .poll(async () => JSON.stringify((await lee.api(`/api/v1/pushes?repository=code/${repository}`)).items))
      .toContain('"undelivered"');
    expect(await mainOf(repository)).toBe(good);
  });

  test("is used a second time, after the branch was set back", async () => {
    const repository = await newRepository();
    const oid = await nextCommit();
    const approval = await hold(repository, oid);
    await lee.decide(approval, "approve", "once");
    await untilMainIs(repository, oid);
    await world().upstream.git(repository, "update-ref", "refs/heads/main", main);
    expect(await hold(repository, oid)).not.toBe(approval);
    expect(await mainOf(repository)).toBe(main);
  });

  test("of one person's push lets the same push of another person through", async () => {
    const repository = await newRepository();
    const bob = await world().person("bob@example.com", ["eng"]);
    const oid = await nextCommit();
    const approval = await hold(repository, oid);
    const bobs = await bob.git(["-C", copy.directory, "push", urlOf(repository), `${oid}:refs/heads/main`]);
    expect(approvalIn(bobs.stderr)).not.toBe(approval);
    expect(await mainOf(repository)).toBe(main);
  });

  test("comes from the pusher, by another token with other groups", async () => {
    const repository = await newRepository();
    const approval = await hold(repository, await nextCommit());
    const again = await world().person("ana@example.com", ["leads"]);
    expect((await again.decide(approval, "approve", "mine")).status).toBe(403);
    expect(await statusOf(approval)).toBe("pending");
  });

  test("comes twice from one person, where two people are asked", async () => {
    const repository = await newRepository("two");
    const oid = await nextCommit();
    const approval = await hold(repository, oid);
    const leeAgain = await world().person("lee@example.com", ["leads", "others"]);
    expect((await lee.decide(approval, "approve", "one")).status).toBe(200);
    expect((await leeAgain.decide(approval, "approve", "two")).status).toBe(409);
    expect((await lee.decide(approval, "approve", "three")).status).toBe(409);
    expect(await statusOf(approval)).toBe("pending");
    const max = await world().person("max@example.com", ["leads"]);
    expect((await max.decide(approval, "approve", "two")).status).toBe(200);
    await untilMainIs(repository, oid);
  });

  test("comes after a denial", async () => {
    const repository = await newRepository();
    const approval = await hold(repository, await nextCommit());
    const max = await world().person("max@example.com", ["leads"]);
    expect((await max.decide(approval, "deny", "no")).status).toBe(200);
    expect((await lee.decide(approval, "approve", "yes")).status).toBe(409);
    expect(await statusOf(approval)).toBe("denied");
  });

  test("comes after its time", async () => {
    const repository = await newRepository();
    const approval = await hold(repository, await nextCommit());
    await world().database.sql`update approvals set expires_at = now() - interval '1 second' where id = ${approval}`;
    expect((await lee.decide(approval, "approve", "late")).status).toBe(409);
    expect(await mainOf(repository)).toBe(main);
  });

  test("comes by a token that is for git, or for Copilot, alone", async () => {
    const repository = await newRepository();
    const approval = await hold(repository, await nextCommit());
    for (const audience of ["git", "copilot"] as const) {
      const max = await world().person("max@example.com", ["leads"], [audience]);
      expect((await max.decide(approval, "approve", "by an agent")).status).toBe(401);
      const browser = await signIn(max.token);
      expect(browser.status).toBe(403);
      expect(browser.session).toBeUndefined();
    }
    expect(await statusOf(approval)).toBe("pending");
  });

  test("comes by GET, by HEAD, or by a method in a header", async () => {
    const approval = await hold(await newRepository(), await nextCommit());
    for (const method of ["GET", "HEAD"]) {
      const answer = await lee.fetch(`/api/v1/approvals/${approval}/approve`, {
        method,
        headers: { "x-http-method-override": "POST", "x-method-override": "POST" },
      });
      expect(answer.status).toBeGreaterThanOrEqual(400);
    }
    expect(await statusOf(approval)).toBe("pending");
  });
});

const hiddenIn = (page: string, action: string): string => {
  const form = page.split("<form").find((part) => part.includes(`action="${action}"`)) ?? "";
  return /name="form" value="([^"]+)"/.exec(form)?.[1] ?? "";
};
const cookiesOf = (response: Response): string =>
  response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(";", 1)[0])
    .join("; ");

/** A browser's sign-in. @returns the session's cookie; undefined where there is none */
async function signIn(token: string): Promise<{ readonly status: number; readonly session: string | undefined }> {
  const page = await fetch(`${world().url}/`);
  const done = await fetch(`${world().url}/sign-in`, {
    method: "POST",
    redirect: "manual",
    headers: { cookie: cookiesOf(page), "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ form: hiddenIn(await page.text(), "/sign-in"), token, return: "/" }),
  });
  return { status: done.status, session: /sallyport=[\w-]{43}/.exec(cookiesOf(done))?.[0] };
}

describe("the approve form", () => {
  const decide = (approval: string, cookie: string, form: string, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${world().url}/approvals/${approval}`, {
      method: "POST",
      redirect: "manual",
      headers: { cookie, "content-type": "application/x-www-form-urlencoded", ...headers },
      body: new URLSearchParams({ form, decision: "approve", reason: "forged" }),
    });

  test("is sent by another site, by another form, with a made-up session; and then as it should be", async () => {
    const repository = await newRepository();
    const oid = await nextCommit();
    const [approval, other] = [await hold(repository, oid), await hold(repository, await nextCommit())];
    const session = (await signIn(lee.token)).session ?? "";
    const pageOf = async (path: string) =>
      (await fetch(`${world().url}${path}`, { headers: { cookie: session } })).text();
    const page = await pageOf(`/approvals/${approval}`);
    const token = hiddenIn(page, `/approvals/${approval}`);
    expect(token).not.toBe("");

    expect((await decide(approval, session, "")).status).toBe(403);
    expect((await decide(approval, session, hiddenIn(page, "/sign-out"))).status).toBe(403);
    expect(
      (await decide(approval, session, hiddenIn(await pageOf(`/approvals/${other}`), `/approvals/${other}`))).status,
    ).toBe(403);
    expect((await decide(approval, session, token, { "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await decide(approval, session, token, { "sec-fetch-site": "same-site" })).status).toBe(403);
    expect((await decide(approval, session, token, { origin: "http://evil.example" })).status).toBe(403);
    expect((await decide(approval, session, token, { origin: "null" })).status).toBe(403);
    const madeUp = await decide(approval, `sallyport=${"A".repeat(43)}`, token);
    expect([madeUp.status, madeUp.headers.get("location")?.startsWith("/?return=")]).toEqual([303, true]);
    expect((await decide(approval, "", token)).status).toBe(303);
    expect(await statusOf(approval)).toBe("pending");

    expect((await decide(approval, session, token, { "sec-fetch-site": "same-origin" })).status).toBe(303);
    await untilMainIs(repository, oid);
  });

  test("leads to another site after the sign-in", async () => {
    const page = await fetch(`${world().url}/?return=${encodeURIComponent("//evil.example/x")}`);
    const done = await fetch(`${world().url}/sign-in`, {
      method: "POST",
      redirect: "manual",
      headers: { cookie: cookiesOf(page), "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({
        form: hiddenIn(await page.text(), "/sign-in"),
        token: lee.token,
        return: "/\\evil.example",
      }),
    });
    expect([done.status, done.headers.get("location")]).toEqual([303, "/"]);
  });
});

describe("a token", () => {
  /** With the credential in the address: git then shows what a refusal says. */
  const pushAs = async ({ email, token }: Person) => {
    const ref = `refs/heads/${freshName()}`;
    const url = new URL(urlOf("team/app"));
    url.username = email;
    url.password = token;
    const push = await git(["push", url.href, `${await nextCommit()}:${ref}`], { cwd: copy.directory });
    expect(await world().upstream.ref("team/app", ref)).toBeNull();
    expect(push.code).not.toBe(0);
    expect(push.stderr).not.toContain(token);
    return push.stderr;
  };
  const change = (person: Person, column: "expires_at" | "revoked_at") => {
    const { sql } = world().database;
    return sql`update tokens set ${sql(column)} = now() where hash = ${hashToken(person.token)}`;
  };

  test("for Copilot or for the API alone pushes", async () => {
    for (const audience of ["copilot", "api"] as const) {
      expect(await pushAs(await world().person("eve@example.com", ["eng"], [audience]))).toContain("not for git");
    }
  });

  test("that has expired pushes", async () => {
    const eve = await world().person("eve@example.com", ["eng"]);
    await change(eve, "expires_at");
    expect(await pushAs(eve)).toMatch(/remote: .*expired/);
  });

  test("that was revoked still works: for five seconds at most, also in a browser", async () => {
    const eve = await world().person("eve@example.com", ["eng"]);
    const { session = "" } = await signIn(eve.token);
    const page = () => fetch(`${world().url}/pushes`, { redirect: "manual", headers: { cookie: session } });
    expect((await page()).status).toBe(200);
    expect((await eve.fetch("/api/v1/pushes")).status).toBe(200);
    await change(eve, "revoked_at");
    const since = Date.now();
    const lateAnswers: number[] = [];
    const ask = async () => {
      // However long a busy machine takes over it: what is asked after those five seconds is refused.
      const isLate = Date.now() - since > 5_000;
      const { status } = await eve.fetch("/api/v1/pushes");
      if (isLate) lateAnswers.push(status);
      return status;
    };
    await expect.poll(ask, { interval: 250 }).toBe(401);
    expect(lateAnswers.filter((status) => status !== 401)).toEqual([]);
    expect((await page()).status).toBe(303);
    expect(await pushAs(eve)).toMatch(/remote: .*revoked/);
  });

  test("is mistyped, empty, or SQL", async () => {
    const mistyped = ana.token.slice(0, -1) + (ana.token.endsWith("x") ? "y" : "x");
    for (const token of [mistyped, "", "' or 1=1 --", "gho_", "\u00ff"]) {
      const authorization = `Basic ${Buffer.from(`ana:${token}`).toString("base64")}`;
      const path = "/git/code/team/app.git/info/refs?service=git-receive-pack";
      const answer = await rawRequest(world(), { path, headers: { authorization } });
      expect(answer.status).toBe(401);
    }
  });
});

describe("a ref", () => {
  test.each([
    "refs/for/main",
    "refs/changes/01/1/1",
    "refs/meta/config",
    "refs/pull/1/head",
    "refs/merge-requests/1/head",
    "refs/keep-around/x",
    "refs/remotes/origin/main",
    "refs/Heads/main",
    "refs/heads",
    `refs/replace/${"1".repeat(40)}`,
    "refs/namespaces/x/refs/heads/main",
    "refs/stash",
    "refs/worktree/x",
    "refs/bisect/bad",
    "refs/drafts/main",
    "refs/users/1/1",
    "refs/cache-automerge/00/x",
    "refs/remotes/heads/main",
    "refs/notesx/commits",
  ])("outside of heads and tags is pushed to: %s", async (ref) => {
    await expectRefused(await nextCommit(), ref, /outside of what may be pushed/);
  });

  test.each([
    "HEAD",
    "main",
    "refs/heads/",
    "refs/heads/../heads/main",
    "refs/heads/./main",
    "refs/heads//main",
    "refs/heads/main/",
    "/refs/heads/main",
    "refs/heads/main.lock",
    "refs/heads/main ",
    "refs/heads/main\t",
    "refs/heads/ma\u0007in",
    "refs/heads/@{-1}",
    "refs/tags/a\\b",
    "refs/heads/x:refs/heads/main",
  ])("is no ref at all: %j", async (ref) => {
    const oid = await nextCommit();
    const mark = world().upstream.requests.length;
    const pack = await packOf(copy.directory, [oid]);
    const answer = await rawPush(world(), ana, { repository: "team/app", commands: [`${ZERO} ${oid} ${ref}`], pack });
    expect(answer.text).toContain("unpack ");
    expect(answer.text).not.toContain("unpack ok");
    expect(answer.text).not.toMatch(/\bok refs/);
    expect(forwardedSince(mark)).toEqual([]);
  });

  test.each([
    "refs/heads/MAIN",
    "refs/heads/Release/1",
    // What the disks of Macs pass over: the file of such a ref is the protected one's.
    "refs/heads/ma\u200cin",
    "refs/heads/\ufeffmain",
    "refs/heads/release\u200d/1",
  ])("is a protected one in other letters: %s", async (ref) => {
    await hold("team/app", await nextCommit(), ref);
    expect(await world().upstream.ref("team/app", ref)).toBeNull();
  });

  test("is another name of a protected one (symbolic ref)", async () => {
    const repository = await newRepository();
    await world().upstream.git(repository, "symbolic-ref", "refs/heads/alias", "refs/heads/main");
    const push = await copy.git("push", urlOf(repository), `${await nextCommit()}:refs/heads/alias`);
    expect(push.stderr).toContain("[remote rejected]");
    expect(await mainOf(repository)).toBe(main);
  });

  test("is another name of a protected one, and deleted from an id that the upstream does not know", async () => {
    const repository = await newRepository();
    await world().upstream.git(repository, "symbolic-ref", "refs/heads/alias", "refs/heads/main");
    for (const old of [ZERO, "1".repeat(40)]) {
      const answer = await rawPush(world(), ana, {
        repository,
        commands: [`${old} ${ZERO} refs/heads/alias`],
        capabilities: "report-status delete-refs side-band-64k",
      });
      expect(answer.text).toContain("ng refs/heads/alias refs/heads/alias stands for refs/heads/main");
      expect(await mainOf(repository)).toBe(main);
    }
  });

  test("is named twice in one push", async () => {
    const oid = await nextCommit();
    const ref = `refs/heads/${freshName()}`;
    const mark = world().upstream.requests.length;
    const answer = await rawPush(world(), ana, {
      repository: "team/app",
      commands: [`${ZERO} ${oid} ${ref}`, `${ZERO} ${main} ${ref}`],
      pack: await packOf(copy.directory, [oid]),
    });
    expect(answer.text).toContain("two commands for");
    expect(forwardedSince(mark)).toEqual([]);
  });

  test("is protected, and pushed along with one that is not: that one alone moves", async () => {
    const repository = await newRepository();
    const oid = await nextCommit();
    const push = await copy.git("push", urlOf(repository), `${oid}:refs/heads/main`, `${oid}:refs/heads/free`);
    expect(push.stderr.match(/held for approval/g)).toHaveLength(1);
    expect(await mainOf(repository)).toBe(main);
    expect(await world().upstream.ref(repository, "refs/heads/free")).toBe(oid);
  });

  test("is protected, and deleted or forced", async () => {
    const repository = await newRepository();
    const deletion = await copy.git("push", urlOf(repository), ":refs/heads/main");
    expect(deletion.stderr).toContain("a protected ref cannot be deleted");
    const parent = await copy.must("rev-parse", "HEAD^");
    const forced = await copy.git("push", "--force", urlOf(repository), `${await nextCommit(parent)}:refs/heads/main`);
    expect(forced.stderr).toContain("takes no force-push");
    expect(await mainOf(repository)).toBe(main);
  });

  test("has moved since: a hold from where it was is refused at once", async () => {
    const parent = await copy.must("rev-parse", "HEAD^");
    const repository = await newRepository();
    const oid = await nextCommit();
    const answer = await rawPush(world(), ana, {
      repository,
      commands: [`${parent} ${oid} refs/heads/main`],
      pack: await packOf(copy.directory, [oid]),
    });
    expect(answer.text).toMatch(/ng refs\/heads\/main stale info: .*fetch first/);
    expect((await lee.api(`/api/v1/approvals?repository=code/${repository}`)).items).toEqual([]);
  });

  test("is deleted from an id that it never had, which an upstream does not compare", async () => {
    const repository = await newRepository("two");
    const answer = await rawPush(world(), ana, {
      repository,
      commands: [`${"1".repeat(40)} ${ZERO} refs/heads/main`],
      capabilities: "report-status delete-refs side-band-64k",
    });
    expect(answer.text).toContain("ng refs/heads/main stale info");
    expect((await lee.api(`/api/v1/approvals?repository=code/${repository}`)).items).toEqual([]);
    expect(await mainOf(repository)).toBe(main);
  });
});

test.each([
  "merge_request.merge_when_pipeline_succeeds",
  "merge_request.create",
  "secret_push_protection.skip_all",
  "secret_detection.skip_all",
  "ci.variable=X=y",
  "topic=x",
  "",
])("a push option gives the upstream an order: %j", async (option) => {
  const mark = world().upstream.requests.length;
  const oid = await nextCommit();
  const push = await copy.git("push", "-o", option, "origin", `${oid}:refs/heads/x`);
  expect(push.stderr).toMatch(/! \[remote rejected\].*push option/);
  expect(forwardedSince(mark)).toEqual([]);
});

describe("who pushes", () => {
  test("is not whom a commit names: neither the record nor the approver's rule goes by it", async () => {
    const repository = await newRepository();
    const oid = await make.commit({
      tree: mainTree,
      parents: [main],
      author: "Lee <lee@example.com> 1700000000 +0000",
      committer: "Lee <lee@example.com> 1700000000 +0000",
      message: "By Lee, it says\n\nSigned-off-by: Lee <lee@example.com>\n",
    });
    const approval = await hold(repository, oid);
    const [held] = (await lee.api(`/api/v1/approvals?repository=code/${repository}`)).items;
    expect(JSON.stringify(held?.["pusher"])).toContain("ana@example.com");
    const ana2 = await world().person("ana@example.com", ["leads"]);
    expect((await ana2.decide(approval, "approve", "as Lee")).status).toBe(403);
    expect((await lee.decide(approval, "approve", "by myself")).status).toBe(200);
    await untilMainIs(repository, oid);
  });

  test("is said a second time, in another header", async () => {
    const eve = await world().person("eve@example.com", ["leads"]);
    const repository = await newRepository();
    const oid = await nextCommit();
    const answer = await rawPush(world(), ana, {
      repository,
      commands: [`${main} ${oid} refs/heads/main`],
      pack: await packOf(copy.directory, [oid]),
      headers: {
        "remote-user": "eve@example.com",
        "x-forwarded-user": "eve@example.com",
        "x-forwarded-email": "eve@example.com",
        "x-api-key": eve.token,
        cookie: `sallyport=${eve.token}`,
      },
    });
    expect(answer.text).toContain("ng refs/heads/main held for approval");
    const [held] = (await lee.api(`/api/v1/approvals?repository=code/${repository}`)).items;
    expect(JSON.stringify(held?.["pusher"])).toContain("ana@example.com");
    expect(await mainOf(repository)).toBe(main);
  });
});

describe("a protected branch is moved", () => {
  test("to a commit that came earlier by a free branch, with no pack at all", async () => {
    const repository = await newRepository();
    const oid = await make.commit({ tree: await file("b.txt", "earlier\n"), parents: [main], message: "Earlier\n" });
    const first = await copy.git("push", urlOf(repository), `${oid}:refs/heads/feature`);
    expect(first.code).toBe(0);
    const approval = await hold(repository, oid);
    // Whoever decides sees what the branch gains, not what the pack holds.
    const shown = await (await lee.fetch(`/api/v1/approvals/${approval}`)).text();
    expect(shown).toContain(oid);
    expect(await mainOf(repository)).toBe(main);
  });

  test("as if it were created", async () => {
    const repository = await newRepository();
    const oid = await nextCommit();
    const answer = await rawPush(world(), ana, {
      repository,
      commands: [`${ZERO} ${oid} refs/heads/main`],
      pack: await packOf(copy.directory, [oid]),
    });
    expect(answer.text).toMatch(/ng refs\/heads\/main /);
    expect(await mainOf(repository)).toBe(main);
  });

  test("back to an old commit, with no pack and nothing new", async () => {
    const repository = await newRepository("two");
    const parent = await copy.must("rev-parse", "HEAD^");
    const push = await copy.git("push", "--force", urlOf(repository), `${parent}:refs/heads/main`);
    expect(push.stderr).toMatch(/! \[remote rejected\].*held for approval/);
    expect(await mainOf(repository)).toBe(main);
  });

  test("to a tag, to a tree and to a blob", async () => {
    const repository = await newRepository();
    for (const oid of [await make.tag(main, "commit", "t", "x"), mainTree, await make.blob("x\n")]) {
      const answer = await rawPush(world(), ana, {
        repository,
        commands: [`${main} ${oid} refs/heads/main`],
        pack: await packOf(copy.directory, [oid]),
      });
      expect(answer.text).toMatch(/ng refs\/heads\/main /);
    }
    expect(await mainOf(repository)).toBe(main);
  });

  test("by deleting it and creating it, in one push and in two", async () => {
    const repository = await newRepository();
    const oid = await nextCommit();
    const answer = await rawPush(world(), ana, {
      repository,
      commands: [`${main} ${ZERO} refs/heads/main`, `${ZERO} ${oid} refs/heads/main`],
      pack: await packOf(copy.directory, [oid]),
    });
    expect(answer.text).toContain("two commands for");
    const gone = await copy.git("push", urlOf(repository), ":refs/heads/main");
    expect(gone.stderr).toContain("[remote rejected]");
    expect(await mainOf(repository)).toBe(main);
  });
});

describe("of a push, one part is refused", () => {
  /** A push by hand of several refs; the pack holds all objects of all. */
  const pushAll = async (repository: string, refs: Readonly<Record<string, string>>, capabilities?: string) => {
    const oids = Object.values(refs).filter((oid) => oid !== ZERO);
    const commands = await Promise.all(
      Object.entries(refs).map(
        async ([ref, oid]) => `${(await world().upstream.ref(repository, ref)) ?? ZERO} ${oid} ${ref}`,
      ),
    );
    return rawPush(world(), ana, {
      repository,
      commands,
      pack: await packOf(copy.directory, [...oids, `^${main}`], true),
      ...(capabilities === undefined ? {} : { capabilities }),
    });
  };
  const has = (repository: string, oid: string) => world().upstream.hasObject(repository, oid);
  const bad = async (parent = main) =>
    make.commit({
      tree: await file("a.txt", `${freshName()} ${SECRET}`),
      parents: [parent],
      message: `Bad ${freshName()}\n`,
    });

  test("and its commit is an ancestor of the other's", async () => {
    const repository = await newRepository();
    const below = await bad();
    const above = await make.commit({ tree: mainTree, parents: [below], message: "Undone\n" });
    const answer = await pushAll(repository, { "refs/heads/above": above, "refs/heads/below": below });
    expect(answer.text.match(/ng refs/g)).toHaveLength(2);
    expect([await has(repository, below), await has(repository, above)]).toEqual([false, false]);
  });

  test("and a tag beside it points at its commit, by another tag, and lightly", async () => {
    const repository = await newRepository();
    const below = await bad();
    const inner = await make.tag(below, "commit", "inner", "x");
    const outer = await make.tag(inner, "tag", "outer", "x");
    const good = await nextCommit();
    const answer = await pushAll(repository, {
      "refs/tags/light": below,
      "refs/heads/good": good,
      "refs/tags/outer": outer,
    });
    expect(answer.text.match(/ng refs\/tags/g)).toHaveLength(2);
    expect(await world().upstream.ref(repository, "refs/heads/good")).toBe(good);
    for (const oid of [below, inner, outer]) expect(await has(repository, oid)).toBe(false);
  });

  test("and the other has its file too, at another path", async () => {
    const repository = await newRepository();
    const blob = await make.blob(`shared ${freshName()} ${SECRET}`);
    const one = await make.commit({
      tree: await make.tree([["100644", "a.txt", blob]]),
      parents: [main],
      message: "One\n",
    });
    const two = await make.commit({
      tree: await make.tree([["100644", "b.txt", blob]]),
      parents: [main],
      message: "Two\n",
    });
    const answer = await pushAll(repository, { "refs/heads/one": one, "refs/heads/two": two });
    expect(answer.text.match(/ng refs\S+ .*secret/g)).toHaveLength(2);
    expect(await has(repository, blob)).toBe(false);
  });

  test("and the other has a file of the same name: the name is the secret", async () => {
    const repository = await newRepository();
    const named = async (content: string) =>
      make.commit({ tree: await file(`${plantedAwsKey}.txt`, content), parents: [main], message: `${freshName()}\n` });
    const [one, two] = [await named("1\n"), await named("2\n")];
    const answer = await pushAll(repository, { "refs/heads/one": one, "refs/heads/two": two });
    expect(answer.text.match(/ng refs\S+ .*secret/g)).toHaveLength(2);
    expect([await has(repository, one), await has(repository, two)]).toEqual([false, false]);
  });

  test("and has so many secrets that there is no room for those of the other", async () => {
    const repository = await newRepository();
    const many = Array.from({ length: 1_500 }, (_, at) => `key${at} = ${plantedAwsKey}`).join("\n");
    const flood = await make.commit({ tree: await file("a.txt", many), parents: [main], message: "Flood\n" });
    const one = await bad();
    const answer = await pushAll(repository, { "refs/heads/flood": flood, "refs/heads/one": one });
    expect(answer.text.match(/ng refs\S+ .*secret/g)).toHaveLength(2);
    expect(await has(repository, one)).toBe(false);
  });

  test("and what it brings is the base of a delta that the other needs", async () => {
    const repository = await newRepository();
    const text = Array.from({ length: 400 }, (_, at) => `line ${at} ${freshName()}`).join("\n");
    const badBlob = await make.blob(`${text}\n${SECRET}`);
    const goodBlob = await make.blob(`${text}\n`);
    const one = await make.commit({
      tree: await make.tree([["100644", "t", badBlob]]),
      parents: [main],
      message: "One\n",
    });
    const two = await make.commit({
      tree: await make.tree([["100644", "t", goodBlob]]),
      parents: [main],
      message: "Two\n",
    });
    const contentOf = (kind: string, oid: string) => mustGitBytes(["cat-file", kind, oid], copy.directory);
    const [base, result] = [await contentOf("blob", badBlob), await contentOf("blob", goodBlob)];
    const entries: PackEntry[] = [
      plainEntry({ kind: "blob", content: base }),
      { type: OFS_DELTA, content: makeDelta(base, result, new Random(1)), base: 0 },
    ];
    for (const oid of [one, two]) {
      entries.push(plainEntry({ kind: "commit", content: await contentOf("commit", oid) }));
      entries.push(plainEntry({ kind: "tree", content: await contentOf("tree", `${oid}^{tree}`) }));
    }
    const answer = await rawPush(world(), ana, {
      repository,
      commands: [`${ZERO} ${one} refs/heads/one`, `${ZERO} ${two} refs/heads/two`],
      pack: encodePackFile(entries, "sha1"),
    });
    expect(answer.text).toMatch(/ng refs\/heads\/one .*secret/);
    expect(await world().upstream.ref(repository, "refs/heads/two")).toBe(two);
    expect([await has(repository, goodBlob), await has(repository, badBlob)]).toEqual([true, false]);
  });

  test("with --atomic, and then nothing moves: no branch, no tag, no deletion", async () => {
    const repository = await newRepository();
    await world().upstream.git(repository, "update-ref", "refs/heads/old", main);
    const good = await nextCommit();
    const answer = await pushAll(
      repository,
      { "refs/heads/good": good, "refs/heads/old": ZERO, "refs/heads/bad": await bad() },
      "report-status atomic delete-refs",
    );
    expect(answer.text.match(/ng refs/g)).toHaveLength(3);
    expect(await world().upstream.ref(repository, "refs/heads/old")).toBe(main);
    expect(await has(repository, good)).toBe(false);
  });

  test("and is the protected one: what is free arrives, the other's objects do not", async () => {
    const repository = await newRepository();
    const [held, free] = [await nextCommit(), await nextCommit()];
    const answer = await pushAll(repository, { "refs/heads/main": held, "refs/heads/free": free });
    expect(answer.text).toContain("ng refs/heads/main held for approval");
    expect(await world().upstream.ref(repository, "refs/heads/free")).toBe(free);
    expect(await has(repository, held)).toBe(false);
    expect(await mainOf(repository)).toBe(main);
  });

  test("and the next push builds on what was refused, as if it had arrived", async () => {
    const repository = await newRepository();
    const below = await bad();
    await pushAll(repository, { "refs/heads/good": await nextCommit(), "refs/heads/bad": below });
    const above = await make.commit({ tree: mainTree, parents: [below], message: "On top\n" });
    const answer = await rawPush(world(), ana, {
      repository,
      commands: [`${ZERO} ${above} refs/heads/above`],
      pack: await packOf(copy.directory, [above]),
    });
    expect(answer.text).toMatch(/ng refs\/heads\/above .*(?:no ref of the upstream reaches|old objects)/);
    expect(await has(repository, below)).toBe(false);
  });
});

test("push options without end: each would be looked through", async () => {
  const oid = await nextCommit();
  const options = Buffer.concat(Array.from({ length: 100_000 }, () => encodePktLine("x")));
  const answer = await rawPushBytes(
    world(),
    ana,
    "team/app",
    Buffer.concat([
      firstCommand(`${ZERO} ${oid} refs/heads/x`, "report-status side-band-64k push-options"),
      FLUSH_PKT,
      options,
      FLUSH_PKT,
      await packOf(copy.directory, [oid]),
    ]),
  );
  expect(answer.text).toContain("ng refs/heads/x this push has more than 1000 push options");
});

describe("a commit that takes long to read, or that a database cannot store", () => {
  const head = (): string =>
    `tree ${mainTree}\nparent ${main}\nauthor Ana <ana@example.com> 1700000000 +0000\ncommitter Ana <ana@example.com> 1700000000 +0000\n`;

  test.each<[string, () => string | Buffer]>([
    ["a header of a million lines", () => `${head()}gpgsig x\n${" \n".repeat(1_000_000)}\nText\n`],
    ["two hundred thousand headers", () => `${head()}${"x y\n".repeat(200_000)}\nText\n`],
    ["eighty thousand parents", () => head().replace(/parent .*\n/, (parent) => parent.repeat(80_000)) + "\nText\n"],
    ["a time in the year 33658", () => head().replaceAll("1700000000", "999999999999") + "\nText\n"],
    ["a time beyond all numbers", () => head().replaceAll("1700000000", "9".repeat(40)) + "\nText\n"],
    ["a NUL in the author and in the message", () => `${head().replace("author A", "author A\0")}\nText\0more\n`],
    ["an author of a megabyte", () => `${head().replace("author A", `author ${"A".repeat(2 ** 20)}`)}\nText\n`],
    [
      "half a character",
      () => Buffer.concat([Buffer.from(`${head()}\n`), Buffer.from([0xed, 0xa0, 0x80, 0xf0, 0x9f])]),
    ],
    ["neither message nor empty line", () => head()],
    ["no line feed at its end", () => head().slice(0, -1)],
  ])("%s: it is read, recorded and delivered", async (_what, content) => {
    const oid = await make.raw("commit", content());
    const ref = `refs/heads/${freshName()}`;
    const push = await rawPush(world(), ana, {
      repository: "team/app",
      commands: [`${ZERO} ${oid} ${ref}`],
      pack: await packOf(copy.directory, [oid]),
    });
    expect(push.text).toContain(`ok ${ref}`);
    expect(await world().upstream.ref("team/app", ref)).toBe(oid);
    expect(await (await ana.fetch(`/api/v1/commits/${oid}`)).json()).toMatchObject({ sha: oid });
  });
});

describe("a tree that leads whoever checks it out elsewhere", () => {
  const expectNotTaken = async (tree: string, objects: readonly string[], reason: RegExp) => {
    const oid = await make.commit({ tree, parents: [main], message: `Tree ${freshName()}\n` });
    const mark = world().upstream.requests.length;
    const answer = await rawPush(world(), ana, {
      repository: "team/app",
      commands: [`${ZERO} ${oid} refs/heads/${freshName()}`],
      pack: await packOf(copy.directory, [oid, tree, ...objects]),
    });
    expect(answer.text).toMatch(reason);
    expect(answer.text).not.toMatch(/\bok refs/);
    expect(forwardedSince(mark)).toEqual([]);
  };

  test.each([
    ".git ",
    ".git.",
    ".GIT. . .",
    ".git::$INDEX_ALLOCATION",
    ".git:x",
    "git~1",
    "GIT~1.",
    ".g\u200cit",
    "\ufeff.git",
    ".git\u206f",
    ".git\\hooks\\x",
    "a\\.git\\hooks\\x",
    "..\\x",
    "a\\..\\..\\x",
  ])("by a name that is another one on Windows, or on a disk of Apple's: %j", async (name) => {
    const blob = await make.blob(`named ${name}\n`);
    await expectNotTaken(
      await make.rawTree([["100644", name, blob]]),
      [blob],
      /ng refs\S+ .*a name that leads elsewhere/,
    );
    const inner = await make.tree([["100644", "config", blob]]);
    await expectNotTaken(await make.rawTree([["40000", name, inner]]), [blob, inner], /a name that leads elsewhere/);
  });

  test.each([".gitmodules", ".GitModules", ".gitmodules ", "GITMOD~1", ".git\u200cmodules"])(
    "by a link in place of %j",
    async (name) => {
      const target = await make.blob("somewhere/else");
      await expectNotTaken(
        await make.rawTree([["120000", name, target]]),
        [target],
        /ng refs\S+ .*\.gitmodules that is a link/,
      );
    },
  );

  test.each([
    ['[submodule "x"]\n\tpath = x\n\turl = -u./payload\n', /begins with “-”/],
    ['[submodule "x"] url = ext::sh -c evil\n', /is a command/],
    ['[submodule "x"]\n\tpath = x\n\tupdate = !evil\n', /updated by a command/],
    ['[submodule "../../x"]\n\tpath = x\n', /leads upwards/],
  ])("by what .gitmodules says, also where the next commit undoes it: %j", async (text, reason) => {
    const bad = await make.commit({ tree: await file(".gitmodules", text), parents: [main] });
    const push = await expectRefused(await make.commit({ tree: mainTree, parents: [bad] }), undefined, reason);
    expect(push.stderr).not.toMatch(/payload|evil/);
  });
});

/** A fetch by protocol version 2, by hand. */
const askV2 = (body: Buffer, headers: Readonly<Record<string, string>> = {}) =>
  rawFetchBytes(world(), ana, "team/app", body, headers);

describe("around the gateway", () => {
  const fetchBody = (...lines: readonly (string | null | Buffer)[]): Buffer =>
    Buffer.concat(
      lines.map((line) => (line === null ? FLUSH_PKT : typeof line === "string" ? encodePktLine(line) : line)),
    );
  const delim = Buffer.from("0001");

  test("a fetch asks for packs and bundles from elsewhere", async () => {
    const mark = world().upstream.requests.length;
    const want = (...more: readonly string[]) =>
      fetchBody("command=fetch\n", delim, `want ${main}\n`, "done\n", ...more, null);
    for (const body of [
      want("packfile-uris https\n"),
      want("packfile-uris http,https\n"),
      fetchBody("command=bundle-uri\n", null),
      fetchBody("command=bundle-uri\n", delim, null),
    ]) {
      for (const sent of [body, gzipSync(body)]) {
        const answer = await askV2(sent, sent === body ? {} : { "content-encoding": "gzip" });
        expect(answer.text).toMatch(/^[0-9a-f]{4}ERR Sallyport: /);
      }
    }
    const bodies = world()
      .upstream.requests.slice(mark)
      .filter(({ method }) => method === "POST");
    expect(bodies.filter(({ bodyBytes }) => bodyBytes > 0)).toEqual([]);
  });

  test.each([
    "objects/info/alternates",
    "objects/info/http-alternates",
    "objects/info/commit-graph",
    "objects/pack/pack-0000000000000000000000000000000000000000.idx",
    "objects/00/00000000000000000000000000000000000000",
    "packed-refs",
    "logs/HEAD",
    "hooks/update",
    "info/attributes",
    "info/grafts",
    "shallow",
    "description",
    "FETCH_HEAD",
    "refs/heads/main",
    "info/lfs",
    "info/lfs/../../config",
    "git-upload-archive",
    "index.html",
  ])("a file of the repository is asked for: %s", async (name) => {
    const mark = world().upstream.requests.length;
    const answer = await rawRequest(world(), {
      path: `/git/code/team/app.git/${name}`,
      headers: { authorization: basic(ana) },
    });
    expect([400, 403, 404, 405]).toContain(answer.status);
    expect(world().upstream.requests.slice(mark)).toEqual([]);
  });

  test("a push hides in the body, the length or the trailer of another request", async () => {
    const mark = world().upstream.requests.length;
    const oid = await nextCommit();
    const body = Buffer.concat([
      firstCommand(`${ZERO} ${oid} refs/heads/x`),
      FLUSH_PKT,
      await packOf(copy.directory, [oid]),
    ]);
    const inner = Buffer.concat([
      Buffer.from(
        `POST /git/code/vault/app.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n` +
          "Content-Type: application/x-git-receive-pack-request\r\n\r\n",
      ),
      body,
    ]);
    const head = (...headers: readonly string[]) =>
      Buffer.from(
        [
          "POST /git/code/team/app.git/git-upload-pack HTTP/1.1",
          "Host: x",
          `Authorization: ${basic(ana)}`,
          "Content-Type: application/x-git-upload-pack-request",
          ...headers,
          "",
          "",
        ].join("\r\n"),
      );
    for (const request of [
      Buffer.concat([head("Content-Length: 4", "Transfer-Encoding: chunked"), Buffer.from("0\r\n\r\n"), inner]),
      Buffer.concat([head("Content-Length: 4", "Content-Length: 0"), Buffer.from("0000"), inner]),
      Buffer.concat([head("Transfer-Encoding: chunked, identity"), Buffer.from("4\r\n0000\r\n0\r\n\r\n"), inner]),
      Buffer.concat([head("Transfer-Encoding: xchunked"), Buffer.from("0\r\n\r\n"), inner]),
      Buffer.concat([head("Content-Length: +4"), Buffer.from("0000"), inner]),
      Buffer.concat([head("Content-Length: 4"), Buffer.from("0000"), inner]),
    ]) {
      await rawBytes(request);
    }
    expect(forwardedSince(mark)).toEqual([]);
    const asked = world().upstream.requests.slice(mark);
    expect(asked.filter(({ url }) => url.includes("vault"))).toEqual([]);
    expect(await world().upstream.ref("team/app", "refs/heads/x")).toBeNull();
  });

  test("a ref is made at what the upstream hides", async () => {
    const repository = await newRepository();
    const hidden = await world().upstream.git(
      repository,
      "-c",
      "user.name=x",
      "-c",
      "user.email=x@example.com",
      "commit-tree",
      "-p",
      "main",
      "-m",
      "Hidden",
      "main^{tree}",
    );
    await world().upstream.git(repository, "update-ref", "refs/hidden/x", hidden);
    await world().upstream.git(repository, "config", "transfer.hideRefs", "refs/hidden");
    const answer = await rawPush(world(), ana, {
      repository,
      commands: [`${ZERO} ${hidden} refs/heads/found`],
      pack: await packOf(copy.directory, []),
    });
    expect(answer.text).toMatch(/ng refs\/heads\/found /);
    expect(await world().upstream.ref(repository, "refs/heads/found")).toBeNull();
  });
});

describe("objects that nobody has inspected", () => {
  const unreachable = () =>
    world().upstream.git(
      "team/app",
      "-c",
      "user.name=x",
      "-c",
      "user.email=x@example.com",
      "commit-tree",
      "-m",
      `Behind the gateway ${freshName()}`,
      "main^{tree}",
    );
  const expectNotTaken = async (commands: readonly string[], pack: Buffer) => {
    const mark = world().upstream.requests.length;
    const answer = await rawPush(world(), ana, { repository: "team/app", commands, pack });
    expect(answer.text).toMatch(/ng refs\/heads\/\S+ .*(?:no ref of the upstream reaches|not valid)/);
    expect(forwardedSince(mark)).toEqual([]);
  };

  test("are the parent of a commit: upstream, but not reachable there", async () => {
    const oid = await nextCommit(await unreachable());
    await expectNotTaken([`${ZERO} ${oid} refs/heads/x`], await packOf(copy.directory, [oid]));
  });

  test("are the parent of a commit: nowhere", async () => {
    const oid = await nextCommit("1".repeat(40));
    await expectNotTaken([`${ZERO} ${oid} refs/heads/x`], await packOf(copy.directory, [oid]));
  });

  test("are what a new ref points at: upstream, but not reachable there", async () => {
    await expectNotTaken([`${ZERO} ${await unreachable()} refs/heads/x`], await packOf(copy.directory, []));
  });

  test("are the tree of a commit: upstream, but not reachable there", async () => {
    const blob = await mustGit(["hash-object", "-w", "--stdin"], {
      cwd: world().upstream.directoryOf("team/app"),
      input: `unreachable ${SECRET}`,
    });
    const tree = await make.rawTree([["100644", "a.txt", blob]]);
    const oid = await make.commit({ tree, parents: [main] });
    const mark = world().upstream.requests.length;
    const answer = await rawPush(world(), ana, {
      repository: "team/app",
      commands: [`${ZERO} ${oid} refs/heads/x`],
      pack: await packOf(copy.directory, [oid, tree]),
    });
    expect(answer.text).toContain("ng refs/heads/x");
    expect(forwardedSince(mark)).toEqual([]);
  });
});

/** What the upstream offers a signed push at this moment; empty where it takes none. */
const offered = async (repository: string): Promise<string> => {
  const path = `/git/code/${repository}.git/info/refs?service=git-receive-pack`;
  const { text } = await rawRequest(world(), { path, headers: { authorization: basic(ana) } });
  return / push-cert=(\S+)/.exec(text)?.[1] ?? "";
};

describe("a push certificate", () => {
  const signing = async () => {
    const repository = await newRepository();
    await world().upstream.git(repository, "config", "receive.certNonceSeed", "seed");
    return repository;
  };
  const certified = async (
    repository: string,
    ref: string,
    after: readonly Buffer[] = [],
    headers: readonly string[] = [],
  ) => {
    const oid = await nextCommit();
    const lines = [
      "certificate version 0.1",
      "pusher Ana <ana@example.com> 1700000000 +0000",
      `pushee ${urlOf(repository)}/`,
      `nonce ${await offered(repository)}`,
      ...headers,
      "",
      `${main} ${oid} ${ref}`,
      "-----BEGIN PGP SIGNATURE-----",
      "none",
      "-----END PGP SIGNATURE-----",
      "push-cert-end",
    ];
    return Buffer.concat([
      encodePktLine("push-cert\0 report-status side-band-64k push-cert=1"),
      ...lines.map((line) => encodePktLine(`${line}\n`)),
      ...after,
      FLUSH_PKT,
      await packOf(copy.directory, [oid]),
    ]);
  };

  test("hides the command that moves a protected branch", async () => {
    const repository = await signing();
    const answer = await rawPushBytes(world(), ana, repository, await certified(repository, "refs/heads/main"));
    expect(answer.text).toContain("ng refs/heads/main held for approval");
    expect(await mainOf(repository)).toBe(main);
  });

  test("carries options that the push itself does not", async () => {
    const repository = await newRepository();
    const bytes = await certified(repository, "refs/heads/free", [], ["push-option merge_request.create"]);
    const answer = await rawPushBytes(world(), ana, repository, bytes);
    expect(answer.text).toContain("push options differ");
    expect(await world().upstream.ref(repository, "refs/heads/free")).toBeNull();
  });

  test("carries a secret, in a line that nobody reads", async () => {
    const repository = await newRepository();
    const answer = await rawPushBytes(
      world(),
      ana,
      repository,
      await certified(repository, "refs/heads/free", [], [`x-note ${plantedAwsKey}`]),
    );
    expect(answer.text).toMatch(/ng refs\/heads\/free|unpack (?!ok)/);
    expect(answer.text).not.toContain(plantedAwsKey);
    expect(await world().upstream.ref(repository, "refs/heads/free")).toBeNull();
  });

  test("is followed by commands outside of it", async () => {
    const repository = await signing();
    const outside = encodePktLine(`${main} ${await nextCommit()} refs/heads/main`);
    const body = await certified(repository, "refs/heads/free", [outside]);
    const answer = await rawPushBytes(world(), ana, repository, body);
    expect(answer.text).toContain("outside of the push certificate");
    expect(await mainOf(repository)).toBe(main);
    expect(await world().upstream.ref(repository, "refs/heads/free")).toBeNull();
  });
});

describe("an LFS pointer whose object nobody has seen is pushed", () => {
  const pointer = (): string =>
    `version https://git-lfs.github.com/spec/v1\noid sha256:${createHash("sha256").update(freshName()).digest("hex")}\nsize 12\n`;
  const UNSEEN = /\(.*pointer whose object did not pass/;

  test("in a file, and in one that git-lfs would not track", async () => {
    for (const name of ["a.bin", "src/main.ts", ".gitattributes"]) {
      const tree = await make.tree([["100644", name.replace("/", "-"), await make.blob(pointer())]]);
      await expectRefused(await make.commit({ tree, parents: [main] }), undefined, UNSEEN);
    }
  });

  test("in a commit that the next one undoes", async () => {
    const below = await make.commit({ tree: await file("a.bin", pointer()), parents: [main] });
    await expectRefused(await make.commit({ tree: mainTree, parents: [below] }), undefined, UNSEEN);
  });

  test("in a merge itself", async () => {
    const side = await make.commit({ tree: await file("b.txt", "b\n"), parents: [main] });
    const oid = await make.commit({ tree: await file("a.bin", pointer()), parents: [main, side] });
    await expectRefused(oid, undefined, UNSEEN);
  });

  test("in a file that only a tag points at", async () => {
    const tag = await make.tag(await make.blob(pointer()), "blob", "t", "x");
    await expectRefused(tag, `refs/tags/${freshName()}`, UNSEEN);
  });

  test("beside a .lfsconfig that leads to another server", async () => {
    const tree = await make.tree([
      ["100644", ".lfsconfig", await make.blob("[lfs]\n\turl = https://elsewhere.example/\n")],
      ["100644", "a.bin", await make.blob(pointer())],
    ]);
    await expectRefused(await make.commit({ tree, parents: [main] }), undefined, UNSEEN);
  });
});

describe("headers that lie", () => {
  const secretPush = async () => {
    const commit = await make.commit({ tree: await file("a.txt"), parents: [main], message: `${freshName()}\n` });
    const pack = await packOf(copy.directory, [commit, `^${main}`], true);
    return { repository: "team/app", commands: [`${ZERO} ${commit} refs/heads/${freshName()}`], pack };
  };

  test.each<Readonly<Record<string, string>>>([
    { "content-type": "application/x-git-upload-pack-request" },
    { "content-type": "text/plain" },
    { "git-protocol": "version=2" },
    { "git-protocol": "version=1:version=2" },
    { "x-http-method-override": "GET" },
    { "x-original-url": "/git/code/team/app.git/git-upload-pack" },
    { "x-forwarded-prefix": "/git/code/team/other", "x-rewrite-url": "/", forwarded: "for=127.0.0.1;proto=https" },
    { "content-encoding": "identity" },
    { expect: "100-continue" },
  ])("about what kind of request a push is: %j", async (headers) => {
    const mark = world().upstream.requests.length;
    const answer = await rawPush(world(), ana, { ...(await secretPush()), headers });
    expect(answer.text).toMatch(/ng refs\/heads\/\S+ .*secret|^Sallyport: expected Content-Type: /);
    expect(forwardedSince(mark)).toEqual([]);
  });

  test("about an encoding that the gateway does not read", async () => {
    const mark = world().upstream.requests.length;
    for (const encoding of ["br", "deflate", "gzip, gzip", "gzip"]) {
      const headers = { "content-encoding": encoding };
      const answer = await rawPush(world(), ana, { ...(await secretPush()), headers });
      expect(answer.status).toBe(400);
    }
    expect(forwardedSince(mark)).toEqual([]);
  });

  test("a push is sent to the address of a fetch", async () => {
    const oid = await nextCommit();
    const mark = world().upstream.requests.length;
    await rawRequest(world(), {
      method: "POST",
      path: "/git/code/team/app.git/git-upload-pack",
      headers: { authorization: basic(ana), "content-type": "application/x-git-receive-pack-request" },
      body: Buffer.concat([firstCommand(`${ZERO} ${oid} refs/heads/x`), FLUSH_PKT]),
    }).catch(() => null);
    expect(forwardedSince(mark)).toEqual([]);
    const types = world()
      .upstream.requests.slice(mark)
      .map(({ headers }) => headers["content-type"]);
    expect(types).not.toContain("application/x-git-receive-pack-request");
    expect(await world().upstream.ref("team/app", "refs/heads/x")).toBeNull();
  });
});

describe("a path", () => {
  const refs = "info/refs?service=git-upload-pack";

  test.each([
    `/git/code/vault/app.git/${refs}`,
    `/git/code/team/../vault/app.git/${refs}`,
    `/git/code/team/%2e%2e/vault/app.git/${refs}`,
    `/git/code/team/%2E./vault/app.git/${refs}`,
    `/git/code/team/%252e%252e/vault/app.git/${refs}`,
    `/git/code/team%2f..%2fvault/app.git/${refs}`,
    `/git/code/team%2F%2E%2E%2Fvault/app.git/${refs}`,
    `/git/code/vault%2fapp.git/${refs}`,
    `/git/code/team\\..\\vault\\app.git/${refs}`,
    `/git/code/team%5c..%5cvault/app.git/${refs}`,
    `/git/code//vault/app.git/${refs}`,
    `/git/code/./vault/app.git/${refs}`,
    `/git/code/team/..;/vault/app.git/${refs}`,
    `/git/code/VAULT/app.git/${refs}`,
    `/git/code/vault/app.GIT/${refs}`,
    `/git/code/team/app.git/../../vault/app.git/${refs}`,
    `/git/code/team/app.git/objects/../../../vault/app.git/${refs}`,
    `/git/code/team/app%00/../vault/app.git/${refs}`,
    `/git/code/team/app%0d%0aX-Evil:%201/${refs}`,
    `/git/code/team/%c0%ae%c0%ae/vault/app.git/${refs}`,
    `/git/code/team/．．/vault/app.git/${refs}`,
    `/git/CODE/team/app.git/${refs}`,
    `/git/other/team/app.git/${refs}`,
    `/git/%6fther/team/app.git/${refs}`,
    `/git/code/../other/team/app.git/${refs}`,
    `/git/copilot/team/app.git/${refs}`,
    `/GIT/code/team/app.git/${refs}`,
    `//git/code/team/app.git/${refs}`,
    `/x/../git/code/team/app.git/${refs}`,
    `http://127.0.0.1/git/code/vault/app.git/${refs}`,
    "/git/code/vault/app.git/HEAD",
    "/git/code/team/app.git/HEAD",
    "/git/code/team/app.git/objects/info/packs",
    "/git/code/team/app.git/config",
    "/git/code/team/app.git/info/refs?service=git-upload-pack&service=git-receive-pack",
    "/git/code/team/app.git/info/refs?service=git-receive-pack&service=git-upload-pack",
    "/git/code/team/app.git/info/refs?Service=git-receive-pack",
    "/git/code/team/app.git/info/refs?service=git-receive-pack%00",
    "/git/code/team/app.git/info/refs?service=git-upload-archive",
    "/git/code/team/app.git/info/refs?x=1&service=git-upload-pack",
    "/git/code/team/app.git/git-receive-pack",
    "/git/code/team/app.git/git-upload-pack",
  ])("leads elsewhere: %s", async (path) => {
    const mark = world().upstream.requests.length;
    const answer = await rawRequest(world(), { path, headers: { authorization: basic(ana) } }).catch(
      (error: NodeJS.ErrnoException) => ({ status: error.code === "ERR_UNESCAPED_CHARACTERS" ? 400 : 0, text: "" }),
    );
    expect([303, 400, 403, 404, 405]).toContain(answer.status);
    expect(answer.text).not.toContain("refs/heads/main");
    // What was allowed to ask for went nowhere else.
    const asked = world()
      .upstream.requests.slice(mark)
      .map(({ url }) => url);
    expect(asked.filter((url) => !url.startsWith("/team/"))).toEqual([]);
    expect(asked.filter((url) => /\.\.(?:\/|$)|%2e%2e|vault\/\.\./i.test(url))).toEqual([]);
  });

  test("is said otherwise in a header, or in the body of a GET", async () => {
    const mark = world().upstream.requests.length;
    const answer = await rawRequest(world(), {
      path: `/git/code/team/app.git/${refs}`,
      headers: {
        authorization: basic(ana),
        "x-original-url": "/git/code/vault/app.git",
        "x-rewrite-url": "/vault/app.git",
        "x-forwarded-for": "127.0.0.1",
        "x-remote-user": "root",
        "remote-user": "root",
        cookie: "session=1",
        "content-length": "4",
      },
      body: Buffer.from("0000"),
    });
    expect(answer.status).toBe(200);
    const [asked, ...others] = world().upstream.requests.slice(mark);
    expect(others).toEqual([]);
    expect(asked?.url).toBe(`/team/app.git/${refs}`);
    expect(asked?.bodyBytes).toBe(0);
    const sent = JSON.stringify(asked?.headers);
    for (const word of ["vault", "root", "session", '127.0.0.1"', ana.token]) expect(sent).not.toContain(word);
  });

  test("carries the token: it is in no log, and never goes upstream", async () => {
    const mark = world().upstream.requests.length;
    const answer = await rawRequest(world(), { path: `/u/${ana.token}/git/code/team/app.git/${refs}` });
    expect(answer.status).toBe(200);
    const wrong = await rawRequest(world(), { path: `/u/${ana.token}/git/code/team//app.git/${refs}` });
    expect(wrong.status).toBe(400);
    expect(wrong.text).not.toContain(ana.token);
    expect(JSON.stringify(world().upstream.requests.slice(mark))).not.toContain(ana.token);
    expect(world().logText()).not.toContain(ana.token);
  });
});

describe("Copilot", () => {
  const chat = { model: "gpt-5", messages: [{ role: "user", content: "hello" }] };
  const ask = (path: string, headers: Readonly<Record<string, string>> = {}, method = "POST") =>
    rawRequest(world(), {
      method,
      path,
      headers: { authorization: `Bearer ${ana.token}`, "content-type": "application/json", ...headers },
      body: Buffer.from(JSON.stringify(chat)),
    });

  test("the gateway's token stands in every place that there is, and none reaches the upstream", async () => {
    const { copilot } = world();
    copilot.respondAlways({ text: "hi" });
    const places = ["x-api-key", "api-key", "sallyport-token", "proxy-authorization", "x-anything", "x-goog-api-key"];
    const headers = Object.fromEntries(places.map((name) => [name, ana.token]));
    const mark = copilot.requests.length;
    const answer = await ask(`/u/${ana.token}/copilot/copilot/chat/completions`, {
      ...headers,
      cookie: `a=${ana.token}`,
      referer: `${world().url}/u/${ana.token}/copilot/copilot/`,
      "x-original-url": "/admin",
      "x-http-method-override": "DELETE",
      "x-forwarded-user": "root",
      "remote-user": "root",
    });
    expect(answer.status).toBe(200);
    const [sent, ...others] = copilot.requests.slice(mark);
    expect(others).toEqual([]);
    const seen = JSON.stringify([sent?.url, sent?.headers, sent?.body.toString()]);
    expect(seen).not.toContain(ana.token);
    expect(seen).not.toMatch(/admin|DELETE|root|referer/);
    expect(sent?.headers.authorization).toBe("Bearer copilot-upstream-bearer");
    expect(JSON.stringify(answer)).not.toContain("copilot-upstream-bearer");
  });

  test.each([
    "/copilot/copilot/../copilot/chat/completions",
    "/copilot/copilot/%2e%2e/admin",
    "/copilot/copilot//chat/completions",
    "/copilot/copilot/chat%2fcompletions",
    "/copilot/copilot/chat\\completions",
    "/copilot/copilot/chat/completions/",
    "/copilot/copilot/Chat/Completions",
    "/copilot/copilot/admin/users",
    "/copilot/copilot/v1/files",
    "/copilot/copilot/chat/completions%00",
    "/copilot/code/chat/completions",
    "/copilot/other/chat/completions",
    "/Copilot/copilot/chat/completions",
    "http://127.0.0.1/copilot/copilot/chat/completions",
  ])("a path that is none of the listed: %s", async (path) => {
    const mark = world().copilot.requests.length;
    const answer = await ask(path);
    expect([303, 400, 403, 404, 405]).toContain(answer.status);
    expect(world().copilot.requests.slice(mark)).toEqual([]);
  });

  test("a token for git alone asks", async () => {
    const eve = await world().person("eve@example.com", ["eng"], ["git"]);
    const mark = world().copilot.requests.length;
    const answer = await ask("/copilot/copilot/chat/completions", { authorization: `Bearer ${eve.token}` });
    expect(answer.status).toBe(401);
    expect(answer.text).toContain("not for copilot");
    expect(world().copilot.requests.slice(mark)).toEqual([]);
  });
});

describe("a symbolic ref upstream whose target is missing", () => {
  const dangling = async (name: string, target: string) => {
    const repository = await newRepository();
    await world().upstream.git(repository, "symbolic-ref", name, target);
    return repository;
  };
  const deletion = (ref: string, old = ZERO) => ({
    commands: [`${old} ${ZERO} ${ref}`],
    capabilities: "report-status delete-refs side-band-64k",
  });

  test("is HEAD, and stands for a protected branch: making that one is held", async () => {
    const repository = await dangling("HEAD", "refs/heads/release/none");
    await hold(repository, await nextCommit(), "refs/heads/release/none");
    expect(await world().upstream.ref(repository, "refs/heads/release/none")).toBeNull();
  });

  test("is HEAD, and is itself pushed to, deleted, and made", async () => {
    const repository = await dangling("HEAD", "refs/heads/release/none");
    const oid = await nextCommit();
    for (const command of [`${ZERO} ${oid} HEAD`, `${oid} ${ZERO} HEAD`, `${oid} ${oid} HEAD`]) {
      const answer = await rawPush(world(), ana, {
        repository,
        commands: [command],
        pack: await packOf(copy.directory, [oid]),
      });
      expect(answer.text).not.toMatch(/\bok HEAD/);
    }
    expect(await world().upstream.git(repository, "symbolic-ref", "HEAD")).toBe("refs/heads/release/none");
    expect(await world().upstream.ref(repository, "refs/heads/release/none")).toBeNull();
  });

  test("is deleted: neither it nor its target goes or comes", async () => {
    const repository = await dangling("refs/heads/alias", "refs/heads/release/none");
    for (const old of [ZERO, main, "1".repeat(40)])
      await rawPush(world(), ana, { repository, ...deletion("refs/heads/alias", old) });
    expect(await mainOf(repository)).toBe(main);
    expect(await world().upstream.ref(repository, "refs/heads/release/none")).toBeNull();
  });

  test("comes about: the branch that it stands for is deleted, to be made anew by the other name", async () => {
    const repository = await newRepository();
    const git = (...args: readonly string[]) => world().upstream.git(repository, ...args);
    await git("update-ref", "refs/heads/free", "refs/heads/main");
    await git("symbolic-ref", "refs/heads/alias", "refs/heads/free");
    for (const old of [main, "1".repeat(40), ZERO]) {
      const answer = await rawPush(world(), ana, { repository, ...deletion("refs/heads/free", old) });
      expect(answer.text).toContain("ng refs/heads/free refs/heads/alias stands for refs/heads/free at the upstream");
    }
    expect(await world().upstream.ref(repository, "refs/heads/free")).toBe(main);
    // Where nothing stands for it, it goes.
    await git("symbolic-ref", "--delete", "refs/heads/alias");
    expect((await copy.git("push", urlOf(repository), ":refs/heads/free")).stderr).toContain("[deleted]");
  });

  test("is made by its own name, alone, among others, and once it is approved", async () => {
    const repository = await dangling("refs/heads/alias", "refs/heads/release/none");
    const { upstream } = world();
    await upstream.git(repository, "symbolic-ref", "refs/heads/release/alias", "refs/heads/gone");
    const before = await upstream.git(repository, "for-each-ref");
    const oid = await nextCommit();
    const alone = await copy.git("push", urlOf(repository), `${oid}:refs/heads/alias`);
    expect(alone.stderr).toContain("refs/heads/alias stands for refs/heads/release/none at the upstream");
    const tagged = await rawPush(world(), ana, {
      repository,
      commands: ["refs/tags/it's", "refs/heads/free", "refs/heads/alias"].map((ref) => `${ZERO} ${oid} ${ref}`),
      pack: await packOf(copy.directory, [oid]),
    });
    expect(tagged.text).not.toMatch(/\bok refs/);
    const approval = await hold(repository, oid, "refs/heads/release/alias");
    await lee.decide(approval, "approve", "as it is called");
    const ofPush = async () => JSON.stringify((await lee.api(`/api/v1/pushes?repository=code/${repository}`)).items);
    await expect.poll(ofPush).toContain("refs/heads/release/alias stands for refs/heads/gone");
    expect(await upstream.git(repository, "for-each-ref")).toBe(before);
    // Nothing of it stays: what is no alias is made as always.
    await copy.must("push", "-q", urlOf(repository), `${oid}:refs/heads/free`);
    expect(await upstream.ref(repository, "refs/heads/free")).toBe(oid);
  });

  test("is made by its own name at an upstream that says nothing of it: the record does, afterwards", async () => {
    const repository = await dangling("refs/heads/alias", "refs/heads/release/none");
    const hook = path.join(world().upstream.directoryOf(repository), "hooks", "pre-receive");
    await mkdir(path.dirname(hook), { recursive: true });
    await writeFile(hook, '#!/bin/sh\nwhile read old new ref; do [ "$old" != "$new" ] || exit 1; done\n', {
      mode: 0o755,
    });
    const oid = await nextCommit();
    await copy.git("push", urlOf(repository), `${oid}:refs/heads/alias`);
    const event = {
      kind: "push.moved_another_ref",
      data: { ref: "refs/heads/alias", target: "refs/heads/release/none" },
    };
    const told = async () => {
      const { sql } = world().database;
      return sql`select kind, data from events where repository = ${`code/${repository}`} and kind like 'push.moved%'`;
    };
    await expect.poll(async () => [...(await told())]).toEqual([event]);
    expect(world().logText()).toContain("a push has moved another ref than it named");
  });
});

describe("a name that a disk takes for a protected one", () => {
  test.each([
    ["Windows drops the dot", "refs/heads/release./1"],
    ["and a Mac what shows nothing", "refs/heads/releas\u200de./1"],
  ])("%s: %j", async (_how, ref) => {
    const repository = await newRepository();
    await hold(repository, await nextCommit(), ref);
    expect(await world().upstream.ref(repository, ref)).toBeNull();
  });
});

describe("a push certificate that is not for this push", () => {
  const certificate = (repository: string, commands: readonly string[], nonce: string): readonly Buffer[] =>
    [
      "certificate version 0.1",
      "pusher Ana <ana@example.com> 1700000000 +0000",
      `pushee ${urlOf(repository)}/`,
      `nonce ${nonce}`,
      "",
      ...commands,
      "-----BEGIN PGP SIGNATURE-----",
      "none",
      "-----END PGP SIGNATURE-----",
      "push-cert-end",
    ].map((line) => encodePktLine(`${line}\n`));
  const signing = async () => {
    const repository = await newRepository();
    await world().upstream.git(repository, "config", "receive.certNonceSeed", "seed");
    return repository;
  };
  const CAPABILITIES = "report-status side-band-64k";

  test("was made long ago, and is sent again", async () => {
    const repository = await signing();
    const oid = await nextCommit();
    const old = (await offered(repository)).replace(/^\d+/, (seconds) => String(Number(seconds) - 7_200));
    const body = Buffer.concat([
      encodePktLine(`push-cert\0${CAPABILITIES}`),
      ...certificate(repository, [`${ZERO} ${oid} refs/heads/free`], old),
      FLUSH_PKT,
      await packOf(copy.directory, [oid]),
    ]);
    const { text } = await rawPushBytes(world(), ana, repository, body);
    expect(text).toMatch(
      /ng refs\/heads\/free the push certificate's nonce is not of this push: the upstream made it 72\d\d s before/,
    );
    expect(await world().upstream.ref(repository, "refs/heads/free")).toBeNull();
  });

  test("stands behind commands that differ from its own", async () => {
    const repository = await signing();
    const oid = await nextCommit();
    const body = Buffer.concat([
      firstCommand(`${ZERO} ${oid} refs/heads/other`, CAPABILITIES),
      encodePktLine(`push-cert\0${CAPABILITIES}`),
      ...certificate(repository, [`${ZERO} ${oid} refs/heads/free`], await offered(repository)),
      FLUSH_PKT,
      await packOf(copy.directory, [oid]),
    ]);
    const { text } = await rawPushBytes(world(), ana, repository, body);
    expect(text).not.toMatch(/\bok refs/);
    for (const ref of ["refs/heads/free", "refs/heads/other"])
      expect(await world().upstream.ref(repository, ref)).toBeNull();
  });

  test("is the second of two", async () => {
    const repository = await signing();
    const oid = await nextCommit();
    const nonce = await offered(repository);
    const first = certificate(repository, [`${ZERO} ${oid} refs/heads/free`], nonce);
    const second = certificate(repository, [`${main} ${oid} refs/heads/main`], nonce);
    const body = Buffer.concat([
      encodePktLine(`push-cert\0${CAPABILITIES}`),
      ...first,
      encodePktLine(`push-cert\0${CAPABILITIES}`),
      ...second,
      FLUSH_PKT,
      await packOf(copy.directory, [oid]),
    ]);
    const { text } = await rawPushBytes(world(), ana, repository, body);
    expect(text).not.toMatch(/\bok refs/);
    expect(await mainOf(repository)).toBe(main);
    expect(await world().upstream.ref(repository, "refs/heads/free")).toBeNull();
  });
});

describe("a commit whose texts git shows otherwise than its bytes look", () => {
  /** EBCDIC, of what a key is made of. */
  const ebcdic = (text: string): Buffer =>
    Buffer.from(
      Array.from(text, (letter) => {
        const at = (first: string, from: number): number => letter.charCodeAt(0) - first.charCodeAt(0) + from;
        if (/[a-i]/.test(letter)) return at("a", 0x81);
        if (/[A-I]/.test(letter)) return at("A", 0xc1);
        if (/[J-R]/.test(letter)) return at("J", 0xd1);
        if (/[S-Z]/.test(letter)) return at("S", 0xe2);
        return /\d/.test(letter) ? at("0", 0xf0) : 0x40;
      }),
    );
  const utf7 = (text: string): string =>
    `+${Buffer.from(text, "utf16le").swap16().toString("base64").replace(/=+$/, "")}-`;
  const pieces = (text: string): string => Array.from(text).join("\u001b(B");

  // The zone of a time is part of what git decodes: where it begins with a plus, no UTF-7 comes of it.
  const WHO = "A <a@example.com> 1700000000 -0100";
  const ofName = (name: string | Buffer): Buffer =>
    Buffer.concat([Buffer.from(name), Buffer.from(" <a@example.com> 1700000000 -0100")]);

  test.each<[string, string, (text: string) => string | Buffer, boolean]>([
    ["UTF-7", "UTF-7", utf7, true],
    ["escapes of ISO-2022-JP between its letters", "ISO-2022-JP", pieces, true],
    // git spoils the headers as it decodes these, and shows nothing; others decode what is said alone.
    ["EBCDIC", "IBM037", ebcdic, false],
    ["escapes of ISO-2022-KR between its letters", "ISO-2022-KR", pieces, false],
  ])("in %s", async (_what, encoding, encode, isShown) => {
    const hidden = encode(plantedAwsKey);
    for (const [author, message] of [
      [ofName("A"), hidden],
      [ofName(hidden), Buffer.from("x\n")],
    ] as const) {
      const head = `tree ${mainTree}\nparent ${main}\nauthor `;
      const oid = await make.raw(
        "commit",
        Buffer.concat([
          Buffer.from(head),
          author,
          Buffer.from(`\ncommitter ${WHO}\nencoding ${encoding}\n\n`),
          Buffer.from(message),
        ]),
      );
      // Everybody sees it, and it is in no byte of the commit.
      const shown = await copy.must("log", "-1", "--format=%an %B", oid);
      expect(shown.includes(plantedAwsKey)).toBe(isShown);
      const bytes = await mustGitBytes(["cat-file", "commit", oid], copy.directory);
      expect(bytes.toString("latin1")).not.toContain(plantedAwsKey);
      await expectRefused(oid);
    }
  });
});

describe("a tree, a pack or a commit of an unusual form holds a secret", () => {
  const rawTree = (...entries: readonly (readonly [mode: string, name: string, oid: string])[]): Promise<string> =>
    make.raw(
      "tree",
      Buffer.concat(
        entries.map(([mode, name, oid]) => Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, "hex")])),
      ),
    );
  const expectNothing = async (oid: string, objects: readonly string[], reason: RegExp) => {
    const mark = world().upstream.requests.length;
    const answer = await rawPush(world(), ana, {
      repository: "team/app",
      commands: [`${ZERO} ${oid} refs/heads/${freshName()}`],
      pack: await packOf(copy.directory, [oid, ...objects]),
    });
    expect(answer.text).toMatch(reason);
    expect(answer.text).not.toContain(plantedAwsKey);
    expect(forwardedSince(mark)).toEqual([]);
  };

  test.each(["040000", "00040000"])("below a directory whose mode is written %s", async (mode) => {
    const blob = await make.blob(`padded ${SECRET}`);
    const inner = await rawTree(["0100644", "a.txt", blob]);
    const tree = await rawTree([mode, "deep", inner]);
    const oid = await make.commit({ tree, parents: [main] });
    await expectNothing(oid, [tree, inner, blob], /ng refs\S+ .*secret/);
  });

  test.each(["10000000000040000", "37777740000", "0o40000", "+40000", "-0"])(
    "behind a mode that two programs count differently: %s",
    async (mode) => {
      const inner = await rawTree(["100644", "a.txt", await make.blob(`counted ${SECRET}`)]);
      const tree = await rawTree([mode, "deep", inner]);
      const oid = await make.commit({ tree, parents: [main] });
      await expectNothing(
        oid,
        [tree, inner, await make.blob(`counted ${SECRET}`)],
        /ng refs\S+ .*(?:malformed|not valid)/,
      );
    },
  );

  test("in a directory that has a file's name, with others between them", async () => {
    const [clean, blob] = [await make.blob("clean\n"), await make.blob(`namesake ${SECRET}`)];
    const inner = await rawTree(["100644", "x", blob]);
    const tree = await rawTree(["100644", "a", clean], ["100644", "a.b", clean], ["40000", "a", inner]);
    const oid = await make.commit({ tree, parents: [main] });
    await expectNothing(oid, [tree, inner, clean, blob], /ng refs\S+ .*malformed/);
  });

  test("at the end of a path of 4,000 bytes, in a file and in the last directory's name", async () => {
    const deep = async (inner: string): Promise<string> => {
      let tree = inner;
      for (let level = 0; level < 16; level++) tree = await make.tree([["040000", `${level}-`.padEnd(249, "d"), tree]]);
      return tree;
    };
    for (const inner of [
      await file("a.txt", `long ${SECRET}`),
      await make.tree([["040000", plantedAwsKey, await make.tree([])]]),
    ])
      await expectRefused(await make.commit({ tree: await deep(inner), parents: [main] }));
  });

  test("at the end of 4,095 deltas, each of the one before, sent by offset and by name", async () => {
    const texts = Array.from({ length: 4_096 }, (_, at) =>
      Buffer.from(`link ${at} of a chain\n${at === 4_095 ? SECRET : ""}`),
    );
    const oids = texts.map((text) => createHash("sha1").update(`blob ${text.length}\0`).update(text).digest());
    const name = (at: number): string => at.toString().padStart(4, "0");
    const tree = await make.raw(
      "tree",
      Buffer.concat(oids.map((oid, at) => Buffer.concat([Buffer.from(`100644 ${name(at)}\0`), oid]))),
    );
    const commit = await make.commit({ tree, parents: [main] });
    const delta = (at: number): Buffer => {
      const text = texts[at] ?? Buffer.alloc(0);
      return Buffer.concat([varint(texts[at - 1]?.length ?? 0), varint(text.length), Buffer.of(text.length), text]);
    };
    const others: PackEntry[] = [
      plainEntry({ kind: "commit", content: await mustGitBytes(["cat-file", "commit", commit], copy.directory) }),
      plainEntry({ kind: "tree", content: await mustGitBytes(["cat-file", "tree", tree], copy.directory) }),
    ];
    const first = plainEntry({ kind: "blob", content: texts[0] ?? Buffer.alloc(0) });
    const rest = texts.slice(1).map((_, at) => delta(at + 1));
    const byOffset = rest.map((content, at): PackEntry => ({ type: OFS_DELTA, content, base: at }));
    const byName = rest.map((content, at): PackEntry => ({
      type: REF_DELTA,
      content,
      base: oids[at] ?? Buffer.alloc(0),
    }));
    for (const entries of [
      [first, ...byOffset, ...others],
      [first, ...byName, ...others],
    ]) {
      const mark = world().upstream.requests.length;
      const answer = await rawPush(world(), ana, {
        repository: "team/app",
        commands: [`${ZERO} ${commit} refs/heads/${freshName()}`],
        pack: encodePackFile(entries, "sha1"),
      });
      expect(answer.text).toMatch(/ng refs\S+ .*secret/);
      expect(forwardedSince(mark)).toEqual([]);
    }
  });

  test("in a commit that git replace, or a graft, hides from the pusher", async () => {
    const bad = await make.commit({
      tree: await file("a.txt", `replaced ${SECRET}`),
      parents: [main],
      message: "Bad\n",
    });
    const oid = await make.commit({ tree: mainTree, parents: [bad], message: "On top\n" });
    await copy.must("replace", bad, main);
    await copy.must("replace", "--graft", oid, main);
    expect(await copy.must("rev-list", `${main}..${oid}`)).toBe(oid);
    await expectRefused(oid);
    await copy.must("replace", "-d", bad, oid);
  });

  test("in an old directory that no ref of the upstream reaches, below a new one", async () => {
    const directory = world().upstream.directoryOf("team/app");
    const blob = await mustGit(["hash-object", "-w", "--stdin"], { cwd: directory, input: `below ${SECRET}` });
    const inner = await mustGit(["mktree"], { cwd: directory, input: `100644 blob ${blob}\ta.txt\n` });
    const tree = await make.rawTree([["40000", "deep", inner]]);
    const oid = await make.commit({ tree, parents: [main] });
    await expectNothing(oid, [tree], /ng refs\S+ /);
  });

  test.each(["tree", "parent"])("of which the %s is written in capitals", async (header) => {
    const blob = await make.blob(`capitals ${SECRET}`);
    const tree = await make.rawTree([["100644", "a.txt", blob]]);
    const parent = await make.commit({ tree, parents: [main], message: `Capitals ${freshName()}\n` });
    const oid = await make.raw(
      "commit",
      `tree ${header === "tree" ? tree.toUpperCase() : mainTree}\nparent ${header === "parent" ? parent.toUpperCase() : main}\n` +
        "author A <a@example.com> 0 +0000\ncommitter A <a@example.com> 0 +0000\n\nx\n",
    );
    await expectNothing(oid, header === "tree" ? [tree, blob] : [parent, tree, blob], /ng refs\S+ .*malformed/);
  });

  test("behind five thousand tags, each of the one before", async () => {
    let oid = await make.commit({ tree: await file("a.txt", `tags ${SECRET}`), parents: [main], message: "Tagged\n" });
    const objects = [oid, await copy.must("rev-parse", `${oid}^{tree}`), await copy.must("rev-parse", `${oid}:a.txt`)];
    const tags: PackEntry[] = [];
    for (let type = "commit"; tags.length < 5_000; type = "tag") {
      const content = Buffer.from(`object ${oid}\ntype ${type}\ntag t\ntagger A <a@example.com> 0 +0000\n\nx\n`);
      oid = createHash("sha1").update(`tag ${content.length}\0`).update(content).digest("hex");
      tags.push(plainEntry({ kind: "tag", content }));
    }
    const kinds = ["commit", "tree", "blob"] as const;
    for (const [at, kind] of kinds.entries())
      tags.push(
        plainEntry({ kind, content: await mustGitBytes(["cat-file", kind, objects[at] ?? ""], copy.directory) }),
      );
    const answer = await rawPush(world(), ana, {
      repository: "team/app",
      commands: [`${ZERO} ${oid} refs/tags/${freshName()}`],
      pack: encodePackFile(tags, "sha1"),
    });
    expect(answer.text).toMatch(/ng refs\S+ .*secret/);
  });
});

describe("a ref of an unusual, valid name", () => {
  test.each([
    "refs/heads/HEAD",
    "refs/heads/refs/heads/main",
    "refs/heads/origin/main",
    "refs/heads/@",
    "refs/heads/-main",
    "refs/heads/\u{1f680}/\u00e9",
    "refs/heads/main'\"$(x)`;|&",
    "refs/heads/{main}@1",
    "refs/heads/\u202emain",
    "refs/tags/main",
  ])("moves itself and nothing else: %s", async (ref) => {
    const repository = await newRepository();
    const before = await world().upstream.git(repository, "for-each-ref", "--format=%(objectname) %(refname)");
    const oid = await nextCommit();
    if (ref.includes("\u202e")) {
      await hold(repository, oid, ref);
      return;
    }
    const answer = await rawPush(world(), ana, {
      repository,
      commands: [`${ZERO} ${oid} ${ref}`],
      pack: await packOf(copy.directory, [oid]),
    });
    expect(answer.text).toContain(`ok ${ref}`);
    const after = await world().upstream.git(repository, "for-each-ref", "--format=%(objectname) %(refname)");
    expect(after.split("\n").toSorted()).toEqual([...before.split("\n"), `${oid} ${ref}`].toSorted());
  });

  test("stands where a protected one has to stand, or would stand below it: the upstream says no", async () => {
    const repository = await newRepository();
    for (const ref of ["refs/heads/main/x", "refs/heads/main/x/y"]) {
      const push = await copy.git("push", urlOf(repository), `${await nextCommit()}:${ref}`);
      expect(push.stderr).toMatch(/! \[remote rejected\]/);
    }
    expect(await mainOf(repository)).toBe(main);
  });

  test("differs from another one by case alone: both arrive, each with its own", async () => {
    const repository = await newRepository();
    const [one, two] = [await nextCommit(), await nextCommit()];
    await copy.must("push", "-q", urlOf(repository), `${one}:refs/heads/case`, `${two}:refs/heads/CASE`);
    expect(await world().upstream.ref(repository, "refs/heads/case")).toBe(one);
    expect(await world().upstream.ref(repository, "refs/heads/CASE")).toBe(two);
  });
});

describe("what is held or refused is fetched", () => {
  test.each([0, 2])("by its id, by protocol version %i", async (version) => {
    const repository = await newRepository();
    const oid = await nextCommit();
    await hold(repository, oid);
    const request =
      version === 2
        ? [
            encodePktLine("command=fetch\n"),
            Buffer.from("0001"),
            encodePktLine(`want ${oid}\n`),
            encodePktLine("done\n"),
            FLUSH_PKT,
          ]
        : [encodePktLine(`want ${oid} side-band-64k\n`), FLUSH_PKT, encodePktLine("done\n")];
    const answer = await rawRequest(world(), {
      method: "POST",
      path: `/git/code/${repository}.git/git-upload-pack`,
      headers: {
        authorization: basic(ana),
        "content-type": "application/x-git-upload-pack-request",
        ...(version === 2 ? { "git-protocol": "version=2" } : {}),
      },
      body: Buffer.concat(request),
    });
    expect(answer.text).toMatch(/not our ref|unknown object|^$/);
    expect(answer.text).not.toContain("PACK");
  });
});

describe("a fetch that is read in two ways", () => {
  const bodiesSince = (mark: number) =>
    world()
      .upstream.requests.slice(mark)
      .filter(({ method, bodyBytes }) => method === "POST" && bodyBytes > 0);
  const bundles = (end: string) => Buffer.concat([encodePktLine(`command=bundle-uri${end}`), FLUSH_PKT]);

  test("by a NUL behind its command: git reads no further", async () => {
    await world().upstream.git("team/app", "config", "uploadpack.advertiseBundleURIs", "true");
    const mark = world().upstream.requests.length;
    for (const end of ["\0x", "\0\n", "\0"])
      expect((await askV2(bundles(end))).text).toMatch(/^[0-9a-f]{4}ERR Sallyport: /);
    expect(bodiesSince(mark)).toEqual([]);
  });

  test("by gzip that goes on behind its end, or behind zeros", async () => {
    const mark = world().upstream.requests.length;
    const listing = Buffer.concat([encodePktLine("command=ls-refs\n"), FLUSH_PKT]);
    for (const more of [Buffer.concat([Buffer.alloc(512), gzipSync(bundles("\n"))]), gzipSync(bundles("\n"))]) {
      const answer = await askV2(Buffer.concat([gzipSync(listing), more]), { "content-encoding": "gzip" });
      expect(answer.text).toMatch(/^[0-9a-f]{4}ERR Sallyport: /);
    }
    expect(bodiesSince(mark)).toEqual([]);
  });

  test("by a hundred thousand prefixes: it passes as it is, and is answered", async () => {
    const prefixes = Array.from({ length: 100_000 }, (_, at) => encodePktLine(`ref-prefix refs/heads/none-${at}\n`));
    const body = [
      encodePktLine("command=ls-refs\n"),
      Buffer.from("0001"),
      ...prefixes,
      encodePktLine("ref-prefix refs/heads/main\n"),
    ];
    const answer = await askV2(Buffer.concat([...body, FLUSH_PKT]));
    expect(answer.status).toBe(200);
    expect(answer.text).toContain(`${main} refs/heads/main`);
  });

  test("as an archive, by any method", async () => {
    const mark = world().upstream.requests.length;
    for (const method of ["GET", "POST"]) {
      for (const service of ["git-upload-archive", "git-upload-archive/", "git-receive-pack/"]) {
        const answer = await rawRequest(world(), {
          method,
          path: `/git/code/team/app.git/${service}`,
          headers: { authorization: basic(ana), "content-type": "application/x-git-upload-archive-request" },
          ...(method === "POST" ? { body: encodePktLine("argument --format=tar\n") } : {}),
        });
        expect([400, 403, 404, 405, 415]).toContain(answer.status);
      }
    }
    const archive = await ana.git(["archive", `--remote=${urlOf("team/app")}`, "main"]);
    expect(archive.code).not.toBe(0);
    expect(world().upstream.requests.slice(mark)).toEqual([]);
  });
});

describe("a push in chunks", () => {
  const secretBody = async () => {
    const commit = await make.commit({ tree: await file("a.txt"), parents: [main], message: `${freshName()}\n` });
    const pack = await packOf(copy.directory, [commit, `^${main}`], true);
    return Buffer.concat([firstCommand(`${ZERO} ${commit} refs/heads/${freshName()}`), FLUSH_PKT, pack]);
  };
  const head = (...headers: readonly string[]) =>
    Buffer.from(
      [
        "POST /git/code/team/app.git/git-receive-pack HTTP/1.1",
        "Host: x",
        "Connection: close",
        `Authorization: ${basic(ana)}`,
        "Content-Type: application/x-git-receive-pack-request",
        ...headers,
        "",
        "",
      ].join("\r\n"),
    );

  test("says in its trailers what it is: they are not read, and go nowhere", async () => {
    const mark = world().upstream.requests.length;
    const body = await secretBody();
    const sizes = Buffer.from(`${body.length.toString(16)};ext=1\r\n`);
    const trailers = Buffer.from(
      "\r\n0\r\nContent-Encoding: gzip\r\nAuthorization: Basic ZXZpbA==\r\nGit-Protocol: version=2\r\nX-Note: evil\r\n\r\n",
    );
    const told = /ng refs\/heads\/\S+ .*secret/;
    const text = await rawBytes(
      Buffer.concat([
        head("Transfer-Encoding: chunked", "Trailer: Content-Encoding, Authorization"),
        sizes,
        body,
        trailers,
      ]),
      told,
    );
    expect(text).toMatch(told);
    expect(forwardedSince(mark)).toEqual([]);
    expect(JSON.stringify(world().upstream.requests.slice(mark))).not.toContain("evil");
  });

  test("is compressed a second time, by the transfer or by two headers", async () => {
    const mark = world().upstream.requests.length;
    const body = gzipSync(await secretBody());
    const chunk = Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n0\r\n\r\n")]);
    for (const headers of [
      ["Transfer-Encoding: gzip, chunked"],
      ["Transfer-Encoding: chunked", "Content-Encoding: gzip", "Content-Encoding: gzip"],
      ["Transfer-Encoding: chunked", "Content-Encoding: identity, gzip"],
    ]) {
      const refused = /^HTTP\/1\.1 4\d\d |unpack (?!ok)/m;
      expect(await rawBytes(Buffer.concat([head(...headers), chunk]), refused)).toMatch(refused);
    }
    expect(forwardedSince(mark)).toEqual([]);
  });
});

test("after all this, no secret and no credential is in the database or in the log", async () => {
  const places = `${await world().dumpDatabase()}\n${world().logText()}`;
  for (const secret of [plantedAwsKey, ana.token, lee.token, "upstream-password", "copilot-upstream-bearer"]) {
    expect(places).not.toContain(secret);
    expect(places).not.toContain(Buffer.from(secret).toString("base64").slice(0, 20));
  }
  expect(places).toContain("refs/heads/main");
});
