import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { hasGitLfs, noise, pointerTo, sha256, sharedLfsWorld, startLfsWorld } from "../harness/lfs.ts";
import { git, type WorkingCopy } from "../harness/git.ts";
import { plantedAwsKey } from "../harness/planted.ts";
import type { Person } from "../harness/world.ts";

// oxlint-disable-next-line no-console
if (!hasGitLfs) console.warn("git-lfs is not installed: its scenarios are left out here (.ci/run installs it)");

const ATTRIBUTES = "*.bin filter=lfs diff=lfs merge=lfs -text\n";

/** A clone in which git-lfs is set up, as `git lfs install` does for a person. */
async function cloneWithLfs(person: Person, repository = "team/app"): Promise<WorkingCopy> {
  const work = await person.clone(repository);
  await work.must("lfs", "install", "--local");
  await work.must("config", "lfs.locksverify", "false");
  return work;
}

describe.runIf(hasGitLfs)("git-lfs", () => {
  const shared = sharedLfsWorld();
  const ana = () => shared().world.person("ana@example.com", ["eng"]);

  it("pushes objects through the gateway, and somebody else clones them", async () => {
    const { world, lfs } = shared();
    await world.upstream.createRepository("team/large");
    const large = noise(5 * 1024 * 1024, "large");
    const small = noise(10, "small");
    const work = await (await ana()).init("team/large");
    await work.must("lfs", "install", "--local");
    const commit = await work.commit("Add", { ".gitattributes": ATTRIBUTES, "large.bin": large, "small.bin": small });

    const push = await work.git("push", "origin", "main");

    expect(push.stderr).not.toContain("rejected");
    expect(push.code).toBe(0);
    expect(await world.upstream.ref("team/large", "refs/heads/main")).toBe(commit);
    expect(lfs.objects.get(`team/large/${sha256(large)}`)).toMatchObject({ sha256: sha256(large) });
    expect(lfs.verified.has(sha256(large))).toBe(true);
    expect(await world.upstream.git("team/large", "show", `${commit}:large.bin`)).toBe(pointerTo(large).trim());

    const ben = await cloneWithLfs(await world.person("ben@example.com", ["eng"]), "team/large");
    await ben.must("lfs", "pull");
    expect(sha256(await readFile(path.join(ben.directory, "large.bin")))).toBe(sha256(large));
    expect(sha256(await readFile(path.join(ben.directory, "small.bin")))).toBe(sha256(small));
    const recorded = () =>
      world.database
        .sql`select kind from events where repository = 'code/team/large' and kind like 'lfs.%' order by kind`;
    // A download is recorded once it has ended, which its client knows a moment earlier.
    await expect
      .poll(async () => (await recorded()).map(({ kind }) => String(kind)))
      .toEqual(["lfs.accepted", "lfs.accepted", "lfs.downloaded", "lfs.downloaded"]);
  });

  it("is refused a secret in an object, says why, and pushes no ref", async () => {
    const { world, lfs } = shared();
    const work = await cloneWithLfs(await ana());
    const content = Buffer.concat([noise(10_000), Buffer.from(`\n${plantedAwsKey}\n`)]);
    await work.commit("Add", { ".gitattributes": ATTRIBUTES, "dump.bin": content });
    const before = await world.upstream.ref("team/app", "refs/heads/main");

    const push = await work.git("push", "origin", "main");

    expect(push.code).not.toBe(0);
    expect(push.stderr + push.stdout).toContain("1 secret found (aws-access-key in line ");
    expect(push.stderr + push.stdout).not.toContain(plantedAwsKey);
    expect(await world.upstream.ref("team/app", "refs/heads/main")).toBe(before);
    expect(lfs.requests.some(({ method, url }) => method === "PUT" && url.includes(sha256(content)))).toBe(false);
  });

  it("locks and unlocks files", async () => {
    const work = await cloneWithLfs(await ana());
    await work.commit("Add", { ".gitattributes": "*.psd filter=lfs -text lockable\n", "art.psd": noise(10) });
    const locked = await work.git("lfs", "lock", "art.psd");
    expect(locked.stdout + locked.stderr).toContain("Locked art.psd");
    expect(await work.must("lfs", "locks")).toContain("art.psd");
    const unlocked = await work.git("lfs", "unlock", "--force", "art.psd");
    expect(unlocked.stdout + unlocked.stderr).toContain("Unlocked art.psd");
  });

  it("signs in by the token in the remote's address, also for the objects", async () => {
    const { world, lfs } = shared();
    const person = await ana();
    const work = await cloneWithLfs(person);
    const { host } = new URL(world.url);
    for (const [i, url] of [
      `http://any:${person.token}@${host}/git/code/team/app.git`,
      `http://${host}/u/${person.token}/git/code/team/app.git`,
    ].entries()) {
      // Without the header that the harness sends: an empty value ends the list (git-config, http.extraHeader).
      await work.must("config", `http.${world.url}/.extraHeader`, "");
      await work.must("remote", "set-url", "origin", url);
      const content = noise(2_000, `by address ${i}`);
      await work.commit("Add", { ".gitattributes": ATTRIBUTES, "by-address.bin": content });
      const push = await work.git("push", "origin", `HEAD:refs/heads/by-address-${i}`);
      expect(push.stderr).not.toContain("error");
      expect(push.code).toBe(0);
      expect(lfs.objects.has(`team/app/${sha256(content)}`)).toBe(true);
    }
    expect(world.logText()).not.toContain(person.token);
    expect(await world.dumpDatabase()).not.toContain(person.token);
  });
});

describe.runIf(hasGitLfs)("git-lfs under the client's own credential", () => {
  it("signs in at the gateway by header and at the upstream by itself", async () => {
    const { world, lfs } = await startLfsWorld({ connection: { credential: "passthrough" } });
    const ana = await world.person("ana@example.com", ["eng"]);
    const { host } = new URL(world.url);
    const cwd = path.join(world.dataDir, "passthrough");
    await mkdir(cwd);
    const url = `http://gateway:upstream-password@${host}/git/code/team/app.git`;
    const as = (...args: readonly string[]) =>
      git(["-c", `http.${world.url}/.extraHeader=Sallyport-Token: ${ana.token}`, ...args], { cwd });
    expect((await as("clone", "-q", url, ".")).stderr).toBe("");
    const content = noise(3_000, "own credential");
    await writeFile(path.join(cwd, ".gitattributes"), ATTRIBUTES);
    await writeFile(path.join(cwd, "own.bin"), content);
    for (const args of [
      ["lfs", "install", "--local"],
      ["add", "."],
      ["commit", "-q", "-m", "Add"],
    ]) {
      expect((await as(...args)).code).toBe(0);
    }

    const push = await as("push", "origin", "HEAD:refs/heads/topic");

    expect(push.stderr).not.toContain("error");
    expect(push.code).toBe(0);
    expect(lfs.objects.has(`team/app/${sha256(content)}`)).toBe(true);
    const own = `Basic ${Buffer.from("gateway:upstream-password").toString("base64")}`;
    const asked = lfs.requests.filter(({ at: where }) => where === "api");
    expect(asked.filter(({ url: target }) => target.endsWith("batch")).at(-1)?.headers.authorization).toBe(own);
    expect(
      lfs.requests.filter(({ at: where }) => where === "storage").map(({ headers: sent }) => sent.authorization),
    ).toEqual([undefined]);
    expect(JSON.stringify(lfs.requests)).not.toContain(ana.token);
  });
});
