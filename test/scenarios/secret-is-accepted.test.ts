/** What speaks for a secret: a comment on its line, which asks somebody, and the gateway's baseline, which has been asked. */
import path from "node:path";
import { expect, test } from "vitest";
import { run, type Ran } from "../cli/command-io.ts";
import { plantedAwsKey } from "../harness/planted.ts";
import { startWorld, type Person, type World } from "../harness/world.ts";

const approvalIn = (text: string): string => /\/approvals\/([0-9a-f-]{36})/.exec(text)?.[1] ?? "";

/** A branch with one line that has a secret. */
async function branchWith(person: Person, line: string, name = "topic") {
  const copy = await person.clone("team/app");
  await copy.must("checkout", "-q", "-b", name);
  const oid = await copy.commit("Add configuration", { "config/app.ini": `[app]\n${line}\n` });
  return { copy, oid };
}

interface PushJson {
  readonly id: string;
  readonly status: string;
  readonly findings: readonly { readonly fingerprint: string; readonly allowed: unknown; readonly baseline: unknown }[];
}

async function latestPush(person: Person): Promise<PushJson> {
  const { items } = await person.api("/api/v1/pushes");
  return (await (await person.fetch(`/api/v1/pushes/${String(items[0]?.["id"])}`)).json()) as PushJson;
}

/** The command line, beside the running gateway and on its database. */
const baseline = (world: World, args: readonly string[], stdin = ""): Promise<Ran> =>
  run(["baseline", ...args], {
    cwd: world.dataDir,
    env: { DATABASE_URL: world.database.url, SALLYPORT_DATA: world.dataDir, USER: "opal" },
    stdin,
  });

const ALLOWED = `key = ${plantedAwsKey} ; sallyport:allow key of the sandbox`;

test("a comment turns the refusal into a question, and whoever is asked sees its reason", async () => {
  const world = await startWorld({
    pushes: [{ repositories: ["code/**"], secrets: { approvers: ["security"], wait: "0s" } }],
  });
  const ana = await world.person("ana@example.com", ["eng"]);
  const sam = await world.person("sam@example.com", ["security"]);
  const { copy, oid } = await branchWith(ana, ALLOWED);

  const push = await copy.git("push", "origin", "topic");

  expect(push.stderr).toContain("1 secret found, allowed by a comment: security must agree");
  expect(push.stderr).toContain("sallyport:allow: key of the sandbox");
  expect(push.stderr).not.toContain(plantedAwsKey);
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBeNull();
  const record = await latestPush(ana);
  expect(record).toMatchObject({
    status: "held",
    findings: [{ allowed: { by: "sallyport:allow", reason: "key of the sandbox" }, baseline: null }],
  });
  const page = await (await sam.fetch(`/api/v1/pushes/${record.id}`)).text();
  expect(page).toContain("key of the sandbox");
  expect((await sam.decide(approvalIn(push.stderr), "approve", "it is the sandbox's")).status).toBe(200);
  await expect.poll(() => world.upstream.ref("team/app", "refs/heads/topic")).toBe(oid);
  expect(await world.dumpDatabase()).not.toContain(plantedAwsKey);
});

test("where nobody is named, a comment changes nothing, and the refusal says so", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const { copy } = await branchWith(ana, ALLOWED);

  const push = await copy.git("push", "origin", "topic");

  expect(push.code).toBe(1);
  expect(push.stderr.replace(/\s+/g, " ")).toContain(
    "1 secret found, allowed by a comment; no approvers are configured here who could agree",
  );
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBeNull();
});

test("a comment passes or is ignored where policy says so; its reason is recorded, what it repeats of the secret is not", async () => {
  const pushes = [
    { repositories: ["code/team/app"], secrets: { allowComments: "pass" } },
    { repositories: ["**"], secrets: { allowComments: "ignore", approvers: ["security"] } },
  ];
  const world = await startWorld({ pushes });
  const ana = await world.person("ana@example.com", ["eng"]);
  await world.upstream.createRepository("team/strict");
  const { copy, oid } = await branchWith(ana, `key = ${plantedAwsKey} # gitleaks:allow ${plantedAwsKey} is no key`);

  const passed = await copy.git("push", "origin", "topic");
  const ignored = await copy.git("push", `${world.url}/git/code/team/strict.git`, "topic");

  expect(passed.code).toBe(0);
  expect(passed.stderr).toContain("These secrets stand under a comment that allows them:");
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBe(oid);
  expect(ignored.code).toBe(1);
  expect(ignored.stderr).toContain("2 secrets found");
  expect(ignored.stderr).not.toContain("must agree");
  expect(`${passed.stderr}${ignored.stderr}${await world.dumpDatabase()}`).not.toContain(plantedAwsKey);
});

test("a comment in a commit message or a ref's name vouches for nothing", async () => {
  const world = await startWorld({ pushes: [{ repositories: ["**"], secrets: { allowComments: "pass" } }] });
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.must("checkout", "-q", "-b", "topic");
  await copy.commit(`${plantedAwsKey} sallyport:allow please`, { "a.txt": "a\n" });

  const push = await copy.git("push", "origin", "topic");

  expect(push.code).toBe(1);
  expect(push.stderr).toContain("1 secret found");
});

