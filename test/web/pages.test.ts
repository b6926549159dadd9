import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { newId } from "../../src/model/id.ts";
import { DEFAULT_MODEL_POLICY, DEFAULT_WIRE_RULES, type Connection } from "../../src/model/connection.ts";
import type { Database } from "../../src/store/database.ts";
import { createPagesRoutes } from "../../src/web/pages.tsx";
import { commitLines, commitSessions, decisions, exchanges, messages, sessions } from "../../src/store/schema.ts";
import { testDatabase } from "../harness/database.ts";
import { addHold, addPerson, addPush, commit, NEW, OLD, type Person } from "./api-fixtures.ts";
import { Browser, pagesDependencies } from "./pages-browser.ts";

async function setUp(changes: Parameters<typeof pagesDependencies>[1] = {}) {
  const { db } = await testDatabase();
  const deps = pagesDependencies(db, changes);
  const signedIn = async (email: string, groups: readonly string[] = []) => {
    const person = await addPerson(db, email, { groups });
    const browser = new Browser(deps);
    await browser.signIn(person.token);
    return { person, browser };
  };
  const alice = await signedIn("alice@example.com");
  const bob = await signedIn("bob@example.com", ["release"]);
  return { db, deps, signedIn, alice, bob };
}

const HOSTILE = `<script>alert(1)</script>"'><img src=x onerror=y> \u001b[31mred\u001b[0m \u202e evil \u2066 <!channel> \u0007 &amp; é`;

/** Nothing of it may run, hide or reorder; all of it has to be there to be seen. */
function expectHarmless(html: string): void {
  const ours = /<script src="\/replay-[0-9a-f]{12}\.js" integrity="sha256-[\w+/=]{44}" defer=""><\/script>(?=<\/head>)/;
  expect(html.replace(ours, "")).not.toContain("<script");
  expect(html).not.toContain("<img");
  // oxlint-disable-next-line no-control-regex -- the control bytes are what must not be there
  expect(html).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  for (const part of [
    "&lt;script&gt;alert(1)",
    "\\x1b[31mred",
    "\\u202e evil \\u2066",
    "&lt;!channel&gt;",
    "&amp;amp; é",
  ]) {
    expect(html).toContain(part);
  }
}

const hostilePush = {
  pushOptions: [HOSTILE],
  userAgent: HOSTILE,
  error: HOSTILE,
  refs: [
    {
      ref: `refs/heads/${HOSTILE}`,
      oldOid: OLD,
      newOid: NEW,
      forced: true,
      verdict: "hold" as const,
      reason: HOSTILE,
    },
  ],
  commits: [
    commit({
      authorName: HOSTILE,
      authorEmail: HOSTILE,
      committerName: HOSTILE,
      committerEmail: `x${HOSTILE}`,
      message: `${HOSTILE}\n\n${HOSTILE}`,
    }),
  ],
  findings: [
    {
      rule: HOSTILE,
      description: HOSTILE,
      severity: "warn" as const,
      source: "file" as const,
      oid: NEW,
      path: HOSTILE,
      line: 3,
      column: 7,
      endColumn: 9,
      fingerprint: "f",
      known: false,
      allowed: { by: "sallyport:allow" as const, reason: HOSTILE },
      baseline: { id: "0199a1b2-0000-7000-8000-000000000000", reason: HOSTILE },
    },
  ],
  hunks: [{ commit: NEW, path: HOSTILE, startLine: 1, text: HOSTILE }],
  diffs: [
    {
      ref: `refs/heads/${HOSTILE}`,
      truncated: true,
      diff: `diff --git a/${HOSTILE} b/${HOSTILE}\n--- a/x\n+++ b/x\n@@ -1 +1 @@ ${HOSTILE}\n-${HOSTILE}\n+${HOSTILE}\n`,
    },
  ],
};

