/**
 * Every way around the gateway that somebody has thought of, one test each, named by the attack. This file only grows.
 *
 * All of them share one world: what is refused leaves nothing behind that the next one could meet.
 */
import { cp } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { encodePktLine, FLUSH_PKT } from "../src/git/pkt-line.ts";
import { hashToken } from "../src/identity/tokens.ts";
import { git, mustGit, type GitRun, type WorkingCopy } from "./harness/git.ts";
import { objectMaker, type ObjectMaker } from "./harness/objects.ts";
import { plantedAwsKey } from "./harness/planted.ts";
import { basic, firstCommand, packOf, rawPush, rawPushBytes, rawRequest, ZERO } from "./harness/raw-push.ts";
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

  test("in the second of two branches: the first does not arrive either", async () => {
    const good = await make.commit({ tree: mainTree, parents: [main], message: "Good\n" });
    const bad = await make.commit({ tree: await file("a.txt"), parents: [main] });
    const mark = world().upstream.requests.length;
    const push = await copy.git("push", "origin", `${good}:refs/heads/good`, `${bad}:refs/heads/bad`);
    expect(push.stderr.match(/\[remote rejected\]/g)).toHaveLength(2);
    expect(forwardedSince(mark)).toEqual([]);
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
  await expect.poll(() => mainOf(repository), { timeout: 15_000, interval: 100 }).toBe(oid);
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
      .poll(async () => JSON.stringify((await lee.api(`/api/v1/pushes?repository=code/${repository}`)).items), {
        timeout: 15_000,
      })
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
    const since = Date.now();
    await change(eve, "revoked_at");
    await expect
      .poll(async () => (await eve.fetch("/api/v1/pushes")).status, { timeout: 20_000, interval: 250 })
      .toBe(401);
    // The limit is the cache's; the rest is for a busy machine.
    expect(Date.now() - since).toBeLessThan(12_000);
    expect((await page()).status).toBe(303);
    expect(await pushAs(eve)).toMatch(/remote: .*revoked/);
  });

  test("is mistyped, empty, or SQL", async () => {
    for (const token of [`${ana.token.slice(0, -1)}x`, "", "' or 1=1 --", "gho_", "\u00ff"]) {
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

  test.each(["refs/heads/MAIN", "refs/heads/Release/1"])("is a protected one in other letters: %s", async (ref) => {
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

  test("is protected, and pushed along with one that is not: none moves", async () => {
    const repository = await newRepository();
    const oid = await nextCommit();
    const push = await copy.git("push", urlOf(repository), `${oid}:refs/heads/main`, `${oid}:refs/heads/free`);
    expect(push.stderr.match(/held for approval/g)).toHaveLength(2);
    expect(await mainOf(repository)).toBe(main);
    expect(await world().upstream.ref(repository, "refs/heads/free")).toBeNull();
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

test("a push option gives the upstream an order", async () => {
  const mark = world().upstream.requests.length;
  const oid = await nextCommit();
  const push = await copy.git(
    "push",
    "-o",
    "merge_request.merge_when_pipeline_succeeds",
    "origin",
    `${oid}:refs/heads/x`,
  );
  expect(push.stderr).toMatch(/! \[remote rejected\].*push option/);
  expect(forwardedSince(mark)).toEqual([]);
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

describe("a push certificate", () => {
  const signing = async () => {
    const repository = await newRepository();
    await world().upstream.git(repository, "config", "receive.certNonceSeed", "seed");
    return repository;
  };
  const certified = async (repository: string, ref: string, after: readonly Buffer[] = []) => {
    const oid = await nextCommit();
    const lines = [
      "certificate version 0.1",
      "pusher Ana <ana@example.com> 1700000000 +0000",
      `pushee ${urlOf(repository)}/`,
      "nonce 1",
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

test("after all this, no secret and no credential is in the database or in the log", async () => {
  const places = `${await world().dumpDatabase()}\n${world().logText()}`;
  for (const secret of [plantedAwsKey, ana.token, lee.token, "upstream-password", "copilot-upstream-bearer"]) {
    expect(places).not.toContain(secret);
    expect(places).not.toContain(Buffer.from(secret).toString("base64").slice(0, 20));
  }
  expect(places).toContain("refs/heads/main");
});
