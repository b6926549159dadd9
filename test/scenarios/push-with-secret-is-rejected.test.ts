import { expect, test } from "vitest";
import { startWorld } from "../harness/world.ts";
import { plantedAwsKey } from "../harness/planted.ts";

test("git prints where the secret is and which rule found it, never the secret; nothing reaches the upstream", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.must("checkout", "-q", "-b", "topic");
  const oid = await copy.commit("Add configuration", { "src/config.ts": `\nexport const key = "${plantedAwsKey}";\n` });
  const requestsBefore = world.upstream.requests.length;

  const push = await copy.git("push", "origin", "topic");

  expect(push.code).toBe(1);
  expect(push.stderr).toMatch(/remote: +src\/config\.ts:2:\d+ +aws-access-key/);
  expect(push.stderr).toMatch(/! \[remote rejected\] topic -> topic \(.*secret.*\)/);
  expect(push.stderr).not.toContain(plantedAwsKey);
  expect(push.stderr).not.toContain("Everything up-to-date");
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBeNull();
  expect(await world.upstream.hasObject("team/app", oid)).toBe(false);
  const posts = world.upstream.requests.slice(requestsBefore).filter((request) => request.method === "POST");
  expect(posts.filter((request) => request.url.endsWith("git-receive-pack"))).toEqual([]);
  expect(await world.dumpDatabase()).not.toContain(plantedAwsKey);
  expect(world.logText()).not.toContain(plantedAwsKey);
});

test("a secret that a later commit of the same push takes out again is still refused", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.must("checkout", "-q", "-b", "topic");
  const guilty = await copy.commit("Add configuration", { "config.ini": `key = ${plantedAwsKey}\n` });
  await copy.commit("Take it out", { "config.ini": "key = $AWS_KEY\n" });

  const push = await copy.git("push", "origin", "topic");

  expect(push.code).toBe(1);
  expect(push.stderr).toContain(`config.ini:1:7`);
  expect(push.stderr).toContain(guilty.slice(0, 10));
});

test.each([
  ["a commit message", async (copy: Copy) => copy.commit(`Use ${plantedAwsKey}`, { "a.txt": "a\n" })],
  ["a file name", async (copy: Copy) => copy.commit("Add", { [`${plantedAwsKey}.txt`]: "a\n" })],
  ["a binary file", async (copy: Copy) => copy.commit("Add", { "a.bin": `\0\0${plantedAwsKey}\0` })],
  [
    "a file that .gitattributes calls binary",
    async (copy: Copy) =>
      copy.commit("Add", { ".gitattributes": "*.txt -diff binary\n", "a.txt": `${plantedAwsKey}\n` }),
  ],
  ["UTF-16", async (copy: Copy) => copy.commit("Add", { "a.txt": Buffer.from(`\ufeff${plantedAwsKey}`, "utf16le") })],
])("a secret in %s is refused", async (_where, plant) => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.must("checkout", "-q", "-b", "topic");
  await plant(copy);

  const push = await copy.git("push", "origin", "topic");

  expect(push.stderr).toContain("[remote rejected]");
  expect(push.stderr).toContain("aws-access-key");
  expect(push.stderr).not.toContain(plantedAwsKey);
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBeNull();
});

test("a secret in an annotated tag's message is refused", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.must("tag", "-a", "v1", "-m", `Signed with ${plantedAwsKey}`);

  const push = await copy.git("push", "origin", "v1");

  expect(push.stderr).toContain("[remote rejected] v1 -> v1");
  expect(push.stderr).not.toContain(plantedAwsKey);
  expect(await world.upstream.ref("team/app", "refs/tags/v1")).toBeNull();
});

test("what may be a secret is noticed and lets pass", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.must("checkout", "-q", "-b", "topic");
  await copy.commit("Add", { "app.conf": 'db_password = "kZ8vQ2xR7mT4wN9p"\n' });

  const push = await copy.git("push", "origin", "topic");

  expect(push.code).toBe(0);
  expect(push.stderr).toMatch(/remote: .*may be a secret/);
  expect(push.stderr).toContain("app.conf:1:");
  expect(push.stderr).not.toContain("kZ8vQ2xR7mT4wN9p");
});

type Copy = Awaited<ReturnType<Awaited<ReturnType<Awaited<ReturnType<typeof startWorld>>["person"]>>["clone"]>>;
