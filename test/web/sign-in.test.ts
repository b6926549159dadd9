import { describe, expect, it } from "vitest";
import { eq } from "drizzle-orm";
import { tokens, webSessions } from "../../src/store/schema.ts";
import { localPath } from "../../src/web/sign-in.ts";
import { testDatabase } from "../harness/database.ts";
import { addPerson } from "./api-fixtures.ts";
import { Browser, pagesDependencies } from "./pages-browser.ts";

async function setUp(changes: Parameters<typeof pagesDependencies>[1] = {}) {
  const { db } = await testDatabase();
  const alice = await addPerson(db, "alice@example.com");
  const deps = pagesDependencies(db, changes);
  return { db, alice, deps, browser: new Browser(deps) };
}

describe("signing in", () => {
  it("takes a token, and leads back to where the link went", async () => {
    const { browser, alice } = await setUp();
    const first = await browser.get("/approvals/0190aaaa-0000-7000-8000-000000000000?x=1");
    expect(first).toMatchObject({
      status: 303,
      location: "/?return=%2Fapprovals%2F0190aaaa-0000-7000-8000-000000000000%3Fx%3D1",
    });
    const form = await browser.get(first.location ?? "");
    expect(form.html).toContain("Sign in");
    expect(form.html).not.toContain("alice");
    const done = await browser.submit("/sign-in", { token: `  ${alice.token}\n` });
    expect(done).toMatchObject({ status: 303, location: "/approvals/0190aaaa-0000-7000-8000-000000000000?x=1" });
    expect((await browser.get("/")).html).toContain("alice@example.com");
  });

  it("keeps only a hash, and gives a cookie that scripts and other sites do not get", async () => {
    const { browser, alice, db } = await setUp();
    const done = await browser.signIn(alice.token);
    const [line = ""] = done.headers.getSetCookie().filter((text) => text.startsWith("sallyport="));
    expect(line).toMatch(/HttpOnly/);
    expect(line).toMatch(/SameSite=Lax/);
    expect(line).toMatch(/Path=\//);
    const value = browser.cookies.get("sallyport") ?? "";
    expect(Buffer.from(value, "base64url")).toHaveLength(32);
    const [row] = await db.select().from(webSessions);
    expect(row?.hash).toHaveLength(32);
    expect(JSON.stringify(row)).not.toContain(value);
  });

  it("over https uses a cookie that belongs to this host alone", async () => {
    const { browser, alice } = await setUp({ publicUrl: "https://gateway.example" });
    const done = await browser.signIn(alice.token);
    const line = done.headers.getSetCookie().find((text) => text.startsWith("__Host-sallyport="));
    expect(line).toMatch(/; Secure/);
    expect(line).not.toMatch(/Domain/);
  });

  it("does not take a token that is unknown or not for the API, and never shows it again", async () => {
    const { browser, db } = await setUp();
    const gitOnly = await addPerson(db, "git@example.com", { audiences: ["git", "copilot"] });
    for (const token of ["nonsense", gitOnly.token, "x".repeat(20_000), ""]) {
      const { status, html } = await browser.signIn(token);
      expect(status).toBe(403);
      expect(html).toContain("note bad");
      expect(html).not.toContain(token === "" ? "value=''" : token);
    }
    expect(await db.select().from(webSessions)).toEqual([]);
  });

  it("gives a new session, whatever cookie was there before", async () => {
    const { browser, alice } = await setUp();
    browser.cookies.set("sallyport", "A".repeat(43));
    await browser.signIn(alice.token);
    expect(browser.cookies.get("sallyport")).not.toBe("A".repeat(43));
    expect((await browser.get("/")).html).toContain("alice@example.com");
  });

  it("slows down whoever guesses, and not who knows", async () => {
    const { browser, alice } = await setUp();
    let last = "";
    for (let attempt = 0; attempt < 21; attempt += 1) last = (await browser.signIn("wrong")).html;
    expect(last).toContain("Too many attempts");
    expect((await browser.signIn(alice.token)).status).toBe(403);
    const other = await setUp();
    for (let visit = 0; visit < 25; visit += 1) {
      other.browser.cookies.clear();
      expect((await other.browser.signIn(other.alice.token)).status).toBe(303);
    }
  });
});

describe("a session", () => {
  it("ends with the sign-out, in the database too", async () => {
    const { browser, alice, db } = await setUp();
    await browser.signIn(alice.token);
    await browser.get("/");
    const stolen = browser.cookies.get("sallyport") ?? "";
    expect(await browser.submit("/sign-out", {})).toMatchObject({ status: 303, location: "/" });
    expect(await db.select().from(webSessions)).toEqual([]);
    browser.cookies.set("sallyport", stolen);
    expect((await browser.get("/pushes")).status).toBe(303);
  });

  it("ends when its token is revoked", async () => {
    const { browser, alice, db } = await setUp();
    await browser.signIn(alice.token);
    expect((await browser.get("/pushes")).status).toBe(200);
    await db.update(tokens).set({ revokedAt: new Date() }).where(eq(tokens.principalId, alice.id));
    expect((await browser.get("/pushes")).status).toBe(303);
  });

  it("ends by itself after twelve hours, or with its token", async () => {
    let at = new Date();
    const { browser, alice } = await setUp({ now: () => at });
    await browser.signIn(alice.token);
    at = new Date(at.getTime() + 11 * 3_600_000);
    expect((await browser.get("/pushes")).status).toBe(200);
    at = new Date(at.getTime() + 2 * 3_600_000);
    expect((await browser.get("/pushes")).status).toBe(303);
  });

  it.each(["", "short", "A".repeat(43), "%00", "A".repeat(5_000)])(
    "does not come from a made-up cookie (%#)",
    async (value) => {
      const { browser } = await setUp();
      browser.cookies.set("sallyport", value);
      expect((await browser.get("/pushes")).status).toBe(303);
    },
  );
});

describe("a form", () => {
  it("is refused from another site, and without or with another form's token", async () => {
    const { browser, alice, db } = await setUp();
    await browser.signIn(alice.token);
    await browser.get("/");
    const { form = "" } = browser.hidden("/sign-out");
    const attempts: [Record<string, string>, Record<string, string>][] = [
      [{ form }, { "sec-fetch-site": "cross-site" }],
      [{ form }, { "sec-fetch-site": "same-site" }],
      [{ form }, { origin: "https://evil.example" }],
      [{ form }, { origin: "null" }],
      [{}, { "sec-fetch-site": "same-origin" }],
      [{ form: "" }, {}],
      [{ form: form.slice(0, -2) + (form.endsWith("AA") ? "BB" : "AA") }, {}],
    ];
    for (const [fields, headers] of attempts) await browser.post("/sign-out", fields, headers);
    expect(await db.select().from(webSessions)).toHaveLength(1);
    await browser.post("/sign-out", { form }, { origin: "http://gateway.example" });
    expect(await db.select().from(webSessions)).toEqual([]);
  });

  it("to sign in is guarded too, so that nobody is signed in as somebody else unawares", async () => {
    const { browser, alice, db } = await setUp();
    const forged = await browser.post(
      "/sign-in",
      { token: alice.token, form: "x" },
      { "sec-fetch-site": "cross-site" },
    );
    expect(forged.status).toBe(403);
    await browser.get("/");
    const { form = "" } = browser.hidden("/sign-in");
    const other = new Browser(pagesDependencies(db));
    await other.get("/");
    expect((await other.post("/sign-in", { token: alice.token, form })).status).toBe(403);
    expect(await db.select().from(webSessions)).toEqual([]);
  });

  it("larger than any of ours is refused", async () => {
    const { browser, alice } = await setUp();
    expect((await browser.post("/sign-in", { token: alice.token, return: "/".repeat(70_000) })).status).toBe(413);
  });
});

describe("the way back", () => {
  it.each([
    ["/approvals/1?x=1", "/approvals/1?x=1"],
    ["/", "/"],
    ["//evil.example/", "/"],
    ["/\\evil.example", "/"],
    ["/\t/evil.example", "/"],
    ["https://evil.example", "/"],
    ["javascript:alert(1)", "/"],
    ["/a\r\nSet-Cookie: x=1", "/"],
    ["/.//evil.example", "/"],
    ["/x/..//evil.example", "/"],
    ["/%2e//evil.example", "/"],
    ["/.\\/evil.example", "/"],
    ["", "/"],
    [undefined, "/"],
    [`/${"x".repeat(3_000)}`, "/"],
  ])("from %j is %j", (target, expected) => {
    expect(localPath(target)).toBe(expected);
  });
});
