/**
 * What happens at the same moment: pushes to one ref, decisions and pushes that supersede them, a cache that goes away, clients that
 * vanish. Whatever comes first, upstream and record agree afterwards, and nothing is left behind.
 */
import { chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import http, { type ClientRequest } from "node:http";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { countHeld } from "../fuzz/leaks.ts";
import type { WorkingCopy } from "../harness/git.ts";
import { basic, packOf, pushBody, rawPush, ZERO } from "../harness/raw-push.ts";
import { sharedWorld, type Person } from "../harness/world.ts";

const world = sharedWorld({
  pushes: [
    { repositories: ["code/waiting/**"], protect: [{ refs: ["refs/heads/main"], approvers: ["leads"], wait: "60s" }] },
    { repositories: ["code/**"], protect: [{ refs: ["refs/heads/main"], approvers: ["leads"], wait: "0s" }] },
  ],
});
const PATIENCE = { interval: 50 };

let ana: Person;
let bob: Person;
let lee: Person;
beforeAll(async () => {
  ana = await world().person("ana@example.com", ["eng"]);
  bob = await world().person("bob@example.com", ["eng"]);
  lee = await world().person("lee@example.com", ["leads"]);
});

let serial = 0;
const TEXT = Array.from({ length: 2_000 }, (_, line) => `line ${line}\n`).join("");
async function newRepository(team = "team"): Promise<string> {
  const repository = `${team}/race-${(serial += 1)}`;
  await world().upstream.createRepository(repository);
  await world().upstream.commitDirectly(repository, "refs/heads/main", { "README.md": "# App\n", "text.txt": TEXT });
  await world().upstream.git(repository, "update-ref", "refs/heads/topic", "refs/heads/main");
  return repository;
}
const refOf = (repository: string, ref = "refs/heads/topic") => world().upstream.ref(repository, ref);
const freshFile = () => ({ "text.txt": `${TEXT}and ${(serial += 1)}\n` });
const approvalIn = (text: string): string => /\/approvals\/([0-9a-f-]{36})/.exec(text)?.[1] ?? "";

interface RecordedPush {
  readonly id: string;
  readonly status: string;
  readonly error: string | null;
  readonly refs: readonly { readonly ref: string; readonly new: string }[];
}
const pushesTo = async (repository: string) =>
  (await lee.api(`/api/v1/pushes?repository=code/${repository}`)).items as unknown as readonly RecordedPush[];

/** Everybody's push is inside the upstream's receive-pack before any of them goes on to move a ref. */
async function meetAtUpstream(repository: string, count: number): Promise<void> {
  const hooks = path.join(world().upstream.directoryOf(repository), "hooks");
  await mkdir(hooks, { recursive: true });
  const met = path.join(hooks, "met");
  await mkdir(met);
  const hook = path.join(hooks, "pre-receive");
  await writeFile(
    hook,
    `#!/bin/sh\n: >"${met}/$$"\nwhile [ "$(ls "${met}" | wc -l)" -lt ${count} ]; do sleep 0.02; done\n`,
  );
  await chmod(hook, 0o755);
}

describe("two pushes to one ref at the same moment", () => {
  test.each([
    ["moves it", "refs/heads/topic"],
    ["makes it", "refs/heads/new"],
  ])("one of them %s, and the other is told", async (_what, ref) => {
    const repository = await newRepository();
    await meetAtUpstream(repository, 2);
    const copies = [await ana.clone(repository), await bob.clone(repository)];
    const oids = await Promise.all(copies.map((copy) => copy.commit("Mine", freshFile())));
    const runs = await Promise.all(copies.map((copy) => copy.git("push", "origin", `HEAD:${ref}`)));

    const winner = runs.findIndex(({ code }) => code === 0);
    const [won, lost] = [runs[winner], runs[1 - winner]];
    expect(won?.stderr).toContain(`HEAD -> ${ref.slice("refs/heads/".length)}`);
    expect(lost?.code).toBe(1);
    expect(lost?.stderr).toMatch(
      /! \[remote (?:rejected|failure)\].*\((?:failed to update ref|cannot lock ref|reference already|incorrect)/,
    );
    expect(lost?.stderr).not.toContain("Everything up-to-date");
    expect(await refOf(repository, ref)).toBe(oids[winner]);

    const pushes = await pushesTo(repository);
    expect(pushes.map(({ status }) => status).sort()).toEqual(["delivered", "undelivered"]);
    const newOid = (status: string) => pushes.find((push) => push.status === status)?.refs[0]?.new;
    expect(newOid("delivered")).toBe(oids[winner]);
    expect(newOid("undelivered")).toBe(oids[1 - winner]);
    // Who was too late fetches, and is heard.
    const late = copies[1 - winner];
    await late?.must("pull", "-q", "--rebase", "-X", "theirs", "origin", ref);
    expect(await late?.must("push", "-q", "origin", `HEAD:${ref}`)).toBe("");
  });

  test("the one deletes it and the other moves it: it is as one of them says", async () => {
    const repository = await newRepository();
    await meetAtUpstream(repository, 2);
    const copies = [await ana.clone(repository), await bob.clone(repository)] as const;
    const oid = await copies[0].commit("Mine", freshFile());
    const runs = await Promise.all([
      copies[0].git("push", "origin", "HEAD:refs/heads/topic"),
      copies[1].git("push", "origin", ":refs/heads/topic"),
    ]);
    const end = await refOf(repository);
    expect(runs.filter(({ code }) => code === 0)).toHaveLength(1);
    expect(end).toBe(runs[0].code === 0 ? oid : null);
    expect((await pushesTo(repository)).map(({ status }) => status).sort()).toEqual(["delivered", "undelivered"]);
  });

  test("of two that are the same and have to wait, one question is asked", async () => {
    const repository = await newRepository();
    const copy = await ana.clone(repository);
    const oid = await copy.commit("Mine", freshFile());
    const old = await copy.must("rev-parse", "HEAD^");
    const push = {
      repository,
      commands: [`${old} ${oid} refs/heads/main`],
      pack: await packOf(copy.directory, [oid, `^${old}`], true),
    };
    const answers = await Promise.all(Array.from({ length: 6 }, () => rawPush(world(), ana, push)));
    const links = answers.map(({ text }) => approvalIn(text));
    expect(new Set(links).size).toBe(1);
    expect(links[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect((await pushesTo(repository)).map(({ status }) => status)).toEqual(["held"]);
    expect((await lee.decide(links[0] ?? "", "approve", "fine")).status).toBe(200);
    await expect.poll(() => refOf(repository, "refs/heads/main"), PATIENCE).toBe(oid);
  });
});

describe("a decision, and at the same moment", () => {
  /** Two pushes of `main` from the same commit, both held. */
  async function twoHolds() {
    const repository = await newRepository();
    const copies = [await ana.clone(repository), await bob.clone(repository)];
    const holds: { readonly approval: string; readonly oid: string }[] = [];
    for (const copy of copies) {
      const oid = await copy.commit("Mine", freshFile());
      const { stderr } = await copy.git("push", "origin", "HEAD:refs/heads/main");
      holds.push({ approval: approvalIn(stderr), oid });
    }
    return { repository, copies, holds };
  }

  test("the other hold of the same ref is approved: one is delivered, the other says why not", async () => {
    const { repository, holds } = await twoHolds();
    await meetAtUpstream(repository, 1);
    const decisions = await Promise.all(holds.map(({ approval }) => lee.decide(approval, "approve", "fine")));
    expect(decisions.map(({ status }) => status)).toEqual([200, 200]);
    const statuses = async () => (await pushesTo(repository)).map(({ status }) => status).sort();
    await expect.poll(statuses, PATIENCE).toEqual(["delivered", "undelivered"]);
    const pushes = await pushesTo(repository);
    const delivered = pushes.find(({ status }) => status === "delivered");
    expect(await refOf(repository, "refs/heads/main")).toBe(delivered?.refs[0]?.new);
    expect(holds.map(({ oid }) => oid)).toContain(delivered?.refs[0]?.new);
    expect(pushes.find(({ status }) => status === "undelivered")?.error).toMatch(/refused a ref/);
  });

  test("a push comes that supersedes it: what was approved arrives, the newer one is told or waits", async () => {
    const repository = await newRepository();
    const copy = await ana.clone(repository);
    const first = await copy.commit("First", freshFile());
    const held = await copy.git("push", "origin", "HEAD:refs/heads/main");
    await copy.must("reset", "-q", "--hard", "HEAD^");
    await copy.commit("Instead of it", freshFile());
    const [decision, second] = await Promise.all([
      lee.decide(approvalIn(held.stderr), "approve", "fine"),
      copy.git("push", "origin", "HEAD:refs/heads/main"),
    ]);
    expect(decision.status).toBe(200);
    await expect.poll(() => refOf(repository, "refs/heads/main"), PATIENCE).toBe(first);
    // Either it saw the ref where it was, and is held; or where it is now: by git itself, or by the gateway.
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/held for approval|stale info|fetch first/);
    const later = approvalIn(second.stderr);
    if (later !== "") {
      expect((await lee.decide(later, "approve", "this one, too")).status).toBe(200);
      const ofLater = async () => (await pushesTo(repository)).map(({ status }) => status).sort();
      await expect.poll(ofLater, PATIENCE).toEqual(["delivered", "undelivered"]);
    }
    expect(await refOf(repository, "refs/heads/main")).toBe(first);
  });

  test("it is denied by somebody else: it is decided once, and upstream agrees", async () => {
    const repository = await newRepository();
    const kim = await world().person("kim@example.com", ["leads"]);
    const copy = await ana.clone(repository);
    const oid = await copy.commit("Mine", freshFile());
    const old = await refOf(repository, "refs/heads/main");
    const approval = approvalIn((await copy.git("push", "origin", "HEAD:refs/heads/main")).stderr);
    const [yes, no] = await Promise.all([lee.decide(approval, "approve", "yes"), kim.decide(approval, "deny", "no")]);
    expect([yes.status, no.status].sort((a, b) => a - b)).toEqual([200, 409]);
    const end = async () => (await pushesTo(repository)).map(({ status }) => status);
    await expect.poll(end, PATIENCE).toEqual([yes.status === 200 ? "delivered" : "denied"]);
    expect(await refOf(repository, "refs/heads/main")).toBe(yes.status === 200 ? oid : old);
  });
});

/** A request that is written piece by piece, and can be left. */
function openPush(repository: string): {
  readonly request: ClientRequest;
  write(bytes: Uint8Array): Promise<void>;
  readonly answer: Promise<string>;
} {
  const request = http.request(`${world().url}/git/code/${repository}.git/git-receive-pack`, {
    method: "POST",
    headers: { authorization: basic(ana), "content-type": "application/x-git-receive-pack-request" },
    agent: false,
  });
  const answer = new Promise<string>((resolve) => {
    request.on("error", (error) => resolve(String(error)));
    request.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("error", (error) => resolve(text + String(error)));
      response.on("close", () => resolve(text));
    });
  });
  const write = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      request.write(bytes, (error) => (error == null ? resolve() : reject(error)));
    });
  return { request, write, answer };
}

