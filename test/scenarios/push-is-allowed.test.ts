import { expect, test } from "vitest";
import { startWorld } from "../harness/world.ts";

test("a push to an unprotected branch arrives, and prints nothing that a direct push would not", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.must("checkout", "-q", "-b", "topic");
  const oid = await copy.commit("Add a line", { "a.txt": "one\n" });

  const push = await copy.git("push", "origin", "topic");

  expect(push.stderr).toContain("[new branch]      topic -> topic");
  expect(push.stderr).not.toContain("remote:");
  expect(push.code).toBe(0);
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBe(oid);
});

test("the first push into an empty repository, many refs, a tag, a deletion", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  await world.upstream.createRepository("team/empty");
  const copy = await ana.init("team/empty");
  const first = await copy.commit("First", { "a.txt": "one\n" });
  await copy.must("branch", "one");
  await copy.must("branch", "two");
  await copy.must("tag", "-a", "v1", "-m", "Version 1");
  await copy.must("tag", "light");

  expect((await copy.git("push", "origin", "one", "two", "v1", "light")).code).toBe(0);
  expect(await world.upstream.ref("team/empty", "refs/heads/one")).toBe(first);
  expect(await world.upstream.ref("team/empty", "refs/tags/light")).toBe(first);
  expect(await world.upstream.ref("team/empty", "refs/tags/v1")).toBe(await copy.must("rev-parse", "refs/tags/v1"));

  expect((await copy.git("push", "origin", "--delete", "two")).code).toBe(0);
  expect(await world.upstream.ref("team/empty", "refs/heads/two")).toBeNull();
});

test("a push over http.postBuffer goes chunked, after the 4-byte probe", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.must("checkout", "-q", "-b", "large");
  const noise = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 7919 * (at % 251)) & 0xff));
  const oid = await copy.commit("Add three megabytes", { "noise.bin": noise });

  const push = await copy.git("-c", "http.postBuffer=65536", "push", "origin", "large");

  expect(push.stderr).not.toContain("error");
  expect(push.code).toBe(0);
  expect(await world.upstream.ref("team/app", "refs/heads/large")).toBe(oid);
});

test("the record says who pushed what, and that it was delivered", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  const before = await copy.must("rev-parse", "HEAD");
  await copy.must("checkout", "-q", "-b", "topic");
  const oid = await copy.commit("Add a line", { "a.txt": "one\n" });
  await copy.must("push", "-q", "origin", "topic");

  const { items } = await ana.api("/api/v1/pushes?repository=code/team/app");

  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({
    repository: "code/team/app",
    pusher: "ana@example.com",
    status: "delivered",
    refs: [{ ref: "refs/heads/topic", new: oid }],
  });
  expect(before).not.toBe(oid);
});
