/** Going on with an answer that has begun, though one may not begin another any more. Real gateways, a real identity provider. Append-only. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startOidcProvider } from "../harness/oidc-provider.ts";
import { WebBrowser } from "../harness/web-browser.ts";
import { startWorld, type World } from "../harness/world.ts";

const account = (name: string, groups: readonly string[]) => ({
  email: `${name}@example.com`,
  email_verified: true,
  groups,
});

let idp: Awaited<ReturnType<typeof startOidcProvider>>;
let world: World;
/** The same gateway's other half, behind which the revocation is made. */
let other: string;

beforeAll(async () => {
  idp = await startOidcProvider({
    accounts: Object.fromEntries(["ana", "ben", "cem", "dia"].map((name) => [name, account(name, ["eng"])])),
  });
  world = await startWorld({ provider: idp, copilotAllow: ["eng"] });
  other = await world.startAnother();
  const never = new Promise<void>(() => {});
  world.copilot.respondAlways({ text: ["one ", "two"], beforeChunk: (index) => (index === 2 ? never : undefined) });
});
/** Those that go on to the end of the file. */
const leaving = new AbortController();
afterAll(async () => {
  leaving.abort();
  await world.close();
  await idp.close();
});

/** Signs in and makes a token for Copilot. */
async function tokenOf(name: string): Promise<{ readonly browser: WebBrowser; readonly token: string }> {
  const browser = new WebBrowser();
  await browser.signIn(world.url, name);
  await browser.open(`${world.url}/tokens`);
  const made = await browser.submit("/tokens", { name: `${name}'s`, for: "copilot", expires: "never" });
  return { browser, token: /<pre>(gho_\w+)<\/pre>/.exec(made.html)?.[1] ?? "" };
}

interface Running {
  readonly id: string;
  /** How it ended; null: it has not. */
  ended(): "broken" | "whole" | null;
}

/** An answer that has begun, and never ends by itself. */
async function begin(token: string, url = world.url): Promise<Running> {
  const response = await fetch(`${url}/copilot/copilot/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "m", stream: true, messages: [{ role: "user", content: "Hi" }] }),
    signal: leaving.signal,
  });
  expect([response.status, response.ok ? "" : await response.text()]).toEqual([200, ""]);
  let ended: "broken" | "whole" | null = null;
  response.text().then(
    () => (ended = "whole"),
    () => (ended = "broken"),
  );
  return { id: response.headers.get("x-github-request-id") ?? "", ended: () => ended };
}

const recordOf = async ({ id }: Running) => {
  const [row] = await world.database.sql<{ status: string; refusal: string | null; error: string | null }[]>`
    select status, refusal, error from exchanges where id = ${id}`;
  return row;
};

const SOON = { timeout: 5_000, interval: 100 };

describe("an answer that is under way", () => {
  test("when its token is revoked: it ends within five seconds on every gateway, and others go on", async () => {
    const ana = await tokenOf("ana");
    const ben = await tokenOf("ben");
    const short = await fetch(`${world.url}/copilot_internal/v2/token`, {
      headers: { authorization: `Bearer ${ana.token}` },
    });
    const minted = ((await short.json()) as { token: string }).token;
    const jwt = await idp.sign({ sub: "ana", ...account("ana", ["eng"]) });
    const ended = [await begin(ana.token), await begin(ana.token, other), await begin(minted, other)];
    const going = [await begin(ben.token), await begin(jwt)];
    await ana.browser.submit("/revoke");
    await expect.poll(() => ended.map((one) => one.ended()), SOON).toEqual(["broken", "broken", "broken"]);
    for (const one of ended) {
      await expect.poll(() => recordOf(one)).toMatchObject({ status: "refused", refusal: "stopped" });
      expect((await recordOf(one))?.error).toContain("the token that this began with has been revoked");
    }
    expect(going.map((one) => one.ended())).toEqual([null, null]);
  });

  test("when its person leaves the group: so does it, by whatever they came, and a token's own end is none", async () => {
    const { browser, token } = await tokenOf("cem");
    const { token: lasting } = await tokenOf("dia");
    const jwt = await idp.sign({ sub: "cem", ...account("cem", ["eng"]) });
    const ended = [await begin(token), await begin(jwt, other)];
    const going = await begin(lasting);
    await world.database.sql`update tokens set expires_at = now() where name = ${"dia's"}`;
    await world.database.sql`update principals set groups_at = now() - interval '30 days' where subject = 'dia'`;
    idp.setAccount("cem", account("cem", ["guests"]));
    await browser.signIn(world.url, "cem");
    await expect.poll(() => ended.map((one) => one.ended()), SOON).toEqual(["broken", "broken"]);
    for (const one of ended) {
      await expect
        .poll(async () => (await recordOf(one))?.error)
        .toContain("none of your groups may use this connection");
    }
    expect(going.ended()).toBeNull();
  });
});
