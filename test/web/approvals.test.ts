import { describe, expect, it } from "vitest";
import { newId } from "../../src/model/id.ts";
import { createApiRoutes } from "../../src/web/api.ts";
import { testDatabase } from "../harness/database.ts";
import { addHold, addPerson, apiDependencies, NEW, OLD, PUBLIC_URL } from "./api-fixtures.ts";

async function setUp() {
  const { db } = await testDatabase();
  const alice = await addPerson(db, "alice@example.com");
  const bob = await addPerson(db, "bob@example.com", { groups: ["release"] });
  const hold = await addHold(db, alice);
  return { db, alice, bob, ...hold, api: createApiRoutes(apiDependencies(db)) };
}

const post = (headers: Readonly<Record<string, string>>, body: string | object = { reason: "looks right" }) => ({
  method: "POST",
  headers,
  body: typeof body === "string" ? body : JSON.stringify(body),
});

describe("an approval", () => {
  it("is told in the contract's shape", async () => {
    const { api, bob, approvalId } = await setUp();
    const response = await api.request(`/approvals/${approvalId}`, { headers: bob.headers });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      id: approvalId,
      status: "pending",
      repository: "code/team/app",
      refs: [{ ref: "refs/heads/main", old: OLD, new: NEW }],
      pusher: "alice@example.com",
      requested_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      url: `${PUBLIC_URL}/approvals/${approvalId}`,
      decisions: [],
    });
  });

  it("is approved by one who may, with the reason on record", async () => {
    const { api, bob, approvalId } = await setUp();
    const response = await api.request(`/approvals/${approvalId}/approve`, post(bob.headers));
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      id: approvalId,
      status: "approved",
      decisions: [{ by: "bob@example.com", decision: "approve", reason: "looks right" }],
    });
  });

  it("is denied by one who may, and is then no longer pending", async () => {
    const { api, bob, approvalId } = await setUp();
    const denied = await api.request(`/approvals/${approvalId}/deny`, post(bob.headers, { reason: "no" }));
    expect(await denied.json()).toMatchObject({ status: "denied" });
    const again = await api.request(`/approvals/${approvalId}/approve`, post(bob.headers));
    expect(again.status).toBe(409);
    expect(await again.json()).toMatchObject({ error: { code: "conflict" } });
  });

  it("is not decided by who pushed it, nor by somebody whom the rule does not name", async () => {
    const { api, alice, db, approvalId } = await setUp();
    const carol = await addPerson(db, "carol@example.com", { groups: ["eng"] });
    for (const person of [alice, carol]) {
      const response = await api.request(`/approvals/${approvalId}/approve`, post(person.headers));
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ error: { code: "forbidden", message: expect.any(String) } });
    }
    const after = await api.request(`/approvals/${approvalId}`, { headers: carol.headers });
    expect(await after.json()).toMatchObject({ status: "pending", decisions: [] });
  });

  it("is decided once when two decide at the same moment", async () => {
    const { api, db, bob, approvalId } = await setUp();
    const dora = await addPerson(db, "dora@example.com", { groups: ["release"] });
    const answers = await Promise.all([
      api.request(`/approvals/${approvalId}/approve`, post(bob.headers)),
      api.request(`/approvals/${approvalId}/deny`, post(dora.headers)),
    ]);
    expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([200, 409]);
  });

  it.each(["not-an-id", "00000000-0000-0000-0000-00000000000g", "..%2f..", "%00", newId()])(
    "that does not exist (%s) is 404, however it is asked for",
    async (id) => {
      const { api, bob } = await setUp();
      expect((await api.request(`/approvals/${id}`, { headers: bob.headers })).status).toBe(404);
      expect((await api.request(`/approvals/${id}/approve`, post(bob.headers))).status).toBe(404);
    },
  );

  it("of a repository that one may not read is 404, except for who is asked to decide", async () => {
    const { api, db, alice, bob } = await setUp();
    const carol = await addPerson(db, "carol@example.com");
    const { approvalId } = await addHold(db, alice, { push: { repository: "code/secret/app" } });
    const status = async (headers: Readonly<Record<string, string>>) =>
      (await api.request(`/approvals/${approvalId}`, { headers })).status;
    expect(await status(carol.headers)).toBe(404);
    expect(await status(bob.headers)).toBe(200);
    expect(await status(alice.headers)).toBe(200);
    const refused = await api.request(`/approvals/${approvalId}/approve`, post(carol.headers));
    expect(refused.status).toBe(404);
    const list = await (await api.request("/approvals", { headers: carol.headers })).text();
    expect(list).not.toContain(approvalId);
  });

  it.each([
    ["[]", 400],
    ["{", 400],
    ['"yes"', 400],
    ['{"reason":5}', 400],
    ['{"reason":"a\\u0000b"}', 400],
    [JSON.stringify({ reason: "x".repeat(2_001) }), 400],
    [" ".repeat(70_000), 400],
    ["", 200],
    ["{}", 200],
  ])("takes a body as it should (%#)", async (body, status) => {
    const { api, bob, approvalId } = await setUp();
    const response = await api.request(`/approvals/${approvalId}/approve`, post(bob.headers, body));
    expect(response.status).toBe(status);
  });

  it("is not decided by another site's page, whatever credentials the browser adds", async () => {
    const { api, bob, approvalId } = await setUp();
    const basic = `Basic ${Buffer.from(`x:${bob.token}`).toString("base64")}`;
    const response = await api.request(
      `/approvals/${approvalId}/approve`,
      post({ authorization: basic, "sec-fetch-site": "cross-site" }),
    );
    expect(response.status).toBe(403);
    const after = await api.request(`/approvals/${approvalId}`, { headers: bob.headers });
    expect(await after.json()).toMatchObject({ status: "pending" });
  });
});
