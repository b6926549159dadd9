import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import { mustGit, sealedGitEnv, type WorkingCopy } from "../harness/git.ts";
import { plantedAwsKey } from "../harness/planted.ts";
import { basic, packOf, rawPushBytes, rawRequest, ZERO } from "../harness/raw-push.ts";
import { sharedWorld, type Person } from "../harness/world.ts";

const world = sharedWorld({
  pushes: [
    {
      repositories: ["code/**"],
      pushOptions: ["ci.skip"],
      protect: [{ refs: ["refs/heads/main"], approvers: ["leads"], wait: "0s" }],
    },
  ],
});

/** What the repository's hook was told of the last push: the certificate, and what git thinks of its nonce. */
const HOOK = `#!/bin/sh
git cat-file blob "$GIT_PUSH_CERT" >"$GIT_DIR/certificate"
printf '%s' "$GIT_PUSH_CERT_NONCE_STATUS" >"$GIT_DIR/nonce-status"
cat >"$GIT_DIR/moved"
`;
/** In place of gpg: keeps what it signs, and its signature proves nothing. */
const SIGNER = `#!/bin/sh
cat >"$SIGNED_TEXT"
printf '\\n[GNUPG:] SIG_CREATED \\n' >&2
printf -- '-----BEGIN PGP SIGNATURE-----\\n\\niQ==\\n-----END PGP SIGNATURE-----\\n'
`;
const SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n";

const script = async (file: string, text: string): Promise<void> => {
  await writeFile(file, text);
  await chmod(file, 0o755);
};

let serial = 0;
async function signingRepository(): Promise<string> {
  const name = `team/signed-${(serial += 1)}`;
  const { upstream } = world();
  const config = { "receive.certNonceSeed": "seed", "receive.advertiseAtomic": "true" };
  const directory = await upstream.createRepository(name, { config });
  await upstream.commitDirectly(name, "refs/heads/main", { "README.md": "# App\n" });
  await script(path.join(directory, "hooks", "post-receive"), HOOK);
  return name;
}

async function setUp() {
  const repository = await signingRepository();
  const ana = await world().person("ana@example.com", ["eng"]);
  const copy = await ana.clone(repository);
  const signer = path.join(copy.directory, ".git", "signer");
  const signedText = path.join(copy.directory, ".git", "signed-text");
  await script(signer, SIGNER.replace("$SIGNED_TEXT", signedText));
  await copy.must("config", "gpg.program", signer);
  await copy.must("config", "user.signingKey", "ana");
  const directory = world().upstream.directoryOf(repository);
  return {
    repository,
    ana,
    copy,
    signed: async () => (await readFile(signedText, "utf8")) + SIGNATURE,
    atUpstream: (file: string) => readFile(path.join(directory, file), "utf8"),
    ref: (ref: string) => world().upstream.ref(repository, ref),
  };
}

const freshFile = () => ({ "a.txt": `${(serial += 1)}\n` });
const postsTo = (repository: string): number =>
  world().upstream.requests.filter(
    ({ method, url, bodyBytes }) => method === "POST" && url === `/${repository}.git/git-receive-pack` && bodyBytes > 4,
  ).length;

