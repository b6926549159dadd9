/** Policies about who pushes what, met with a real git: refused in words that git prints, held, observed, let through. */
import { execFile } from "node:child_process";
import { createHash, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { mustGit, temporaryDirectory, type WorkingCopy } from "../harness/git.ts";
import { startWorld } from "../harness/world.ts";

const policy = (entry: object) => ({ pushes: [{ repositories: ["code/**"], ...entry }] });

test("who may push where: only those whom a rule names move a ref, in every spelling", async () => {
  const world = await startWorld(
    policy({ pushers: [{ refs: ["refs/heads/main", "refs/tags/**"], allow: ["release"] }] }),
  );
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["release"]);
  const copy = await ana.clone("team/app");
  const before = await world.upstream.ref("team/app", "refs/heads/main");
  const oid = await copy.commit("Change", { "a.txt": "one\n" });

  const refused = await copy.git(
    "push",
    "origin",
    "main",
    "HEAD:refs/heads/MAIN",
    "HEAD:refs/tags/v1",
    "HEAD:refs/heads/topic",
  );
  expect(refused.stderr).toMatch(/! \[remote rejected\] main -> main \(only release may push to this ref; .*\)/);
  expect(refused.stderr).toMatch(/HEAD -> MAIN \(nobody may push to this ref; .*\)/);
  expect(refused.stderr).toMatch(/HEAD -> v1 \(only release may push to this ref; .*\)/);
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBe(oid);
  expect(await world.upstream.ref("team/app", "refs/heads/main")).toBe(before);

  const theirs = await lee.clone("team/app");
  await theirs.git("fetch", "origin", "topic");
  expect((await theirs.git("push", "origin", "FETCH_HEAD:main")).code).toBe(0);
  expect(await world.upstream.ref("team/app", "refs/heads/main")).toBe(oid);
});

test("paths that need approval are seen again when a feature branch reaches the ref", async () => {
  const world = await startWorld(
    policy({
      paths: [
        { paths: ["infra/**"], refs: ["refs/heads/main", "refs/heads/release/*"], approvers: ["ops"], wait: "0s" },
      ],
    }),
  );
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.commit("Change infra", { "infra/a.tf": "one\n" });
  expect((await copy.git("push", "origin", "HEAD:refs/heads/topic")).code).toBe(0);
  const held = await copy.git("push", "origin", "main");
  expect(held.stderr).toContain("a change of infra/** needs 1 approval by ops");
  expect(held.stderr).toMatch(/main -> main \(.*\/approvals\/[0-9a-f-]{36}.*\)/);
  // Of a new ref at what the upstream has nothing is new, and its history is what nobody has approved.
  const created = await copy.git("push", "origin", "main:refs/heads/release/1");
  expect(created.stderr).toContain("a new ref with infra/** needs 1 approval by ops");
  expect(await world.upstream.ref("team/app", "refs/heads/release/1")).toBeNull();
});

test("commits of somebody else, messages, files and kinds of files are refused by name, and the secret-bearing name is not told", async () => {
  const world = await startWorld(
    policy({
      commits: { author: "verified", committer: "verified", message: "^[A-Z]+-[0-9]+: " },
      files: { maxBytes: "1kB", forbid: ["**/*.exe"], symlinks: "refuse" },
    }),
  );
  const ana = await world.person("ana@example.com", ["eng"]);
  const push = async (change: (copy: WorkingCopy) => Promise<unknown>) => {
    const copy = await ana.clone("team/app");
    await change(copy);
    return (await copy.git("push", "origin", "HEAD:refs/heads/topic")).stderr;
  };
  const oneLine = (reason: RegExp) => new RegExp(`HEAD -> topic \\(commit [0-9a-f]{10}: ${reason.source}`);

  expect(await push((copy) => copy.commit("say hello", { "a.txt": "a\n" }))).toMatch(
    oneLine(/the message does not match/),
  );
  expect(
    await push((copy) =>
      mustGit(["commit", "-q", "--allow-empty", "--author=Eve <eve@example.com>", "-m", "A-1: x"], {
        cwd: copy.directory,
      }),
    ),
  ).toMatch(oneLine(/the author is not you/));
  expect(await push((copy) => copy.commit("A-1: x", { "a.bin": "x".repeat(1001) }))).toMatch(
    oneLine(/a file larger than 1 kB/),
  );
  const exe = await push((copy) => copy.commit("A-1: x", { "deep/hidden-name.EXE": "x" }));
  expect(exe).toMatch(oneLine(/files like \*\*\/\*\.exe are not taken here/));
  expect(exe).not.toContain("hidden-name");
  // Added and taken away again: it would still travel.
  expect(
    await push(async (copy) => {
      await mustGit(
        [
          "update-index",
          "--add",
          "--cacheinfo",
          `120000,${await mustGit(["hash-object", "-w", "--stdin"], { cwd: copy.directory, input: "target" })},link`,
        ],
        { cwd: copy.directory },
      );
      await mustGit(["commit", "-q", "-m", "A-1: link"], { cwd: copy.directory });
      await mustGit(["rm", "-q", "--cached", "link"], { cwd: copy.directory });
      await mustGit(["commit", "-q", "-m", "A-1: no link"], { cwd: copy.directory });
    }),
  ).toMatch(oneLine(/symbolic links are not taken here/));
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBeNull();
  expect(await push((copy) => copy.commit("A-1: x", { "a.txt": "fine\n" }))).toContain("[new branch]");
});