async function addSession(db: Database, person: Person, text: string): Promise<{ id: string; exchangeId: string }> {
  const [id, exchangeId, at] = [newId(), newId(), new Date()];
  const common = { principalId: person.id, connection: "copilot", startedAt: at };
  await db
    .insert(sessions)
    .values({ ...common, id, client: "copilot-cli", clientKey: `c:${id}`, title: text, lastActiveAt: at });
  await db.insert(exchanges).values({
    ...common,
    id: exchangeId,
    sessionId: id,
    format: "responses",
    method: "POST",
    path: "/responses",
    model: text,
    userAgent: "x",
    status: "truncated",
  });
  const parts = [
    { type: "text", text } as const,
    { type: "reasoning", text } as const,
    { type: "tool_call", id: "1", name: text, arguments: text } as const,
    { type: "tool_result", id: "1", text } as const,
    { type: "opaque", kind: text, text } as const,
  ];
  for (const [ordinal, role] of (["system", "user", "assistant"] as const).entries()) {
    await db.insert(messages).values({ number: ordinal, sessionId: id, hash: Buffer.from([ordinal]), role, parts });
  }
  await db
    .update(exchanges)
    .set({ requestMessages: [0, 1], responseMessages: [2] })
    .where(eq(exchanges.id, exchangeId));
  return { id, exchangeId };
}

describe("every page", () => {
  it("allows no script, no frame and no cache", async () => {
    const { alice, deps } = await setUp();
    for (const browser of [alice.browser, new Browser(deps)]) {
      const { headers, html } = await browser.get("/");
      const policy = headers.get("content-security-policy");
      for (const rule of [
        "default-src 'none'",
        "style-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
      ]) {
        expect(policy).toContain(rule);
      }
      expect(policy).not.toContain("unsafe");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("same-origin");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(html).not.toMatch(/<script|style="|javascript:| on\w+=/);
    }
  });

  it("brings its stylesheet, which may be kept for good", async () => {
    const { deps } = await setUp();
    const browser = new Browser(deps);
    const { html } = await browser.get("/");
    const [, path = ""] = /<link rel="stylesheet" href="([^"]+)"/.exec(html) ?? [];
    const { status, headers } = await browser.get(path);
    expect(status).toBe(200);
    expect(headers.get("content-type")).toContain("text/css");
    expect(headers.get("cache-control")).toContain("immutable");
  });

  it("that does not exist says so", async () => {
    const { alice } = await setUp();
    for (const path of ["/nowhere", "/pushes/1", "/approvals/%00", `/sessions/${newId()}`, "/commits/zzz"]) {
      const { status, html } = await alice.browser.get(path);
      expect(status).toBe(404);
      expect(html).toContain("Not found");
    }
  });

  it("asks for a sign-in first", async () => {
    const { deps, db, alice } = await setUp();
    const { approvalId, pushId } = await addHold(db, alice.person);
    for (const path of [`/approvals/${approvalId}`, `/pushes/${pushId}`, "/sessions", "/connect", `/commits/${NEW}`]) {
      const visit = await new Browser(deps).get(path);
      expect(visit).toMatchObject({ status: 303, location: `/?return=${encodeURIComponent(path)}` });
      expect(visit.html).toBe("");
    }
  });

  it("leads a client with a wrong address on, instead of to a sign-in page", async () => {
    const { deps } = await setUp();
    const routes = createPagesRoutes(deps);
    for (const path of ["/team/app.git/info/refs?service=git-upload-pack", "/v1/chat/completions"]) {
      const missing = await routes.request(path, { headers: { accept: "*/*" } });
      expect(missing.status).toBe(404);
      expect(await missing.text()).toContain("Git remotes begin with http://gateway.example/git/<connection>/");
    }
    const inBrowser = await routes.request("/nowhere", { headers: { accept: "text/html,*/*;q=0.8" } });
    expect(inBrowser.status).toBe(303);
  });

  it("says that the database is away", async () => {
    const handle = await testDatabase();
    const browser = new Browser(pagesDependencies(handle.db));
    browser.cookies.set("sallyport", "A".repeat(43));
    await handle.close();
    const { status, html } = await browser.get("/pushes");
    expect(status).toBe(503);
    expect(html).toContain("cannot reach its database");
  });
});