describe("a signed push", () => {
  test("reaches the upstream with its certificate byte for byte, under the upstream's own nonce", async () => {
    const { copy, signed, atUpstream, ref } = await setUp();
    const oid = await copy.commit("One", freshFile());
    await copy.must("tag", "-a", "v1", "-m", "One");
    const push = await copy.git("push", "--signed", "-o", "ci.skip", "origin", "HEAD:refs/heads/topic", "v1");
    expect(push.stderr).toContain("* [new branch]      HEAD -> topic");
    expect(push.code).toBe(0);
    expect(await ref("refs/heads/topic")).toBe(oid);
    expect(await atUpstream("certificate")).toBe(await signed());
    expect(await signed()).toContain("\npush-option ci.skip\n");
    expect(await atUpstream("nonce-status")).toMatch(/^(?:OK|SLOP)$/);
  });

  test("carries atomic, and deletions that have no pack", async () => {
    const { copy, signed, atUpstream, ref } = await setUp();
    const oid = await copy.commit("One", freshFile());
    await copy.must("push", "--signed", "--atomic", "origin", "HEAD:refs/heads/a", "HEAD:refs/heads/b");
    expect([await ref("refs/heads/a"), await ref("refs/heads/b")]).toEqual([oid, oid]);
    await copy.must("push", "--signed=if-asked", "origin", ":refs/heads/a");
    expect(await ref("refs/heads/a")).toBeNull();
    expect(await atUpstream("certificate")).toBe(await signed());
    expect(await atUpstream("moved")).toBe(`${oid} ${ZERO} refs/heads/a\n`);
  });

  test("is refused for a secret, with nothing sent", async () => {
    const { copy, repository, ref } = await setUp();
    await copy.commit("Key", { "a.txt": `${plantedAwsKey}\n` });
    const push = await copy.git("push", "--signed", "origin", "HEAD:refs/heads/topic");
    expect(push.stderr).toMatch(/! \[remote rejected\] HEAD -> topic \(.*secret/);
    expect(await ref("refs/heads/topic")).toBeNull();
    expect(postsTo(repository)).toBe(0);
  });

  test("is all or none: one refused ref keeps the other back", async () => {
    const { copy, repository, ref } = await setUp();
    const good = await copy.commit("Good", freshFile());
    await copy.commit("Key", { "b.txt": `${plantedAwsKey}\n` });
    const push = await copy.git("push", "--signed", "origin", `${good}:refs/heads/good`, "HEAD:refs/heads/bad");
    expect(push.stderr.match(/! \[remote rejected\]/g)).toHaveLength(2);
    expect([await ref("refs/heads/good"), await ref("refs/heads/bad")]).toEqual([null, null]);
    expect(postsTo(repository)).toBe(0);
  });

  test("is all or none: one held ref keeps the other back until both are approved", async () => {
    const { copy, repository, ref, signed, atUpstream } = await setUp();
    const oid = await copy.commit("Change main", freshFile());
    const push = await copy.git("push", "--signed", "origin", "HEAD:refs/heads/main", "HEAD:refs/heads/free");
    expect(push.stderr.match(/! \[remote rejected\]/g)).toHaveLength(2);
    expect(await ref("refs/heads/free")).toBeNull();
    expect(postsTo(repository)).toBe(0);
    const certificate = await signed();

    const lee = await world().person("lee@example.com", ["leads"]);
    const id = /\/approvals\/([0-9a-f-]{36})/.exec(push.stderr)?.[1] ?? "";
    expect((await lee.decide(id, "approve", "fine")).status).toBe(200);
    // The hook that keeps the certificate runs after the refs have moved.
    await expect.poll(() => atUpstream("certificate").catch(() => null)).toBe(certificate);
    expect([await ref("refs/heads/main"), await ref("refs/heads/free")]).toEqual([oid, oid]);
  });

  test("never stands for an unsigned one that is held, nor the other way round", async () => {
    const { copy } = await setUp();
    await copy.commit("Change main", freshFile());
    const approvals = [];
    for (const flag of ["--no-signed", "--signed", "--signed"]) {
      const push = await copy.git("push", flag, "origin", "HEAD:refs/heads/main");
      approvals.push(/\/approvals\/([0-9a-f-]{36})/.exec(push.stderr)?.[1]);
    }
    const [plain, signed, again] = approvals;
    expect(signed).toMatch(/^[0-9a-f-]{36}$/);
    expect(signed).not.toBe(plain);
    expect(again).toBe(signed);
  });

  test("is refused where the upstream asks for none", async () => {
    const { copy, repository } = await setUp();
    await world().upstream.git(repository, "config", "--unset", "receive.certNonceSeed");
    await copy.commit("One", freshFile());
    const push = await copy.git("push", "--signed", "origin", "HEAD:refs/heads/topic");
    expect(push.stderr).toContain("the receiving end does not support --signed push");
    expect((await copy.git("push", "--signed=if-asked", "origin", "HEAD:refs/heads/topic")).code).toBe(0);
  });

  test("with an option that policy does not let through is refused", async () => {
    const { copy, repository } = await setUp();
    await copy.commit("One", freshFile());
    const push = await copy.git("push", "--signed", "-o", "merge_request.create", "origin", "HEAD:refs/heads/topic");
    expect(push.stderr).toMatch(/! \[remote rejected\].*push option/);
    expect(postsTo(repository)).toBe(0);
  });

  test("from an address with a token in it is refused: the certificate would take it upstream", async () => {
    const { copy, repository, ana } = await setUp();
    await copy.commit("One", freshFile());
    const address = `${world().url}/u/${ana.token}/git/code/${repository}.git`;
    const push = await copy.git("push", "--signed", address, "HEAD:refs/heads/topic");
    expect(push.stderr).toMatch(/! \[remote rejected\].*the signed address holds a credential/);
    expect(postsTo(repository)).toBe(0);
    expect(await world().dumpDatabase()).not.toContain(ana.token);
    expect(world().logText()).not.toContain(ana.token);
  });
});

/** git signs with it, and a server can tell by it who has signed. */
const hasSshKeygen = spawnSync("ssh-keygen", ["-?"]).error === undefined;

describe.runIf(hasSshKeygen)("a push signed by an SSH key, with git alone", () => {
  /** What the upstream's git says of the certificate. */
  const VERIFIED = `#!/bin/sh
printf '%s %s %s' "$GIT_PUSH_CERT_STATUS" "$GIT_PUSH_CERT_SIGNER" "$GIT_PUSH_CERT_NONCE_STATUS" >"$GIT_DIR/verified"
`;

  test.each(["sha1", "sha256"] as const)("reaches a %s repository, which verifies it", async (objectFormat) => {
    const repository = `team/verified-${(serial += 1)}`;
    const { upstream, dataDir } = world();
    const ana = await world().person("ana@example.com", ["eng"]);
    const parent = await mkdtemp(path.join(dataDir, "verified-"));
    const key = path.join(parent, "key");
    expect(spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "ana", "-f", key]).status).toBe(0);
    const signers = path.join(parent, "allowed_signers");
    await writeFile(signers, `ana@example.com ${await readFile(`${key}.pub`, "utf8")}`);
    const config = { "receive.certNonceSeed": "seed", "gpg.format": "ssh", "gpg.ssh.allowedSignersFile": signers };
    const directory = await upstream.createRepository(repository, { objectFormat, config });
    await mkdir(path.join(directory, "hooks"), { recursive: true });
    await script(path.join(directory, "hooks", "post-receive"), VERIFIED);

    await mustGit(["init", "-q", "-b", "topic", `--object-format=${objectFormat}`, "work"], { cwd: parent });
    const cwd = path.join(parent, "work");
    const env = sealedGitEnv(parent);
    const commit = async (message: string): Promise<string> => {
      await mustGit(["commit", "-q", "--allow-empty", "-m", message], { cwd, env });
      return mustGit(["rev-parse", "HEAD"], { cwd });
    };
    const signing = ["-c", "gpg.format=ssh", "-c", `user.signingKey=${key}`];
    const as = ["-c", `http.extraHeader=Authorization: ${basic(ana)}`];
    const push = (...refs: readonly string[]) =>
      mustGit([...signing, ...as, "push", "--signed", `${world().url}/git/code/${repository}.git`, ...refs], {
        cwd,
        env,
      });

    for (const message of ["The first", "The next"]) {
      const oid = await commit(message);
      await push("topic");
      expect(await upstream.ref(repository, "refs/heads/topic")).toBe(oid);
      expect(oid).toHaveLength(objectFormat === "sha1" ? 40 : 64);
      expect(await readFile(path.join(directory, "verified"), "utf8")).toMatch(/^G ana@example\.com (?:OK|SLOP)$/);
    }
    await push("topic:refs/heads/other", ":refs/heads/topic");
    expect(await upstream.ref(repository, "refs/heads/topic")).toBeNull();
    expect(await readFile(path.join(directory, "verified"), "utf8")).toMatch(/^G /);
  });
});

