/**
 * Names and messages that mean something to whatever shows them: to a terminal, to Slack, to a browser, to the log. One push is full of
 * all of it; each place is looked at.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import { objectMaker } from "../harness/objects.ts";
import { plantedAwsKey } from "../harness/planted.ts";
import { rawPushBytes } from "../harness/raw-push.ts";
import { sharedWorld, type Person } from "../harness/world.ts";

const world = sharedWorld({
  slack: true,
  pushes: [{ repositories: ["code/**"], protect: [{ refs: ["refs/heads/held*"], approvers: ["leads"], wait: "0s" }] }],
});

const ESC = "\u001b";
const TERMINAL = `${ESC}[2J${ESC}[31mred${ESC}]0;title\u0007\u009b1A\u0008\r`;
const BIDI = "\u202egnp.exe\u2066\u200b";
const SLACK = "<!channel> <@U123> <https://evil.example|Approve> *bold* `code` @here &lt;";
const HTML = `<script>alert("x")</script><img src=x onerror='alert(1)'>"'--></style>`;
const ALL = `${TERMINAL}${BIDI} ${SLACK} ${HTML}`;

// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

let ana: Person;
let lee: Person;
let refused = "";
let held = "";
let approval = "";
let push = "";
let commit = "";

beforeAll(async () => {
  ana = await world().person("ana@example.com", ["eng"]);
  lee = await world().person("lee@example.com", ["leads"]);
  const copy = await ana.clone("team/app");
  const make = objectMaker(copy);
  const main = await copy.must("rev-parse", "HEAD");
  // Everything that a path can hold, NUL and slash apart.
  const name = ALL.replaceAll("/", "|");
  const who = `${ALL.replace(/[<>\n]/g, "{")} <ana${BIDI}"'&@example.com> 1700000000 +0000`;
  const parts = { parents: [main], author: who, committer: who, message: `${ALL}\n\n${ALL}\n` };

  const secret = await make.rawTree([["100644", name, await make.blob(`key = ${plantedAwsKey}\n`)]]);
  const bad = await make.commit({ ...parts, tree: secret });
  refused = (await copy.git("push", "origin", `${bad}:refs/heads/topic`)).stderr;

  commit = await make.commit({ ...parts, tree: await make.rawTree([["100644", name, await make.blob(`${ALL}\n`)]]) });
  const branch = `refs/heads/held-<b>&"'\`${BIDI.replace(".", "")}`;
  held = (await copy.git("push", "origin", `${commit}:${branch}`)).stderr;
  approval = /\/approvals\/([0-9a-f-]{36})/.exec(held)?.[1] ?? "";
  const { items } = await lee.api("/api/v1/pushes?status=held");
  push = String(items[0]?.["id"]);
});

test("git's terminal", () => {
  expect(refused).toContain("aws-access-key");
  expect(refused).toContain("\\x1b[2J");
  expect(refused).toContain("\\u202e");
  expect(held).toContain("Approve it here:");
  for (const line of `${refused}\n${held}`.split("\n").filter((line) => line.startsWith("remote:"))) {
    expect(line).not.toMatch(UNSAFE);
  }
});

test("Slack", async () => {
  await expect.poll(() => world().slack.posts.length).toBe(1);
  const [post] = world().slack.posts;
  const text = JSON.stringify([post?.text, post?.blocks]);
  expect(text).toContain("held-&lt;b&gt;&amp;");
  expect(text).not.toMatch(/<!channel|<@U123|<https:\/\/evil|<script|<b>/);
  expect(text).not.toMatch(/@here/);
  expect(JSON.parse(text).flat(9).map(String).join("")).not.toMatch(UNSAFE);
});

describe("pages", () => {
  const cookies = (response: Response) =>
    response.headers
      .getSetCookie()
      .map((cookie) => cookie.split(";", 1)[0])
      .join("; ");
  let session = "";

  beforeAll(async () => {
    const page = await fetch(`${world().url}/`);
    const form = /name="form" value="([^"]+)"/.exec(await page.text())?.[1] ?? "";
    const done = await fetch(`${world().url}/sign-in`, {
      method: "POST",
      redirect: "manual",
      headers: { cookie: cookies(page), "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ form, token: lee.token, return: "/" }),
    });
    session = cookies(done);
  });

  test.each([
    "/",
    "/approvals",
    "/approvals/ID",
    "/pushes",
    "/pushes/ID",
    "/commits/ID",
    `/pushes?q=${encodeURIComponent(HTML)}`,
  ])("%s", async (path) => {
    const id = path.startsWith("/approvals") ? approval : path.startsWith("/commits") ? commit : push;
    const response = await fetch(`${world().url}${path.replace("ID", id)}`, { headers: { cookie: session } });
    const page = await response.text();
    expect(response.status).toBe(200);
    expect(page).toMatch(/held-&lt;b&gt;|&lt;script&gt;/);
    expect(page).not.toMatch(/<script|<img|<b>|onerror='alert|<!channel>/);
    expect(page).not.toMatch(UNSAFE);
    expect(response.headers.get("content-security-policy")).toMatch(/default-src 'none'/);
  });
});

test("the API: JSON, and nothing that a browser takes for a page", async () => {
  for (const path of [`/api/v1/pushes/${push}`, `/api/v1/approvals/${approval}`, `/api/v1/commits/${commit}`]) {
    const response = await lee.fetch(path);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await response.json()).toBeTypeOf("object");
  }
});

test("a reason to approve is text, too", async () => {
  expect((await lee.decide(approval, "deny", ALL)).status).toBe(200);
});

test("the log: one line of JSON each, without a control byte", async () => {
  const body = Buffer.concat([encodePktLine(`${ALL}\0 report-status`), FLUSH_PKT]);
  const answer = await rawPushBytes(world(), ana, "team/app", body, { "user-agent": SLACK });
  for (const unsafe of [ESC, "\u202e"]) expect(answer.text).not.toContain(unsafe);
  await rawPushBytes(world(), ana, `team/${encodeURIComponent(BIDI + HTML)}`, body);
  expect(world().logText()).toContain("x1b[2J");
  const lines = world().logText().trimEnd().split("\n");
  for (const line of lines) {
    expect(JSON.parse(line)).toBeTypeOf("object");
    expect(JSON.stringify(JSON.parse(line))).not.toMatch(/\\u001b|\\u009b/);
    expect(line).not.toMatch(UNSAFE);
  }
});
