import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { plantedAwsKey } from "../harness/planted.ts";
import { startWorld, type World } from "../harness/world.ts";

const POLICY = {
  pushes: [
    {
      repositories: ["code/**"],
      protect: [{ refs: ["refs/heads/main"], approvers: ["leads"], wait: "0s" }],
      namespaces: ["refs/heads/**", "refs/tags/**"],
    },
  ],
};

const scene = async (policy: Parameters<typeof startWorld>[0] = POLICY) => {
  const world = await startWorld(policy);
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const copy = await ana.clone("team/app");
  /** A commit of its own on top of main, on no branch. */
  const branchOff = async (name: string, files: Readonly<Record<string, string>>): Promise<string> => {
    await copy.git("checkout", "-q", "-B", name, "origin/main");
    return copy.commit(`Work on ${name}`, files);
  };
  return { world, ana, lee, copy, branchOff };
};

const approvalIn = (text: string): string => /\/approvals\/([0-9a-f-]{36})/.exec(text)?.[1] ?? "none";
const refOf = (world: World, ref: string) => world.upstream.ref("team/app", ref);

test("one push, three verdicts: the allowed ref is there, the refused one says why, the protected one waits", async () => {
  const { world, ana, lee, copy, branchOff } = await scene();
  const before = await refOf(world, "refs/heads/main");
  const good = await branchOff("good", { "good.txt": "good\n" });
  const bad = await branchOff("bad", { "bad.txt": "bad\n" });
  const next = await branchOff("next", { "next.txt": "next\n" });

  const push = await copy.git("push", "origin", "good", "bad:refs/secret/bad", "next:main");

  expect(push.code).toBe(1);
  expect(push.stderr).toMatch(/\* \[new branch\] +good -> good/);
  expect(push.stderr).toMatch(/! \[remote rejected\] bad -> refs\/secret\/bad \(.*outside of what may be pushed here/);
  expect(push.stderr).toMatch(/! \[remote rejected\] next -> main \(held for approval: /);
  expect(push.stderr).toContain("Sallyport refused a part of this push");
  expect(push.stderr).toContain("Sallyport holds a part of this push");
  expect(await refOf(world, "refs/heads/good")).toBe(good);
  expect(await refOf(world, "refs/heads/main")).toBe(before);
  expect(await world.upstream.hasObject("team/app", bad)).toBe(false);
  expect(await world.upstream.hasObject("team/app", next)).toBe(false);

  expect((await lee.decide(approvalIn(push.stderr), "approve", "fine")).status).toBe(200);
  await expect.poll(() => refOf(world, "refs/heads/main")).toBe(next);
  expect(await world.upstream.hasObject("team/app", bad)).toBe(false);

  const pushes = async () => (await ana.api("/api/v1/pushes")).items;
  const statuses = async () => (await pushes()).map(({ status }) => String(status)).sort((a, b) => (a < b ? -1 : 1));
  await expect.poll(statuses).toEqual(["delivered", "delivered", "rejected"]);
  const first = (await pushes()).find(({ part_of: partOf }) => partOf === null);
  expect((await pushes()).filter(({ part_of: partOf }) => partOf === first?.["id"])).toHaveLength(2);
});

test("a refused ref's objects cannot be had from the upstream by id, its shared ones can", async () => {
  const { world, ana, copy, branchOff } = await scene();
  const secret = plantedAwsKey;
  await branchOff("good", { "shared.txt": "the same in both\n", "only-good.txt": "good\n" });
  const bad = await branchOff("bad", { "shared.txt": "the same in both\n", "config.env": `KEY=${secret}\n` });
  const objects = (await copy.git("rev-list", "--objects", "--no-object-names", bad, "^origin/main")).stdout
    .split("\n")
    .filter((oid) => oid !== "");
  const shared = (await copy.git("rev-parse", "good:shared.txt")).stdout.trim();

  const push = await copy.git("push", "origin", "good", "bad");

  expect(push.code).toBe(1);
  expect(push.stderr).toMatch(/\* \[new branch\] +good -> good/);
  expect(push.stderr).toMatch(/! \[remote rejected\] bad -> bad \(1 secret found/);
  expect(push.stderr).not.toContain(secret);
  expect(objects.length).toBeGreaterThan(3);
  for (const oid of objects) {
    expect(await world.upstream.hasObject("team/app", oid), oid).toBe(oid === shared);
  }
  await world.upstream.git("team/app", "config", "uploadpack.allowAnySHA1InWant", "true");
  const other = await ana.clone("team/app");
  const fetched = await other.git("fetch", world.upstream.directoryOf("team/app"), bad);
  expect(fetched.stderr).toMatch(/not our ref|did not send all/);
});

test("a branch on top of a refused commit is refused with it, whichever is named first", async () => {
  const { world, copy, branchOff } = await scene();
  await branchOff("bad", { "config.env": `KEY=${plantedAwsKey}\n` });
  await copy.git("checkout", "-q", "-b", "worse");
  await copy.commit("More", { "more.txt": "more\n" });
  await copy.git("tag", "-a", "-m", "A tag", "v1", "worse");
  const good = await branchOff("good", { "good.txt": "good\n" });

  const push = await copy.git("push", "origin", "v1", "worse", "good", "bad");

  for (const ref of ["refs/heads/bad", "refs/heads/worse", "refs/tags/v1"]) expect(await refOf(world, ref)).toBeNull();
  expect(await refOf(world, "refs/heads/good")).toBe(good);
  expect(push.stderr.match(/remote rejected/g)).toHaveLength(3);
});

test("with --atomic it is all or none", async () => {
  const { world, copy, branchOff } = await scene();
  await branchOff("good", { "good.txt": "good\n" });
  await branchOff("bad", { "bad.txt": "bad\n" });

  const push = await copy.git("push", "--atomic", "origin", "good", "bad:refs/secret/bad");

  expect(push.code).toBe(1);
  expect(push.stderr).toContain("another ref of this push was refused");
  expect(await refOf(world, "refs/heads/good")).toBeNull();
  expect(await refOf(world, "refs/secret/bad")).toBeNull();
});

test("a deletion beside a refused ref goes through, and needs no pack", async () => {
  const { world, copy, branchOff } = await scene();
  await branchOff("old", { "old.txt": "old\n" });
  await copy.git("push", "-q", "origin", "old");
  await branchOff("bad", { "bad.txt": "bad\n" });

  const push = await copy.git("push", "origin", ":old", "bad:refs/secret/bad");

  expect(push.stderr).toMatch(/- \[deleted\] +old/);
  expect(push.stderr).toMatch(/! \[remote rejected\] bad -> refs\/secret\/bad/);
  expect(await refOf(world, "refs/heads/old")).toBeNull();
});

test("the upstream's own refusal of one part leaves the others as they are", async () => {
  const { world, copy, branchOff } = await scene();
  const good = await branchOff("good", { "good.txt": "good\n" });
  await branchOff("locked", { "locked.txt": "locked\n" });
  await branchOff("bad", { "bad.txt": "bad\n" });
  await writeFile(
    path.join(world.upstream.directoryOf("team/app"), "hooks", "update"),
    '#!/bin/sh\nif [ "$1" = refs/heads/locked ]; then echo "locked by the host"; exit 1; fi\n',
    { mode: 0o755 },
  );

  const push = await copy.git("push", "origin", "good", "locked", "bad:refs/secret/bad");

  expect(push.stderr).toContain("remote: locked by the host");
  expect(push.stderr).toMatch(/! \[remote rejected\] locked -> locked \(hook declined\)/);
  expect(push.stderr).toMatch(/! \[remote rejected\] bad -> refs\/secret\/bad \(.*outside/);
  expect(await refOf(world, "refs/heads/good")).toBe(good);
});

test("what is stale is refused by itself; what is allowed beside it goes through", async () => {
  const { world, copy, branchOff } = await scene();
  const good = await branchOff("good", { "good.txt": "good\n" });
  await branchOff("next", { "next.txt": "next\n" });
  const moved = await world.upstream.commitDirectly("team/app", "refs/heads/main", { "meanwhile.txt": "x\n" });

  const push = await copy.git("push", "--force", "origin", "good", "next:main");

  expect(await refOf(world, "refs/heads/main")).toBe(moved);
  expect(await refOf(world, "refs/heads/good")).toBe(good);
  expect(push.code).toBe(1);
});