describe("the page of an approval", () => {
  it("shows who, where, what and why, and the change itself", async () => {
    const { db, alice, bob } = await setUp();
    const { approvalId } = await addHold(db, alice.person, {
      push: {
        commits: [commit({ message: "Change the port\n\nThe old one is taken." })],
        diffs: [
          {
            ref: "refs/heads/main",
            truncated: false,
            diff: "diff --git a/src/app.ts b/src/app.ts\n--- a/src/app.ts\n+++ b/src/app.ts\n@@ -8,2 +8,2 @@ start\n const a = 1;\n-listen(80);\n+listen(8080);\n",
          },
        ],
        findings: [
          {
            rule: "generic-password",
            description: "A password is assigned",
            severity: "warn",
            source: "file",
            oid: NEW,
            path: "src/app.ts",
            line: 12,
            column: 5,
            endColumn: 20,
            fingerprint: "f",
            known: false,
            allowed: null,
            baseline: null,
          },
        ],
      },
    });
    const { html, status } = await bob.browser.get(`/approvals/${approvalId}`);
    expect(status).toBe(200);
    for (const part of [
      "alice@example.com wants to push to code/team/app",
      "refs/heads/main is protected",
      "Change the port",
      "The old one is taken.",
      "generic-password",
      "src/app.ts:12:5",
      "-listen(80);",
      "+listen(8080);",
      "Approve and deliver",
      OLD.slice(0, 10),
      NEW.slice(0, 10),
    ]) {
      expect(html).toContain(part);
    }
  });

  it("approves with the reason, once, and then shows the decision", async () => {
    const { db, alice, bob } = await setUp();
    const { approvalId } = await addHold(db, alice.person);
    const path = `/approvals/${approvalId}`;
    await bob.browser.get(path);
    const done = await bob.browser.submit(path, { decision: "approve", reason: "read it\r\ntwice" });
    expect(done).toMatchObject({ status: 303, location: path });
    const { html } = await bob.browser.get(path);
    expect(html).toContain("read it\ntwice");
    expect(html).not.toContain("Approve and deliver");
    expect(await db.select().from(decisions)).toMatchObject([
      { decision: "approve", principalId: bob.person.id, reason: "read it\ntwice" },
    ]);
  });

  it("denies, and a form that comes too late is told so and keeps what was written", async () => {
    const { db, signedIn, alice, bob } = await setUp();
    const dora = await signedIn("dora@example.com", ["release"]);
    const { approvalId } = await addHold(db, alice.person);
    const path = `/approvals/${approvalId}`;
    await bob.browser.get(path);
    await dora.browser.get(path);
    expect((await bob.browser.submit(path, { decision: "deny", reason: "no" })).status).toBe(303);
    const late = await dora.browser.submit(path, { decision: "approve", reason: "yes" });
    expect(late.status).toBe(409);
    expect(late.html).toContain("no longer pending");
  });

  it("shows no buttons to who may not decide, and says why", async () => {
    const { db, signedIn, alice, bob } = await setUp();
    const carol = await signedIn("carol@example.com", ["eng"]);
    const { approvalId } = await addHold(db, alice.person);
    const old = await addHold(db, alice.person, { expiresAt: new Date(Date.now() - 1_000) });
    for (const [browser, id, why] of [
      [alice.browser, approvalId, "cannot decide on their own push"],
      [carol.browser, approvalId, "only these may decide: release"],
      [bob.browser, old.approvalId, "Nobody decided in time"],
    ] as const) {
      const { html } = await browser.get(`/approvals/${id}`);
      expect(html).toContain(why);
      expect(html).not.toContain("Approve and deliver");
    }
  });

  it("does not decide for who may not, nor for a forged form", async () => {
    const { db, alice, bob } = await setUp();
    const { approvalId } = await addHold(db, alice.person);
    const path = `/approvals/${approvalId}`;
    await bob.browser.get(path);
    const hidden = bob.browser.hidden(path);
    const forged = await bob.browser.post(path, { ...hidden, decision: "approve" }, { "sec-fetch-site": "cross-site" });
    expect(forged.status).toBe(403);
    expect((await bob.browser.post(path, { decision: "approve" })).status).toBe(403);
    // The sign-out form's token is no good for a decision.
    await bob.browser.get(path);
    const other = bob.browser.hidden("/sign-out");
    expect((await bob.browser.post(path, { ...other, decision: "approve" })).status).toBe(403);
    // Nor is one approval's for another.
    const second = await addHold(db, alice.person);
    expect((await bob.browser.post(`/approvals/${second.approvalId}`, { ...hidden, decision: "approve" })).status).toBe(
      403,
    );
    await bob.browser.get(path);
    for (const decision of ["", "maybe"]) {
      expect((await bob.browser.submit(path, { decision })).status).toBe(400);
    }
    expect((await bob.browser.submit(path, { decision: "approve", reason: "x".repeat(2_001) })).status).toBe(400);
    expect(await db.select().from(decisions)).toEqual([]);
  });

  it("counts each requirement's own approvers", async () => {
    const { db, signedIn, alice, bob } = await setUp();
    await signedIn("dora@example.com", ["security"]);
    const { approvalId } = await addHold(db, alice.person, {
      requirements: [
        { approvers: ["release"], approvals: 2, reason: "main is protected" },
        { approvers: ["security"], approvals: 1, reason: "secrets are held" },
      ],
    });
    await bob.browser.get(`/approvals/${approvalId}`);
    await bob.browser.submit(`/approvals/${approvalId}`, { decision: "approve", reason: "" });
    const { html } = await bob.browser.get(`/approvals/${approvalId}`);
    expect(html).toMatch(/main is protected.*1 of 2 approvals/s);
    expect(html).toMatch(/secrets are held.*0 of 1 approval/s);
    expect(html).toContain("You have decided on this push");
  });

  it("is not shown to who may not read the repository", async () => {
    const { db, signedIn, alice } = await setUp();
    const carol = await signedIn("carol@example.com");
    const { approvalId, pushId } = await addHold(db, alice.person, { push: { repository: "code/secret/app" } });
    for (const path of [`/approvals/${approvalId}`, `/pushes/${pushId}`, `/commits/${NEW}`]) {
      expect((await carol.browser.get(path)).status).toBe(404);
    }
    for (const path of ["/", "/approvals", "/pushes"]) {
      expect((await carol.browser.get(path)).html).not.toContain("code/secret/app");
    }
  });
});

