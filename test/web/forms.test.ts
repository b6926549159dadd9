/**
 * Every address that takes a POST, taken from the routes themselves: one that is new has to be a form that another site cannot send, or
 * be listed here as one that looks at no cookie.
 */
import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { newId } from "../../src/model/id.ts";
import type { Database } from "../../src/store/database.ts";
import { authorizePath, CLI, pkce, startGithubHost } from "./github-host.ts";

/** They go by what is in the request, and would do the same without any cookie. */
const COOKIELESS = [
  "/login/device/code",
  "/login/oauth/access_token",
  "/telemetry",
  "/copilot_internal/notification",
  "/api/v3/copilot_internal/notification",
];

const host = await startGithubHost();
const posts = [...new Set(host.routes.filter(({ method }) => method === "POST").map(({ path }) => path))];
const forms = posts.filter((path) => !COOKIELESS.includes(path)).sort();
const changing = host.routes.filter(({ method }) => !["GET", "POST", "ALL"].includes(method));

/** Everything that a form could change. */
async function state(db: Database): Promise<string> {
  const tables = ["web_sessions", "tokens", "device_codes", "authorization_codes", "events", "approvals", "stops"];
  const rows = tables.map((table) => sql`select ${table} as name, to_jsonb(t) as row from ${sql.identifier(table)} t`);
  return JSON.stringify(await db.execute(sql`${sql.join(rows, sql` union all `)} order by 1, 2`));
}

test("the forms are these; nothing is changed by another method", () => {
  expect(forms).toEqual([
    "/approvals/:id",
    "/login/device",
    "/login/device/:id",
    "/login/oauth/authorize",
    "/sign-in",
    "/sign-out",
    "/tokens",
    "/tokens/:id/revoke",
  ]);
  expect(changing).toEqual([]);
});

describe.each(forms)("POST %s", (route) => {
  const setUp = async () => {
    const { db, ...here } = await startGithubHost();
    const ana = await here.person("ana@example.com");
    const browser = await here.browser(ana);
    await here.begin();
    const [device] = await db.query.deviceCodes.findMany();
    const [token] = await db.query.tokens.findMany();
    const id = route.startsWith("/login") ? device?.id : route.startsWith("/tokens") ? token?.id : newId();
    const path = route.replace(":id", id ?? "");
    const redirect = "http://127.0.0.1:51234/callback";
    // What it would take, had it been sent by our own page.
    const fields = {
      decision: "approve",
      reason: "",
      code: "BCDF-GHJK",
      token: ana.token,
      name: "planted",
      for: "git",
      expires: "never",
      client_id: CLI,
      redirect_uri: redirect,
      scope: "",
      state: "s",
      code_challenge: pkce().challenge,
    };
    return { db, browser, path, fields, before: await state(db), gone: () => state(db) };
  };
  const own = { "sec-fetch-site": "same-origin" };

  test("without the form's own value, or with another form's, does nothing", async () => {
    const { browser, path, fields, before, gone } = await setUp();
    await browser.get("/tokens");
    const others = [browser.hidden("/sign-out")["form"], browser.hidden("/tokens")["form"]];
    await browser.get("/login/device");
    others.push(browser.hidden("/login/device")["form"]);
    await browser.get(authorizePath({ ...fields, code_challenge_method: "S256" }));
    others.push(browser.hidden("/login/oauth/authorize")["form"]);
    const actions = ["/sign-out", "/tokens", "/login/device", "/login/oauth/authorize"];
    const foreign = others.filter((_, index) => actions[index] !== path);
    expect(foreign.length).toBeGreaterThanOrEqual(3);
    for (const form of [...foreign, "", "x", "A".repeat(43)]) {
      await browser.post(path, { ...fields, form: form ?? "" }, own);
    }
    await browser.post(path, fields, own);
    expect(await gone()).toBe(before);
  });

  test.each([
    ["cross-site", "https://evil.example"],
    ["same-site", "https://sibling.gateway.example"],
    ["none", "null"],
  ])("from elsewhere (%s) does nothing, even with every form's value", async (site, origin) => {
    const { browser, path, fields, before, gone } = await setUp();
    const { form = "" } = await ownForm(browser, path, fields);
    await browser.post(path, { ...fields, form }, { "sec-fetch-site": site, origin });
    await browser.post(path, { ...fields, form }, { origin });
    expect(await gone()).toBe(before);
  });

  test("in parts that are none, or with its value twice, is no form: refused, and nothing failed", async () => {
    const { browser, path, fields, before, gone } = await setUp();
    const broken = await browser.post(path, {}, { ...own, "content-type": "multipart/form-data; boundary=x" });
    expect(broken.status).toBeLessThan(500);
    const { form = "" } = await ownForm(browser, path, fields);
    const twice = new URLSearchParams([...Object.entries(fields), ["form", form], ["form", form]]);
    const sent = await browser.send(path, twice.toString(), own);
    expect(sent.status).toBeLessThan(500);
    expect(await gone()).toBe(before);
  });
});

/** The value that our own page has for this address, as far as a page shows it to this person. */
async function ownForm(
  browser: { get(path: string): Promise<unknown>; hidden(action: string): Record<string, string> },
  path: string,
  fields: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const pages = ["/tokens", "/login/device", authorizePath({ ...fields, code_challenge_method: "S256" })];
  for (const page of pages) {
    await browser.get(page);
    try {
      return browser.hidden(path);
    } catch {
      // It is on another one.
    }
  }
  return {};
}
