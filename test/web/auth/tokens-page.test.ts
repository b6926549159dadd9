import { expect, test } from "vitest";
import { isGatewayToken } from "../../../src/identity/tokens.ts";
import { testDatabase } from "../../harness/database.ts";
import { addPerson } from "../api-fixtures.ts";
import { Browser, pagesDependencies } from "../pages-browser.ts";

async function setUp() {
  const { db } = await testDatabase();
  const deps = pagesDependencies(db);
  const ana = await addPerson(db, "ana@example.com", { audiences: ["api", "git"] });
  const browser = new Browser(deps);
  await browser.signIn(ana.token);
  return { db, deps, ana, browser };
}
const tokenIn = (html: string): string => /gho_[0-9A-Za-z]{49}/.exec(html)?.[0] ?? "";

test("a person makes a token, sees it once, and takes it back", async () => {
  const { browser, deps } = await setUp();
  await browser.get("/tokens");
  const made = await browser.submit("/tokens", { name: "laptop <b>", for: "git", expires: "30d" });
  const token = tokenIn(made.html);
  expect(isGatewayToken(token)).toBe(true);
  expect(made.html).toContain("laptop &lt;b&gt;");
  const authenticate = (at = new Date()) => deps.identity.authenticate({ token, from: "authorization" }, "git", at);
  expect(await authenticate()).toMatchObject({ ok: true });

  const list = await browser.get("/tokens");
  expect(tokenIn(list.html)).toBe("");
  const [, action = ""] = /action="(\/tokens\/[^"]+\/revoke)"/.exec(list.html) ?? [];
  expect((await browser.submit(action, {})).location).toBe("/tokens");
  expect(await authenticate(new Date(Date.now() + 5_001))).toMatchObject({ ok: false, error: { reason: "revoked" } });
});

test("a token without a name, a purpose or an end is not made, nor one that may more than the sign-in", async () => {
  const { browser } = await setUp();
  for (const fields of [
    { name: " ", for: "git", expires: "30d" },
    { name: "x", for: "", expires: "30d" },
    { name: "x", for: "root", expires: "30d" },
    { name: "x", for: "git", expires: "99y" },
  ]) {
    await browser.get("/tokens");
    const { status, html } = await browser.submit("/tokens", fields);
    expect([status, tokenIn(html)]).toEqual([400, ""]);
  }
  await browser.get("/tokens");
  expect(await browser.submit("/tokens", { name: "x", for: "copilot", expires: "30d" })).toMatchObject({ status: 403 });
});

test("nobody makes or takes back another's, by form or by address", async () => {
  const { browser, db, deps } = await setUp();
  const bob = await addPerson(db, "bob@example.com");
  const other = new Browser(deps);
  await other.signIn(bob.token);
  const { html } = await other.get("/tokens");
  const [, action = ""] = /action="(\/tokens\/[^"]+\/revoke)"/.exec(html) ?? [];
  await browser.get("/tokens");
  expect((await browser.post(action, { form: other.hidden(action)["form"] ?? "" })).status).toBe(403);
  expect((await browser.post("/tokens", { name: "x", for: "git", expires: "30d" })).status).toBe(403);
  const own = browser.hidden("/tokens");
  expect(
    (
      await browser.post(
        "/tokens",
        { ...own, name: "x", for: "git", expires: "30d" },
        { "sec-fetch-site": "cross-site" },
      )
    ).status,
  ).toBe(403);
  expect((await other.get("/tokens")).html).toContain(`action="${action}"`);
});