describe("what outsiders write", () => {
  it("is shown escaped wherever it is shown", async () => {
    const { db, bob } = await setUp();
    const mallory = await addPerson(db, `${HOSTILE}@example.com`);
    const { approvalId, pushId } = await addHold(db, mallory, {
      push: hostilePush,
      requirements: [{ approvers: ["release", HOSTILE], approvals: 2, reason: HOSTILE }],
    });
    await db.insert(decisions).values({
      approvalId,
      principalId: mallory.id,
      decision: "deny",
      reason: HOSTILE,
      groups: [],
    });
    for (const path of [
      "/",
      "/approvals",
      `/approvals/${approvalId}`,
      "/pushes",
      `/pushes/${pushId}`,
      `/commits/${NEW}`,
      `/pushes?q=${encodeURIComponent(HOSTILE)}`,
    ]) {
      expectHarmless((await bob.browser.get(path)).html);
    }
    const wrong = await bob.browser.get(`/pushes?${encodeURIComponent(HOSTILE)}=1`);
    expect(wrong.html).toContain("&lt;script&gt;");
    expect(wrong.html).not.toMatch(/<script|\u202e/);
  });

  it("is shown escaped in transcripts", async () => {
    const { db, alice } = await setUp();
    const { id } = await addSession(db, alice.person, HOSTILE);
    for (const path of ["/", "/sessions", `/sessions/${id}`]) {
      const { html } = await alice.browser.get(path);
      expectHarmless(html);
      expect(html).toContain("&lt;img src=x onerror=y&gt;");
    }
  });
});