const under = (name: string) =>
  readdir(path.join(world().dataDir, name), { recursive: true, withFileTypes: true }).catch(() => []);
const quarantines = async (): Promise<string[]> =>
  (await under("quarantine")).map(({ name }) => name).filter((name) => name.startsWith("push-"));

/** A push of one line in a file of 2,000, as a delta on what is upstream. */
async function thinPush(repository: string, copy: WorkingCopy, ref: string) {
  const old = await copy.must("rev-parse", "HEAD");
  const oid = await copy.commit("Mine", freshFile());
  const pack = await packOf(copy.directory, [oid, `^${old}`], true);
  const current = (await refOf(repository, ref)) ?? ZERO;
  return { oid, bytes: pushBody({ repository, commands: [`${current} ${oid} ${ref}`], pack }), pack };
}

describe("the cache of old objects", () => {
  const damage: Record<string, () => Promise<void>> = {
    deleted: () => rm(path.join(world().dataDir, "cache"), { recursive: true, force: true }),
    "cut down to empty files": async () => {
      for (const entry of await under("cache"))
        if (entry.isFile()) await writeFile(path.join(entry.parentPath, entry.name), "");
    },
    "overwritten with garbage": async () => {
      for (const entry of await under("cache"))
        if (entry.isFile() && /\.(?:pack|idx)$/.test(entry.name)) {
          const file = path.join(entry.parentPath, entry.name);
          await chmod(file, 0o600);
          await writeFile(file, Buffer.alloc(2_000, 0x5a));
        }
    },
  };

  test.each(Object.keys(damage))("is %s in the midst of a push", async (kind) => {
    const repository = await newRepository();
    const copy = await ana.clone(repository);
    // Warm: what the push builds on lies in it.
    await copy.commit("Before", freshFile());
    await copy.must("push", "-q", "origin", "HEAD:refs/heads/topic");
    const { oid, bytes } = await thinPush(repository, copy, "refs/heads/topic");
    const push = openPush(repository);
    await push.write(bytes.subarray(0, -40));
    await expect.poll(quarantines, PATIENCE).toHaveLength(1);
    await damage[kind]?.();
    push.request.end(bytes.subarray(-40));
    const answer = await push.answer;

    // It heals in the course of this very push, or this push is refused with a word; never a ref without a verdict, nor the other way round.
    const end = await refOf(repository);
    const [latest] = await pushesTo(repository);
    if (answer.includes("ok refs/heads/topic")) {
      expect(end).toBe(oid);
      expect(latest?.status).toBe("delivered");
    } else {
      expect(answer).toMatch(/ng refs\/heads\/topic [^\n]{20,}/);
      expect(end).not.toBe(oid);
    }
    await expect.poll(quarantines, PATIENCE).toEqual([]);
    // The next one works in any case.
    const next = await copy.commit("After", freshFile());
    const after = await copy.git("push", "origin", "HEAD:refs/heads/topic");
    expect(after.stderr).toContain("HEAD -> topic");
    expect(await refOf(repository)).toBe(next);
  });

  test("is deleted while a push is held: it is delivered when approved", async () => {
    const repository = await newRepository();
    const copy = await ana.clone(repository);
    const oid = await copy.commit("Mine", freshFile());
    const held = await copy.git("push", "origin", "HEAD:refs/heads/main");
    await damage["deleted"]?.();
    expect((await lee.decide(approvalIn(held.stderr), "approve", "fine")).status).toBe(200);
    await expect.poll(() => refOf(repository, "refs/heads/main"), PATIENCE).toBe(oid);
  });
});

