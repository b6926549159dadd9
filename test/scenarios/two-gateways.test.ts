/** Two gateways on one database, each with a data directory of its own: the pack of a held push is with one of them alone. */
import { expect, test } from "vitest";
import { startWorld, type Person, type World } from "../harness/world.ts";

const PUSHES = [
  { repositories: ["code/**"], protect: [{ refs: ["refs/heads/main"], approvers: ["leads"], wait: "0s" }] },
];
const PATIENCE = { interval: 100 };

const mainOf = (world: World) => world.upstream.ref("team/app", "refs/heads/main");

async function hold(ana: Person): Promise<{ readonly approval: string; readonly oid: string }> {
  const copy = await ana.clone("team/app");
  const oid = await copy.commit("Change main", { "a.txt": "one\n" });
  const { stderr } = await copy.git("push", "origin", "main");
  return { approval: /\/approvals\/([0-9a-f-]{36})/.exec(stderr)?.[1] ?? "", oid };
}

const approveAt = (gateway: string, approval: string, { token }: Person): Promise<Response> =>
  fetch(`${gateway}/api/v1/approvals/${approval}/approve`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ reason: "fine" }),
  });

test("an approval at the one delivers what the other holds, once", async () => {
  const world = await startWorld({ pushes: PUSHES });
  const other = await world.startAnother();
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const { approval, oid } = await hold(ana);

  expect((await approveAt(other, approval, lee)).status).toBe(200);
  await expect.poll(() => mainOf(world), PATIENCE).toBe(oid);
  const statuses = async () => (await ana.api("/api/v1/pushes")).items.map(({ status }) => status);
  await expect.poll(statuses, PATIENCE).toEqual(["delivered"]);
  const sent = world.upstream.requests.filter(
    ({ method, url, bodyBytes }) => method === "POST" && url.endsWith("git-receive-pack") && bodyBytes > 4,
  );
  expect(sent).toHaveLength(1);
});

test("approved while the one that holds it is away, it is delivered when that one is back", async () => {
  const world = await startWorld({ pushes: PUSHES, process: true });
  const other = await world.startAnother();
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const before = await mainOf(world);
  const { approval, oid } = await hold(ana);
  await world.kill();

  expect((await approveAt(other, approval, lee)).status).toBe(200);
  // Time enough for the other one to have tried.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  expect(await mainOf(world)).toBe(before);

  await world.restart();
  await expect.poll(() => mainOf(world), PATIENCE).toBe(oid);
});