describe("the other pages", () => {
  it("lists page on, keeping the filters, and names a wrong one", async () => {
    const { db, alice } = await setUp();
    for (let index = 0; index < 55; index += 1) await addPush(db, alice.person, { commits: [] });
    const first = await alice.browser.get("/pushes?status=&user=alice%40example.com&q=");
    const [, next = ""] = /<a href="(\/pushes\?[^"]*cursor=[^"]*)"/.exec(first.html) ?? [];
    expect(next).toContain("user=alice%40example.com");
    const second = await alice.browser.get(next.replaceAll("&amp;", "&"));
    expect(second.html.match(/<a href="\/pushes\/[0-9a-f-]{36}"/g)).toHaveLength(5);
    expect(second.html).not.toContain("cursor=");
    const wrong = await alice.browser.get("/pushes?since=soon");
    expect(wrong.status).toBe(400);
    expect(wrong.html).toContain("&quot;since&quot; is not a time");
  });

  it("shows a session to its person and to auditors alone", async () => {
    const { db, signedIn, alice, bob } = await setUp();
    const auditor = await signedIn("audit@example.com", ["audit"]);
    const { id } = await addSession(db, alice.person, "what was said");
    for (const { browser } of [alice, auditor]) {
      const { html, status } = await browser.get(`/sessions/${id}`);
      expect(status).toBe(200);
      expect(html).toContain("what was said");
    }
    expect((await bob.browser.get(`/sessions/${id}`)).status).toBe(404);
    expect((await bob.browser.get("/sessions")).html).not.toContain("what was said");
  });

  it("shows a commit's lines with the sessions that they came from", async () => {
    const { db, alice, bob } = await setUp();
    const pushId = await addPush(db, alice.person, {
      hunks: [{ commit: NEW, path: "src/a.ts", startLine: 10, text: "one\ntwo\nthree" }],
    });
    const { id, exchangeId } = await addSession(db, alice.person, "the prompt");
    await db
      .insert(commitSessions)
      .values({ pushId, oid: NEW, sessionId: id, reason: "content", confidence: 0.83, exchangeIds: [exchangeId] });
    await db.insert(commitLines).values({
      pushId,
      oid: NEW,
      ordinal: 0,
      path: "src/a.ts",
      from: 11,
      to: 11,
      verdict: "ai",
      exchangeId,
      sessionId: id,
      score: 0.9,
    });
    const mine = (await alice.browser.get(`/commits/${NEW}`)).html;
    for (const part of ["src/a.ts", "83 %", "AI 90 %", `/sessions/${id}`, "the prompt"]) expect(mine).toContain(part);
    expect(mine).toMatch(/<tr class="ai run-start"><td class="n">11<\/td><td class="t">two/);
    expect(mine).toMatch(/<tr class="run-start"><td class="n">12<\/td><td class="t">three/);
    const theirs = (await bob.browser.get(`/commits/${NEW}`)).html;
    expect(theirs).toContain("somebody else&#39;s session");
    expect(theirs).not.toContain("the prompt");
    expect(theirs).not.toContain(`/sessions/${id}`);
  });

  it("says how to connect, with the connections that are open to the person", async () => {
    const connection = (name: string, allow: readonly string[], kind: "git" | "copilot"): [string, Connection] => [
      name,
      kind === "git"
        ? {
            name,
            url: "http://upstream.invalid/",
            credential: { kind: "none" },
            allow,
            kind,
            access: null,
            dumb: "refuse",
          }
        : {
            name,
            url: "http://upstream.invalid/",
            credential: { kind: "none" },
            allow,
            kind,
            proxyUrl: null,
            rules: DEFAULT_WIRE_RULES,
            policy: DEFAULT_MODEL_POLICY,
          },
    ];
    const { alice, bob } = await setUp({
      connections: new Map([connection("code", ["*"], "git"), connection("pilot", ["release"], "copilot")]),
    });
    const { html } = await bob.browser.get("/connect");
    expect(html).toContain("http://gateway.example/git/code/");
    expect(html).toContain("COPILOT_API_URL=http://gateway.example/copilot/pilot");
    expect(html).not.toContain("upstream.invalid");
    expect(html).toContain("npx sallyport login http://gateway.example<");
    expect(html).toContain('<a href="/tokens">make one</a>');
    expect(html).toContain("an operator makes those that may more");
    expect((await alice.browser.get("/connect")).html).not.toContain("/copilot/pilot");
  });

  it("says where the gateway's token goes when the person's own password is for the upstream", async () => {
    const shared = { url: "http://upstream.invalid/", credential: { kind: "passthrough" }, allow: ["*"] } as const;
    const { alice } = await setUp({
      connections: new Map<string, Connection>([
        ["github", { ...shared, name: "github", kind: "git", access: null, dumb: "refuse" }],
        [
          "pilot",
          {
            ...shared,
            name: "pilot",
            kind: "copilot",
            proxyUrl: null,
            rules: DEFAULT_WIRE_RULES,
            policy: DEFAULT_MODEL_POLICY,
          },
        ],
      ]),
    });
    const { html } = await alice.browser.get("/connect");
    expect(html).toContain("git config --global http.http://gateway.example/git/github/.extraHeader");
    expect(html).not.toContain("the password is your gateway token");
    expect(html).toContain("COPILOT_API_URL=http://gateway.example/u/gho_YOUR_TOKEN/copilot/pilot");
    expect(html).toContain("COPILOT_GITHUB_TOKEN=YOUR_OWN_GITHUB_TOKEN");
    expect(html).not.toContain("OPENAI_API_KEY");
  });
});