describe("a certificate by hand", () => {
  /** What the upstream offers at this moment, by way of the gateway. */
  const offeredNonce = async (by: Person, repository: string): Promise<string> => {
    const answer = await rawRequest(world(), {
      path: `/git/code/${repository}.git/info/refs?service=git-receive-pack`,
      headers: { authorization: basic(by) },
    });
    return / push-cert=(\S+)/.exec(answer.text)?.[1] ?? "";
  };
  const certified = async (copy: WorkingCopy, changes: { readonly [header: string]: string | null }) => {
    const oid = await copy.commit("By hand", freshFile());
    const headers: Record<string, string | null> = {
      pusher: "Ana <ana@example.com> 1700000000 +0000",
      ...changes,
    };
    const lines = [
      "certificate version 0.1",
      ...Object.entries(headers).flatMap(([name, value]) => (value === null ? [] : [`${name} ${value}`])),
      "",
      `${ZERO} ${oid} refs/heads/topic`,
      ...SIGNATURE.trimEnd().split("\n"),
      "push-cert-end",
    ];
    return Buffer.concat([
      encodePktLine("push-cert\0report-status side-band-64k"),
      ...lines.map((line) => encodePktLine(`${line}\n`)),
      FLUSH_PKT,
      await packOf(copy.directory, [oid, "^origin/main"], true),
    ]);
  };
  const push = async (by: Person, repository: string, copy: WorkingCopy, changes: Record<string, string | null>) => {
    return rawPushBytes(world(), by, repository, await body(by, repository, copy, changes));
  };
  const body = async (by: Person, repository: string, copy: WorkingCopy, changes: Record<string, string | null>) => {
    const pushee = `${world().url}/git/code/${repository}.git/`;
    return certified(copy, { pushee, nonce: await offeredNonce(by, repository), ...changes });
  };

  test("that is right is delivered, with or without .git, under whatever name the gateway has", async () => {
    const { copy, repository, ana, ref } = await setUp();
    const answer = await push(ana, repository, copy, { pushee: `https://git.example/base/git/code/${repository}` });
    expect(answer.text).toContain("ok refs/heads/topic");
    expect(await ref("refs/heads/topic")).toBe(await copy.must("rev-parse", "HEAD"));
  });

  test.each<[string, Record<string, string | null>, string]>([
    ["for another repository", { pushee: "https://git.example/git/code/team/other.git" }, "is not for code/team/"],
    ["for another server", { pushee: "https://git.example/team/other.git" }, "is not for code/team/"],
    ["for no address", { pushee: "somewhere" }, "not for an address of this gateway"],
    ["that says not for what", { pushee: null }, "does not say which repository"],
    ["without a nonce", { nonce: null }, "holds no nonce"],
    ["with a nonce of long ago", { nonce: "1700000000-abc" }, "the upstream made it"],
    ["with a nonce that is to come", { nonce: "99999999999-abc" }, "s after the one that it gives now"],
    ["with a nonce that no server of this kind makes", { nonce: "abc" }, "nonce is none of the upstream's"],
    ["with a header that only others know", { "push-as": "root" }, "is not a header"],
    ["with an option that was not sent", { "push-option": "ci.skip" }, "push options differ"],
  ])("%s is refused", async (_what, changes, reason) => {
    const { copy, repository, ana, ref } = await setUp();
    const answer = await push(ana, repository, copy, changes);
    expect(answer.text).toContain(reason);
    expect(answer.text).not.toMatch(/\bok refs\//);
    expect(await ref("refs/heads/topic")).toBeNull();
    expect(postsTo(repository)).toBe(0);
  });

  test("that was delivered is not delivered again: not by another person, nor with another armour", async () => {
    const { copy, repository, ana, ref } = await setUp();
    const bob = await world().person("bob@example.com", ["eng"]);
    const bytes = await body(ana, repository, copy, {});
    const oid = await copy.must("rev-parse", "HEAD");
    expect((await rawPushBytes(world(), ana, repository, bytes)).text).toContain("ok refs/heads/topic");
    expect(await ref("refs/heads/topic")).toBe(oid);
    const sent = postsTo(repository);
    // The ref is as it was: nothing but the certificate itself speaks against it.
    await world().upstream.git(repository, "update-ref", "-d", "refs/heads/topic");

    const armoured = Buffer.from(bytes.toString("latin1").replace("0009iQ==\n", "0009iR==\n"), "latin1");
    expect(armoured.equals(bytes)).toBe(false);
    for (const [by, replay] of [[ana, bytes] as const, [bob, bytes] as const, [bob, armoured] as const]) {
      const answer = await rawPushBytes(world(), by, repository, replay);
      expect(answer.text).toMatch(/ng refs\/heads\/topic this push certificate has been used for a push before/);
    }
    expect(await ref("refs/heads/topic")).toBeNull();
    expect(postsTo(repository)).toBe(sent);
  });

  test("that comes twice at the same moment is delivered once", async () => {
    const { copy, repository, ana, ref } = await setUp();
    const bytes = await body(ana, repository, copy, {});
    const answers = await Promise.all([0, 1, 2].map(() => rawPushBytes(world(), ana, repository, bytes)));
    expect(answers.filter(({ text }) => text.includes("ok refs/heads/topic"))).toHaveLength(1);
    expect(answers.filter(({ text }) => text.includes("has been used for a push before"))).toHaveLength(2);
    expect(await ref("refs/heads/topic")).toBe(await copy.must("rev-parse", "HEAD"));
    // Asked once what the new branch stands for, and delivered once.
    expect(postsTo(repository)).toBe(2);
  });

  test("that was refused may come again", async () => {
    const { copy, repository, ana } = await setUp();
    const bytes = await body(ana, repository, copy, { "push-option": "merge_request.create" });
    for (const _ of [1, 2]) {
      expect((await rawPushBytes(world(), ana, repository, bytes)).text).toContain("push options differ");
    }
  });

  test("that holds a secret is refused", async () => {
    const { copy, repository, ana } = await setUp();
    const answer = await push(ana, repository, copy, { pusher: `${plantedAwsKey} <ana@example.com> 1700000000 +0000` });
    expect(answer.text).toMatch(/ng refs\/heads\/topic .*secret/);
    expect(postsTo(repository)).toBe(0);
  });
});