describe("a client that vanishes", () => {
  /** Children and file handles of this very process, which the gateway runs in. */
  async function settled(before: Awaited<ReturnType<typeof countHeld>>) {
    await expect.poll(quarantines, PATIENCE).toEqual([]);
    await expect.poll(async () => (await countHeld()).children, PATIENCE).toBeLessThanOrEqual(before.children);
    await expect.poll(async () => (await countHeld()).files, PATIENCE).toBeLessThanOrEqual(before.files + SLACK);
  }
  /** Connections to the database and the upstream that are kept for the next question. */
  const SLACK = 8;
  const ROUNDS = 12;

  const stages: readonly (readonly [string, (head: number, all: number) => number])[] = [
    ["in the midst of the commands", (head) => head - 20],
    ["after the commands", (head) => head],
    ["in the midst of the pack", (head, all) => head + Math.floor((all - head) / 2)],
    ["before the last byte of the pack", (_head, all) => all - 1],
  ];
  test.each(stages)("%s leaves nothing, and nothing moves", async (_what, cut) => {
    const repository = await newRepository();
    const copy = await ana.clone(repository);
    const { bytes, pack } = await thinPush(repository, copy, "refs/heads/topic");
    const [at, mark] = [cut(bytes.length - pack.length, bytes.length), world().upstream.requests.length];
    const old = await refOf(repository);
    const leave = async () => {
      const push = openPush(repository);
      await push.write(bytes.subarray(0, at));
      // What was written is read: the upstream is asked for its refs as soon as the commands are.
      push.request.destroy();
      await push.answer;
    };
    await leave();
    await expect.poll(quarantines, PATIENCE).toEqual([]);
    const before = await countHeld();
    await Promise.all(Array.from({ length: ROUNDS }, leave));
    await settled(before);
    const sent = world()
      .upstream.requests.slice(mark)
      .filter(({ method, url }) => method === "POST" && url.endsWith("/git-receive-pack"));
    expect(sent).toEqual([]);
    expect(await refOf(repository)).toBe(old);
    expect(await pushesTo(repository)).toEqual([]);
  });

  test("after the pack, without the answer: upstream and record agree", async () => {
    const repository = await newRepository();
    const copy = await ana.clone(repository);
    const old = await refOf(repository);
    const { oid, bytes } = await thinPush(repository, copy, "refs/heads/topic");
    const before = await countHeld();
    const push = openPush(repository);
    push.request.end(bytes);
    await new Promise((resolve) => push.request.once("finish", resolve));
    push.request.destroy();
    await push.answer;
    await settled(before);
    const ended = async () => (await pushesTo(repository)).every(({ status }) => status !== "delivering");
    await expect.poll(ended, PATIENCE).toBe(true);
    const statuses = (await pushesTo(repository)).map(({ status }) => status);
    expect(await refOf(repository)).toBe(statuses.includes("delivered") ? oid : old);
    // In either case the next push works.
    await copy.must("push", "-q", "--force", "origin", "HEAD:refs/heads/topic");
    expect(await refOf(repository)).toBe(oid);
  });

  test("while it is held leaves the hold, and no more than its pack", async () => {
    const repository = await newRepository("waiting");
    const copy = await ana.clone(repository);
    const { oid, bytes } = await thinPush(repository, copy, "refs/heads/main");
    const before = await countHeld();
    for (let round = 0; round < 3; round++) {
      const push = openPush(repository);
      push.request.end(bytes);
      const link = await new Promise<string>((resolve) => {
        push.request.on("response", (response) => {
          let text = "";
          response.on("data", (chunk: Buffer) => {
            text += chunk.toString("utf8");
            if (approvalIn(text) !== "") resolve(approvalIn(text));
          });
        });
      });
      expect(link).toMatch(/^[0-9a-f-]{36}$/);
      push.request.destroy();
      await push.answer;
    }
    await settled(before);
    expect((await pushesTo(repository)).map(({ status }) => status)).toEqual(["held"]);
    const [{ id = "" } = {}] = (await lee.api(`/api/v1/approvals?repository=code/${repository}`)).items as {
      id?: string;
    }[];
    expect((await lee.decide(id, "approve", "fine")).status).toBe(200);
    await expect.poll(() => refOf(repository, "refs/heads/main"), PATIENCE).toBe(oid);
  });
});