test("what refused a push is accepted while the gateway runs: there and at that path alone, until it is removed", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const { copy, oid } = await branchWith(ana, `key = ${plantedAwsKey}`);
  const refused = await copy.git("push", "origin", "topic");
  const { id, findings } = await latestPush(ana);
  expect(refused.stderr).toContain(`sallyport baseline add --push ${id} --reason`);

  const added = await baseline(world, ["add", "--push", id, "--reason", "revoked in March"]);
  expect(added).toMatchObject({ code: 0, err: "1 finding accepted for good.\n" });
  const accepted = await copy.git("push", "origin", "topic");

  expect(accepted.code).toBe(0);
  expect(accepted.stderr).toContain("accepted: revoked in March");
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBe(oid);
  const entry = added.out.trim();
  expect(await latestPush(ana)).toMatchObject({
    status: "delivered",
    findings: [{ fingerprint: findings[0]?.fingerprint, baseline: { id: entry, reason: "revoked in March" } }],
  });

  // Another path, another repository: not what was accepted.
  await copy.must("checkout", "-q", "-b", "elsewhere", "origin/main");
  await copy.commit("Copy it", { "other.ini": `key = ${plantedAwsKey}\n` });
  expect((await copy.git("push", "origin", "elsewhere")).code).toBe(1);
  await world.upstream.createRepository("team/other");
  expect((await copy.git("push", `${world.url}/git/code/team/other.git`, "topic")).code).toBe(1);

  expect((await baseline(world, ["list"])).out).toMatch(
    new RegExp(`${entry} +${findings[0]?.fingerprint} +code/team/app +config/app.ini +opal .* good +revoked in March`),
  );
  expect(await baseline(world, ["remove", entry.slice(0, 24), "--by", "olga"])).toMatchObject({ code: 0 });
  await copy.must("checkout", "-q", "-b", "again", "origin/main");
  await copy.commit("Once more", { "config/app.ini": `key = ${plantedAwsKey}\n` });
  expect((await copy.git("push", "origin", "again")).code).toBe(1);
  expect((await baseline(world, ["list"])).out).toContain("removed by olga");
  expect(await world.dumpDatabase()).not.toContain(plantedAwsKey);
});

test("what scan --json finds with the gateway's key can be accepted as it is", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const { copy } = await branchWith(ana, `key = ${plantedAwsKey}`);
  const scanned = await run(["scan", "--json", "."], { cwd: copy.directory, env: { SALLYPORT_DATA: world.dataDir } });
  expect(scanned.code).toBe(1);

  const added = await baseline(
    world,
    ["add", "-", "--reason", "known", "--repository", "code/team/*", "--expires", "30d"],
    scanned.out,
  );

  expect(added).toMatchObject({ code: 0, err: expect.stringMatching(/^1 finding accepted until /) });
  expect((await copy.git("push", "origin", "topic")).code).toBe(0);
});

test("an entry that has expired accepts nothing", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const { copy } = await branchWith(ana, `key = ${plantedAwsKey}`);
  await copy.git("push", "origin", "topic");
  const { findings } = await latestPush(ana);
  const args = ["baseline", "add", findings[0]?.fingerprint ?? "", "--reason", "for a day", "--expires", "1d"];
  const env = { DATABASE_URL: world.database.url, SALLYPORT_DATA: world.dataDir, USER: "opal" };
  await run(args, { cwd: path.dirname(world.dataDir), env, now: () => new Date(Date.now() - 2 * 86_400_000) });

  expect((await copy.git("push", "origin", "topic")).code).toBe(1);
  expect((await baseline(world, ["list"])).out).toContain("expired");
});

test("more findings than are kept hide none that refuses", async () => {
  const world = await startWorld({
    pushes: [{ repositories: ["**"], secrets: { allowComments: "pass" } }],
  });
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.must("checkout", "-q", "-b", "topic");
  const lines = Array.from({ length: 1_200 }, () => `key = ${plantedAwsKey} # sallyport:allow it`);
  await copy.commit("Hide one", { "a.ini": `${lines.join("\n")}\nkey = ${plantedAwsKey}\n` });
  await copy.git("push", "origin", "topic");

  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBeNull();
  await baseline(world, [
    "add",
    (await latestPush(ana)).findings[0]?.fingerprint ?? "",
    "--reason",
    "all of these",
    "--path",
    "b.ini",
  ]);
  const other = ["AKIA", "ZQ3DTVVXWM7KLP5R"].join("");
  await copy.must("checkout", "-q", "-b", "other", "origin/main");
  await copy.commit("Hide another", { "b.ini": `${lines.join("\n").replaceAll("sallyport", "")}\nkey = ${other}\n` });
  const push = await copy.git("push", "origin", "other");
  expect(push.stderr).toContain("1 secret found");
  expect(await world.upstream.ref("team/app", "refs/heads/other")).toBeNull();
});
