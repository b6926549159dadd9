/**
 * What the record keeps of a repository that one may not read is, to the byte, what it keeps of one that is not there: on every
 * page and at every address of the API. (What git and LFS are answered: test/web/git-access.test.ts.)
 */
import { expect, test } from "vitest";
import { newId } from "../../src/model/id.ts";
import { plantedAwsKey } from "../harness/planted.ts";
import { startWorld, type Person, type World } from "../harness/world.ts";

const cookiesOf = (response: Response): string =>
  response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(";", 1)[0])
    .join("; ");

/** A browser's sign-in with a token. @returns the session's cookie */
async function signIn(world: World, { token }: Person): Promise<string> {
  const page = await fetch(`${world.url}/`);
  const form = (await page.text()).split("<form").find((part) => part.includes('action="/sign-in"')) ?? "";
  const done = await fetch(`${world.url}/sign-in`, {
    method: "POST",
    redirect: "manual",
    headers: { cookie: cookiesOf(page), "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ form: /name="form" value="([^"]+)"/.exec(form)?.[1] ?? "", token, return: "/" }),
  });
  return /sallyport=[\w-]{43}/.exec(cookiesOf(done))?.[0] ?? "no session";
}

test("pages and the API answer as for what does not exist, whatever happened there", async () => {
  const world = await startWorld({
    connection: {
      access: [
        { repositories: ["team/**"], read: ["eng"], write: ["eng"] },
        { repositories: ["vault/**"], read: ["ops"], write: ["ops"] },
      ],
    },
    pushes: [
      {
        repositories: ["code/**"],
        protect: [{ refs: ["refs/heads/held"], approvers: ["leads"], wait: "0s" }],
      },
    ],
  });
  await world.upstream.createRepository("vault/app");
  await world.upstream.commitDirectly("vault/app", "refs/heads/main", { "README.md": "# Vault\n" });
  const olga = await world.person("olga@example.com", ["ops"]);
  const copy = await olga.clone("vault/app");
  const oid = await copy.commit("Delivered", { "a.txt": "a\n" });
  expect((await copy.git("push", "origin", "HEAD:refs/heads/main")).code).toBe(0);
  expect((await copy.git("push", "origin", "HEAD:refs/heads/held")).stderr).toContain("/approvals/");
  await copy.commit("Refused", { "b.txt": `${plantedAwsKey}\n` });
  expect((await copy.git("push", "origin", "HEAD:refs/heads/main")).stderr).toContain("[remote rejected]");
  const own = await olga.api("/api/v1/pushes?repository=code/vault/app");
  expect(own.items.map(({ status }) => String(status)).sort()).toEqual(["delivered", "held", "rejected"]);
  const approval = own.items.map(({ approval }) => approval).find((id) => typeof id === "string") as string;

  const ana = await world.person("ana@example.com", ["eng"]);
  const session = await signIn(world, ana);
  const ask = async (path: string, as: "api" | "page", init: RequestInit = {}) => {
    const headers: Record<string, string> =
      as === "page"
        ? { cookie: session }
        : { authorization: `Bearer ${ana.token}`, "content-type": "application/json" };
    const response = await fetch(`${world.url}${path}`, { redirect: "manual", headers, ...init });
    const { date: _, ...kept } = Object.fromEntries(response.headers);
    return { status: response.status, headers: kept, body: await response.text() };
  };
  /** What is asked, once of what is there and once of what is not; ids that the answer repeats are the question's. */
  const compare = async (there: string, missing: string, as: "api" | "page", init?: RequestInit) => {
    const [seen, unseen] = [await ask(there, as, init), await ask(missing, as, init)];
    const same = (text: string, path: string) =>
      text.replaceAll(path, "PATH").replaceAll(encodeURIComponent(path), "PATH");
    expect({ ...seen, body: same(seen.body, there) }, there).toEqual({ ...unseen, body: same(unseen.body, missing) });
    return seen.status;
  };

  const statuses = new Set<number>();
  const nowhere = "1".repeat(40);
  for (const { id } of own.items as { id: string }[]) {
    statuses.add(await compare(`/api/v1/pushes/${id}`, `/api/v1/pushes/${newId()}`, "api"));
    statuses.add(await compare(`/pushes/${id}`, `/pushes/${newId()}`, "page"));
  }
  statuses.add(await compare(`/api/v1/approvals/${approval}`, `/api/v1/approvals/${newId()}`, "api"));
  statuses.add(await compare(`/approvals/${approval}`, `/approvals/${newId()}`, "page"));
  for (const decision of ["approve", "deny"]) {
    const init = { method: "POST", body: JSON.stringify({ reason: "mine" }) };
    statuses.add(
      await compare(
        `/api/v1/approvals/${approval}/${decision}`,
        `/api/v1/approvals/${newId()}/${decision}`,
        "api",
        init,
      ),
    );
  }
  statuses.add(await compare(`/api/v1/commits/${oid}`, `/api/v1/commits/${nowhere}`, "api"));
  statuses.add(
    await compare(
      `/api/v1/commits/${oid}?repository=code/vault/app`,
      `/api/v1/commits/${oid}?repository=code/vault/not`,
      "api",
    ),
  );
  statuses.add(await compare(`/commits/${oid}`, `/commits/${nowhere}`, "page"));
  expect([...statuses]).toEqual([404]);

  for (const list of ["pushes", "approvals", "commits", "events", "fetches"]) {
    const [there, missing] = ["app", "not"].map((name) => `/api/v1/${list}?repository=code/vault/${name}`);
    expect(await compare(there ?? "", missing ?? "", "api"), list).toBe(200);
    expect((await ana.api(there ?? "")).items, list).toEqual([]);
  }
  // Whoever may read it is shown all of this.
  expect((await olga.fetch(`/api/v1/commits/${oid}`)).status).toBe(200);
  // The held one is still held.
  expect((await olga.fetch(`/api/v1/approvals/${approval}`)).status).toBe(200);
  expect(await world.upstream.ref("vault/app", "refs/heads/held")).toBeNull();
});
