import { describe, expect, it, onTestFinished } from "vitest";
import { startLfsServer } from "../../fixtures/lfs-server.ts";
import { hasGitLfs, lfsClient, noise, pointerTo, sha256, sharedLfsWorld } from "../harness/lfs.ts";
import { plantedAwsKey } from "../harness/planted.ts";
import { startWorld } from "../harness/world.ts";

const shared = sharedLfsWorld();
const ana = () => shared().world.person("ana@example.com", ["eng"]);
const UNSEEN = "is a Git LFS pointer whose object did not pass this gateway";

let count = 0;
/** Pushes a commit with these files to a branch of its own, by plain git. */
async function pushFiles(files: Readonly<Record<string, string>>) {
  const branch = `refs/heads/pointers-${(count += 1)}`;
  const work = await (await ana()).clone("team/app");
  const commit = await work.commit("Add", files);
  const push = await work.git("push", "origin", `HEAD:${branch}`);
  const again = () => work.git("push", "origin", `HEAD:${branch}`);
  return { branch, commit, push, again, upstream: () => shared().world.upstream.ref("team/app", branch) };
}

describe("a pushed pointer", () => {
  it("is refused while its object did not pass the gateway, and passes once it did", async () => {
    const content = noise(5_000, "by hand");
    const { commit, push, again, upstream } = await pushFiles({ "art/big.bin": pointerTo(content) });
    expect(push.code).toBe(1);
    expect(push.stderr).toContain(`art/big.bin ${UNSEEN}: run git lfs push --all`);
    expect(await upstream()).toBeNull();
    expect(await shared().world.upstream.hasObject("team/app", commit)).toBe(false);

    const client = lfsClient(shared().world, await ana(), "team/app");
    expect((await client.upload(content)).status).toBe(200);

    expect((await again()).code).toBe(0);
    expect(await upstream()).toBe(commit);
  });

  it("is refused when the object was refused for a secret", async () => {
    const content = Buffer.from(`key = ${plantedAwsKey}\n`);
    const client = lfsClient(shared().world, await ana(), "team/app");
    expect((await client.upload(content)).status).toBe(403);
    const { push, upstream } = await pushFiles({ "key.bin": pointerTo(content) });
    expect(push.stderr).toContain(UNSEEN);
    expect(await upstream()).toBeNull();
  });

  it("passes where the upstream had the object before", async () => {
    const content = noise(100, "before the gateway");
    shared().lfs.add("team/app", content);
    const { commit, upstream } = await pushFiles({ "old.bin": pointerTo(content) });
    expect(await upstream()).toBe(commit);
  });

  it("is refused when the object passed to another repository", async () => {
    const content = noise(100, "another repository");
    const client = lfsClient(shared().world, await ana(), "team/other");
    expect((await client.upload(content)).status).toBe(200);
    const { push } = await pushFiles({ "other.bin": pointerTo(content) });
    expect(push.stderr).toContain(UNSEEN);
  });

  it.each([
    ["with carriage returns", (pointer: string) => pointer.replaceAll("\n", "\r\n")],
    ["behind blank lines", (pointer: string) => `\n\n${pointer}`],
    ["under its old name", (pointer: string) => pointer.replace("git-lfs.github", "hawser.github")],
    ["with an extension", (pointer: string) => pointer.replace("oid", `ext-0-x sha256:${"0".repeat(64)}\noid`)],
    ["at the head of a longer file", (pointer: string) => `${pointer.padEnd(1024, "\n")}int main(void) {}\n`],
    ["at the head of a large file", (pointer: string) => `${pointer.padEnd(1024, " ")}${"x".repeat(300_000)}\n`],
  ])("is recognised %s, as git-lfs does", async (name, disguise) => {
    const { push, upstream } = await pushFiles({ "big.bin": disguise(pointerTo(noise(100, name))) });
    expect(push.stderr).toContain(`big.bin ${UNSEEN}`);
    expect(await upstream()).toBeNull();
  });

  it("is refused in any commit of the push, also where a later one takes it away", async () => {
    const work = await (await ana()).clone("team/app");
    await work.commit("Add", { "gone.bin": pointerTo(noise(100, "gone")) });
    await work.must("rm", "-q", "gone.bin");
    await work.commit("Remove", {});
    const push = await work.git("push", "origin", "HEAD:refs/heads/gone");
    expect(push.stderr).toContain(`gone.bin ${UNSEEN}`);
  });

  it("refuses its own ref alone", async () => {
    const work = await (await ana()).clone("team/app");
    const good = await work.commit("Good", { "a.txt": "a\n" });
    await work.must("branch", "good-alone");
    await work.commit("Bad", { "b.bin": pointerTo(noise(100, "bad alone")) });
    await work.must("branch", "bad-alone");
    const push = await work.git("push", "origin", "good-alone", "bad-alone");
    expect(push.stderr).toContain(`b.bin ${UNSEEN}`);
    const { upstream } = shared().world;
    expect(await upstream.ref("team/app", "refs/heads/good-alone")).toBe(good);
    expect(await upstream.ref("team/app", "refs/heads/bad-alone")).toBeNull();
  });

  it("refuses the push where the upstream cannot be asked for it", async () => {
    const { lfs } = shared();
    lfs.fail({ only: /batch/, status: 500 });
    const { push, upstream } = await pushFiles({ "unasked.bin": pointerTo(noise(100, "unasked")) });
    lfs.fail(null);
    expect(push.stderr).toContain("could not be asked for the LFS objects of code/team/app (HTTP 500)");
    expect(await upstream()).toBeNull();
  });

  it("is refused at an upstream without LFS", async () => {
    const world = await startWorld();
    const work = await (await world.person("ana@example.com", ["eng"])).clone("team/app");
    await work.commit("Add", { "big.bin": pointerTo(noise(100)) });
    const push = await work.git("push", "origin", "HEAD:refs/heads/topic");
    expect(push.stderr).toContain(`big.bin ${UNSEEN}`);
    expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBeNull();
  });

  it.runIf(hasGitLfs)("is refused when .lfsconfig sent its object around the gateway", async () => {
    const elsewhere = await startLfsServer();
    onTestFinished(() => elsewhere.stop());
    const work = await (await ana()).clone("team/app");
    await work.must("lfs", "install", "--local");
    await work.must("config", "lfs.locksverify", "false");
    const content = Buffer.from(`key = ${plantedAwsKey}\n`);
    await work.commit("Add", {
      ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
      ".lfsconfig": `[lfs]\n\turl = ${elsewhere.url}hidden/info/lfs\n`,
      "big.bin": content,
    });
    const push = await work.git("push", "origin", "HEAD:refs/heads/around");
    expect(elsewhere.objects.has(`hidden/${sha256(content)}`)).toBe(true);
    expect(push.code).toBe(1);
    expect(push.stderr).toContain(`big.bin ${UNSEEN}`);
    expect(await shared().world.upstream.ref("team/app", "refs/heads/around")).toBeNull();
  });
});