test("an observed check tells, records, and lets pass", async () => {
  const world = await startWorld(policy({ commits: { message: "^A-[0-9]+: " }, observe: ["commit-message"] }));
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  const oid = await copy.commit("say hello", { "a.txt": "a\n" });
  const pushed = await copy.git("push", "origin", "HEAD:refs/heads/topic");
  expect(pushed.code).toBe(0);
  expect(pushed.stderr).toMatch(/only observe.*\n.*would be refused: commit [0-9a-f]{10}: the message does not match/);
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBe(oid);
  expect(await world.dumpDatabase()).toMatch(/commit-message/);
});

const string = (value: Buffer | string): Buffer => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/** A key, and a stand-in for `ssh-keygen -Y sign`: machines that run these tests need not have one. */
function signingKey() {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const blob = Buffer.concat([
    string("ssh-ed25519"),
    string(Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url")),
  ]);
  return {
    line: `ssh-ed25519 ${blob.toString("base64")}`,
    sign: (payload: Buffer) => armor(payload, blob, privateKey),
  };
}

function armor(payload: Buffer, blob: Buffer, key: KeyObject): string {
  const signedFields = [string("git"), string(""), string("sha512")];
  const digest = createHash("sha512").update(payload).digest();
  const signature = sign(null, Buffer.concat([Buffer.from("SSHSIG"), ...signedFields, string(digest)]), key);
  const packed = Buffer.concat([
    Buffer.from("SSHSIG\0\0\0\u0001", "latin1"),
    string(blob),
    ...signedFields,
    string(Buffer.concat([string("ssh-ed25519"), string(signature)])),
  ]);
  const lines = packed.toString("base64").match(/.{1,70}/g) ?? [];
  return ["-----BEGIN SSH SIGNATURE-----", ...lines, "-----END SSH SIGNATURE-----"].join("\n");
}

test("commits have to be signed by a key that is listed for their committer", async () => {
  const directory = await temporaryDirectory("signers");
  const [own, other] = [signingKey(), signingKey()];
  const signers = path.join(directory, "allowed_signers");
  await writeFile(signers, `ana@example.com ${own.line}\n`);
  const world = await startWorld(policy({ commits: { signed: true, signers } }));
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");

  /** Signs the last commit anew. */
  const signLast = async (key: ReturnType<typeof signingKey>) => {
    const { stdout } = await promisify(execFile)("git", ["cat-file", "commit", "HEAD"], {
      cwd: copy.directory,
      encoding: "buffer",
    });
    const text = stdout.toString();
    const [head, message] = [text.slice(0, text.indexOf("\n\n")), text.slice(text.indexOf("\n\n"))];
    const signed = `${head}\ngpgsig ${key.sign(stdout).replaceAll("\n", "\n ")}${message}`;
    const oid = await mustGit(["hash-object", "-t", "commit", "-w", "--stdin"], { cwd: copy.directory, input: signed });
    await mustGit(["reset", "-q", "--soft", oid], { cwd: copy.directory });
    return oid;
  };
  const push = async () => (await copy.git("push", "origin", "HEAD:refs/heads/topic")).stderr;

  await copy.commit("Change", { "a.txt": "one\n" });
  expect(await push()).toMatch(/commit [0-9a-f]{10}: not signed; sign with your SSH key/);
  await signLast(other);
  expect(await push()).toMatch(/commit [0-9a-f]{10}: signed by no key that is listed/);
  await mustGit(["reset", "-q", "--hard", "origin/main"], { cwd: copy.directory });
  await copy.commit("Change", { "a.txt": "one\n" });
  const oid = await signLast(own);
  expect(await push()).toContain("[new branch]");
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBe(oid);
});

test("limits are the repository's own, from the commands to the objects", async () => {
  const world = await startWorld({
    pushes: [
      { repositories: ["code/team/app"], limits: { refs: 1, objectBytes: "1kB" } },
      { repositories: ["code/**"], limits: { commits: 1 } },
    ],
  });
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  const many = await copy.git("push", "origin", "HEAD:refs/heads/a", "HEAD:refs/heads/b");
  expect(many.stderr).toContain("more than 1 commands");
  await copy.commit("Large", { "a.txt": "x".repeat(1001) });
  expect((await copy.git("push", "origin", "HEAD:refs/heads/a")).stderr).toContain(
    "the limit of one object (limits.objectBytes) is 1000 bytes",
  );

  await world.upstream.createRepository("team/other");
  const other = await ana.init("team/other");
  await other.commit("One", { "a.txt": "x".repeat(1001) });
  await other.commit("Two", { "b.txt": "two\n" });
  expect((await other.git("push", "origin", "HEAD:refs/heads/a")).stderr).toContain(
    "2 new commits, the limit of one push (limits.commits) is 1",
  );
  expect((await other.git("push", "origin", "HEAD~1:refs/heads/a", "HEAD~1:refs/heads/b")).code).toBe(0);
});
