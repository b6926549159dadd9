import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dulwich, libgit2 } from "../harness/clients/python-clients.ts";
import type { ClientRun, GitClient } from "../harness/clients/git-client.ts";
import { goGit } from "../harness/clients/go-git.ts";
import { isomorphicGit } from "../harness/clients/isomorphic-git.ts";
import { jgit } from "../harness/clients/jgit.ts";
import { mustGit } from "../harness/git.ts";
import { plantedAwsKey } from "../harness/planted.ts";
import { sharedWorld } from "../harness/world.ts";

const world = sharedWorld({
  pushes: [{ repositories: ["code/**"], protect: [{ refs: ["refs/heads/main"], approvers: ["leads"], wait: "60s" }] }],
});

// Every one of them speaks report-status version 1.
const CLIENTS: readonly GitClient[] = [isomorphicGit, dulwich, libgit2, jgit, goGit];

/** A clone of a repository of its own, made by the client; commits are git's, what is sent of them is the client's doing. */
async function cloneBy(client: GitClient, home: string, repository: string) {
  const { url, upstream } = world();
  await upstream.createRepository(repository);
  await upstream.commitDirectly(repository, "refs/heads/main", { "README.md": "# App\n" });
  const ana = await world().person("ana@example.com", ["eng"]);
  const session = { user: ana.email, password: ana.token, home };
  const address = `${url}/git/code/${repository}`;
  const directory = path.join(home, path.basename(repository));
  const cloned = await client.clone(session, address, directory);
  if (!cloned.isOk) throw new Error(`${client.name} could not clone:\n${cloned.output}`);
  return {
    commit: async (file: string, text: string): Promise<string> => {
      await writeFile(path.join(directory, file), text);
      await mustGit(["add", "--", file], { cwd: directory });
      await mustGit(["commit", "-q", "-m", `Add ${file}`], { cwd: directory });
      return mustGit(["rev-parse", "HEAD"], { cwd: directory });
    },
    push: (target: string): Promise<ClientRun> =>
      client.push(session, address, directory, { source: "refs/heads/main", target }),
  };
}

const installed = CLIENTS.filter(({ missing }) => missing === null);
const absent = CLIENTS.filter(({ missing }) => missing !== null);

// .ci/run installs all of them but go-git, whose compiler takes more room than everything else together (test/git-suite/clients.sh).
test.for(absent)("$name is left out: $missing is not installed", ({ missing }, { skip }) => {
  skip();
  expect(missing).toBeNull();
});

// Java and Python have to start first.
describe.each(installed.map((client) => [client.name, client] as const))("%s", (name, client) => {
  const slug = name.toLowerCase();
  let home = "";
  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), "sallyport-client-"));
    await client.prepare?.({ home });
  });
  afterAll(() => rm(home, { recursive: true, force: true, maxRetries: 3 }));

  test("clones, commits and pushes", async () => {
    const clone = await cloneBy(client, home, `${slug}/allowed`);
    const oid = await clone.commit("a.txt", "one\n");

    const push = await clone.push("refs/heads/topic");

    expect(push).toMatchObject({ isOk: true });
    expect(await world().upstream.ref(`${slug}/allowed`, "refs/heads/topic")).toBe(oid);
  });

  test("is told why a push is refused, ref by ref", async () => {
    const clone = await cloneBy(client, home, `${slug}/refused`);
    const oid = await clone.commit("a.txt", `key = ${plantedAwsKey}\n`);

    const push = await clone.push("refs/heads/topic");

    expect(push.isOk).toBe(false);
    expect(push.output).toContain("1 secret found");
    expect(push.output).not.toContain(plantedAwsKey);
    expect(await world().upstream.ref(`${slug}/refused`, "refs/heads/topic")).toBeNull();
    expect(await world().upstream.hasObject(`${slug}/refused`, oid)).toBe(false);
  });

  test("waits while a push is held, and sees it delivered", async () => {
    const repository = `${slug}/held`;
    const lee = await world().person("lee@example.com", ["leads"]);
    const clone = await cloneBy(client, home, repository);
    const oid = await clone.commit("a.txt", "one\n");
    const before = await world().upstream.ref(repository, "refs/heads/main");

    const pushing = clone.push("refs/heads/main");
    const pending = async () => (await lee.api(`/api/v1/approvals?repository=code/${repository}`)).items;
    await expect.poll(pending).toHaveLength(1);
    expect(await world().upstream.ref(repository, "refs/heads/main")).toBe(before);
    const [approval] = await pending();
    expect((await lee.decide(String(approval?.["id"]), "approve", "fine")).status).toBe(200);

    expect(await pushing).toMatchObject({ isOk: true });
    expect(await world().upstream.ref(repository, "refs/heads/main")).toBe(oid);
  });
});
