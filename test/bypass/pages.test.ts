/**
 * What outsiders try with the pages: a model, a tool's output, a colleague's branch or a client's header can hold any text, and
 * whoever reads it may be an auditor or an approver.
 */
import { describe, expect, test } from "vitest";
import { createAgent } from "../harness/agent.ts";
import { chromiumPath, sharedChromium, signInBy } from "../harness/chromium.ts";
import { sharedWorld, type Person } from "../harness/world.ts";

const world = sharedWorld({ auditors: ["audit"] });
const visit = sharedChromium();

const PAYLOADS = [
  `<script>window.pwned = 1</script>`,
  `"><img src=x onerror="window.pwned=1">`,
  `</title></style></script><svg onload=window.pwned=1>`,
  `javascript:window.pwned=1`,
  `' autofocus onfocus='window.pwned=1`,
  `<base href="https://evil.example/"><meta http-equiv=refresh content="0;url=https://evil.example">`,
  `<form action="https://evil.example"><input name=token></form>`,
  `⟦<img src=x onerror=window.pwned=1>:00000000⟧ ⟦"onclick=window.pwned=1 x:deadbeef⟧ ⟦a:deadbeef⟧`,
  "```<script>window.pwned=1</script>\n</pre><script>window.pwned=1</script>\n```",
  "`</code><img src=x onerror=window.pwned=1>`",
  "<current_datetime><script>window.pwned=1</script></current_datetime>",
  `{{constructor.constructor("window.pwned=1")()}} \${window.pwned=1}`,
  "*** Begin Patch\n*** Update File: <img src=x onerror=window.pwned=1>\n-</table><script>window.pwned=1</script>\n+x\n*** End Patch",
];
const ALL = PAYLOADS.join("\n");

async function cookieOf(person: Person): Promise<string> {
  const { url } = world();
  const first = await fetch(`${url}/`);
  const cookie = (response: Response): string =>
    response.headers
      .getSetCookie()
      .map((line) => line.split(";", 1)[0] ?? "")
      .filter((pair) => !pair.endsWith("="))
      .join("; ");
  const form = /action="\/sign-in".*?name="form" value="([^"]+)"/s.exec(await first.text())?.[1] ?? "";
  const done = await fetch(`${url}/sign-in`, {
    method: "POST",
    redirect: "manual",
    headers: {
      cookie: cookie(first),
      "content-type": "application/x-www-form-urlencoded",
      "sec-fetch-site": "same-origin",
    },
    body: new URLSearchParams({ form, return: "/", token: person.token }).toString(),
  });
  return cookie(done);
}

/** A session in which everything that can be hostile is. */
async function hostileSession(person: Person): Promise<string> {
  const agent = createAgent(world(), person, {
    model: `<img src=x onerror=window.pwned=1>`,
    headers: {
      "user-agent": `copilot/<script>window.pwned=1</script>`,
      "copilot-integration-id": `"><script>window.pwned=1</script>`,
      "vscode-sessionid": `w-${person.email.length}`,
    },
    system: ALL,
  });
  await agent.step({
    prompt: ALL,
    answer: {
      text: ALL,
      reasoning: ALL,
      toolCalls: [
        ...PAYLOADS.map((payload) => ({
          name: payload,
          arguments: { path: payload, old_str: payload, new_str: `${payload}!` },
        })),
        {
          name: "edit",
          arguments: { path: `<img src=x onerror=window.pwned=1>`, old_str: ALL, new_str: `${ALL}\n${ALL}` },
        },
        { name: "bash", arguments: { command: ALL, description: ALL } },
        { name: "apply_patch", arguments: { input: PAYLOADS.at(-1) ?? "" } },
      ],
    },
  });
  await agent.step({ results: [ALL, ALL], answer: { text: "<b>done</b>", cutAfter: 1 } });
  const { items } = await person.api("/api/v1/sessions");
  return String(items[0]?.["id"]);
}

describe("hostile words in a session", () => {
  test("stay words in every page that shows them", async () => {
    const mallory = await world().person(`mallory+${ALL.length}@example.com`, ["eng"]);
    const session = await hostileSession(mallory);
    const cookie = await cookieOf(mallory);
    for (const target of [
      "/",
      "/sessions",
      `/sessions/${session}`,
      `/sessions?q=${encodeURIComponent(ALL.slice(0, 400))}`,
    ]) {
      const response = await fetch(world().url + target, { headers: { cookie } });
      expect(response.status).toBe(200);
      const html = await response.text();
      // Of elements there are ours alone, and none of them has a handler or a style of its own.
      const tags = [...html.matchAll(/<(script|img|base|meta|form|iframe|object|svg)\b([^>]*)>/g)].map(([tag]) => tag);
      for (const tag of tags) expect(tag).not.toMatch(/pwned|evil|\son\w+=|http-equiv/);
      expect(html.replace(/"[^"]*"/g, '""')).not.toMatch(/<[a-z]+[^>]*\s(?:on\w+|style|srcdoc)=/i);
      expect(html).not.toMatch(/\shref="(?!\/|#)/);
    }
  });

  test("cannot make a filter or a link of the page into something else", async () => {
    const mallory = await world().person("filters@example.com", ["eng"]);
    const cookie = await cookieOf(mallory);
    for (const name of ["q", "client", "model", "repository", "since", "user", "cursor", 'x"><script>']) {
      const target = `/sessions?${encodeURIComponent(name)}=${encodeURIComponent(`"><script>window.pwned=1</script>`)}`;
      const response = await fetch(world().url + target, { headers: { cookie } });
      expect([200, 400]).toContain(response.status);
      expect(await response.text()).not.toContain("<script>");
    }
  });

  test.for(chromiumPath === null ? [] : [0, 0.3, 0.7, 1])(
    "run nothing in a browser, also while it is replayed: at %f of it",
    async (share) => {
      const mallory = await world().person(`browser-${share}@example.com`, ["eng"]);
      const session = await hostileSession(mallory);
      const { page, complaints } = await (await visit()).open();
      await signInBy(page, world().url, mallory.token);
      page.on("dialog", (dialog) => void dialog.dismiss());
      await page.goto(`${world().url}/sessions/${session}`);
      const slider = page.getByRole("slider", { name: "Moment of the session" });
      const end = Number(await slider.getAttribute("max"));
      await slider.fill(String(Math.round((end * share) / 100) * 100));
      await slider.fill(String(end));
      expect(await page.locator(".transcript").innerText()).toContain("<script>window.pwned = 1</script>");
      expect(await page.evaluate("window.pwned")).toBeUndefined();
      expect(new URL(page.url()).origin).toBe(world().url);
      expect(complaints).toEqual([]);
    },
  );

  test.skipIf(chromiumPath === null)("would run nothing even where one of them got through unescaped", async () => {
    const mallory = await world().person("policy@example.com", ["eng"]);
    const session = await hostileSession(mallory);
    const { page, complaints } = await (await visit()).open();
    await signInBy(page, world().url, mallory.token);
    await page.goto(`${world().url}/sessions/${session}`);
    // As if escaping had failed: put into the page by the browser's own hand.
    await page.evaluate(`{
      const script = document.createElement("script");
      script.textContent = "window.pwned = 1";
      document.body.append(script);
      const image = document.createElement("div");
      image.innerHTML = '<img src=x onerror="window.pwned = 1"><iframe src="https://evil.example/"></iframe>';
      document.body.append(image);
      const external = document.createElement("script");
      external.src = "/sessions";
      document.body.append(external);
    }`);
    await expect
      .poll(() => complaints.filter((text) => /Content Security Policy/.test(text)).length)
      .toBeGreaterThanOrEqual(3);
    expect(await page.evaluate("window.pwned")).toBeUndefined();
  });
});

describe("what is not one's own", () => {
  test("an exchange of somebody else is not shown under one's own session's address", async () => {
    const [ana, eve] = [
      await world().person("ana-raw@example.com", ["eng"]),
      await world().person("eve@example.com", ["eng"]),
    ];
    for (const person of [ana, eve]) {
      await createAgent(world(), person).step({ prompt: `the words of ${person.email}`, answer: { text: "ok" } });
    }
    const first = async (person: Person, list: string) =>
      String((await person.api(`/api/v1/${list}`)).items[0]?.["id"]);
    const cookie = await cookieOf(eve);
    const status = async (session: string, exchange: string): Promise<number> =>
      (await fetch(`${world().url}/sessions/${session}/raw/${exchange}`, { headers: { cookie } })).status;
    const [own, theirs] = [await first(eve, "sessions"), await first(ana, "sessions")];
    const [ownExchange, theirExchange] = [await first(eve, "exchanges"), await first(ana, "exchanges")];
    expect(await status(own, ownExchange)).toBe(200);
    expect(await status(own, theirExchange)).toBe(404);
    expect(await status(theirs, theirExchange)).toBe(404);
    expect(await status(theirs, ownExchange)).toBe(404);
    for (const nonsense of ["..", "%2e%2e", "x", "00000000-0000-0000-0000-000000000000", "%00"]) {
      expect(await status(own, nonsense)).toBe(404);
    }
  });

  test("the choices of the filters and the counts tell nothing of other people", async () => {
    const [ana, eve] = [
      await world().person("ana-choices@example.com", ["eng"]),
      await world().person("eve-choices@example.com", ["eng"]),
    ];
    const secretModel = "a-model-that-only-ana-uses";
    await createAgent(world(), ana, { model: secretModel }).step({ prompt: "hello", answer: { text: "ok" } });
    const cookie = await cookieOf(eve);
    for (const target of [
      "/",
      "/sessions",
      `/sessions?user=${ana.email}`,
      `/sessions?q=hello`,
      `/sessions?model=${secretModel}`,
    ]) {
      const html = await (await fetch(world().url + target, { headers: { cookie } })).text();
      expect(html).not.toMatch(/href="\/sessions\/[0-9a-f-]{36}"/);
      if (!target.includes(secretModel)) expect(html).not.toContain(secretModel);
      expect(html).not.toMatch(/\b[1-9]\d* sessions?\b/);
    }
  });

  test("plain text is never taken for a page, whatever it holds", async () => {
    const mallory = await world().person("plain@example.com", ["eng"]);
    const session = await hostileSession(mallory);
    const { items } = await mallory.api("/api/v1/exchanges");
    const response = await fetch(`${world().url}/sessions/${session}/raw/${String(items[0]?.["id"])}`, {
      headers: { cookie: await cookieOf(mallory), accept: "text/html" },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("content-security-policy")).toContain("sandbox");
    expect(await response.text()).toContain("window.pwned");
  });
});

describe("very much of it", () => {
  test("a message of megabytes, thousands of tags and of marks do not make a page of megabytes", async () => {
    const mallory = await world().person("large@example.com", ["eng"]);
    const agent = createAgent(world(), mallory);
    const many = ["<a_b>", "<a_b ", "```\n", "`", "⟦", "⟦a:0000000", "\u202e", "*** Update File: x\n"].map((piece) =>
      piece.repeat(40_000),
    );
    // In one piece each: thousands of deltas would only take the stand-in's time.
    const whole = (value: unknown): readonly string[] => [JSON.stringify(value)];
    const [before, after] = ["a\nb\n".repeat(20_000), "b\na\n".repeat(20_000)];
    const status = await agent.step({
      prompt: `Begin.\n${many.join("\n")}\n${"x".repeat(2_000_000)}`,
      answer: {
        text: [...many, "y".repeat(1_000_000)],
        toolCalls: [
          { name: "edit", arguments: whole({ path: "a", old_str: before, new_str: after }) },
          ...many.map((text) => ({ name: "bash", arguments: whole({ command: text }) })),
        ],
      },
    });
    expect(status).toBe(200);
    const { items } = await mallory.api("/api/v1/sessions");
    const session = String(items[0]?.["id"]);
    const response = await fetch(`${world().url}/sessions/${session}`, {
      headers: { cookie: await cookieOf(mallory) },
    });
    const html = await response.text();
    expect(response.status).toBe(200);
    expect(html.length).toBeLessThan(4_000_000);
    expect(html).toContain("All of it, as plain text");
  });

  test("a page or a place that is none shows the first", async () => {
    const ana = await world().person("pages@example.com", ["eng"]);
    await createAgent(world(), ana).step({ prompt: "the only one", answer: { text: "ok" } });
    const cookie = await cookieOf(ana);
    const { items } = await ana.api("/api/v1/sessions");
    for (const query of [
      "page=0",
      "page=-1",
      "page=9999999",
      "page=1e9",
      "page=%00",
      "at=x",
      "at=%00",
      "at=' or 1=1",
      "page=2&page=3",
    ]) {
      const response = await fetch(`${world().url}/sessions/${String(items[0]?.["id"])}?${query}`, {
        headers: { cookie },
      });
      expect(response.status).toBe(200);
      expect(await response.text()).toContain("the only one");
    }
  });
});
