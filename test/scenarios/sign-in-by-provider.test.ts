/** People sign in at a real identity provider; everything else follows from who it says they are. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startOidcProvider } from "../harness/oidc-provider.ts";
import { WebBrowser } from "../harness/web-browser.ts";
import { startWorld, type World } from "../harness/world.ts";

let provider: Awaited<ReturnType<typeof startOidcProvider>>;
let world: World;
beforeAll(async () => {
  provider = await startOidcProvider({
    accounts: {
      ana: { email: "ana@example.com", email_verified: true, groups: ["eng", "release"] },
      bob: { email: "bob@example.com", email_verified: false, groups: ["eng"] },
    },
  });
  world = await startWorld({ provider });
});
afterAll(async () => {
  await world.close();
  await provider.close();
});

describe("a browser", () => {
  test("comes back from the provider signed in, at the page that it came from", async () => {
    const browser = new WebBrowser();
    const asked = await browser.open(`${world.url}/pushes?status=held`);
    expect(asked.html).toContain("Sign in with localhost");
    const [, link = ""] = /href="(\/sign-in\/provider[^"]*)"/.exec(asked.html) ?? [];
    await browser.open(new URL(link.replaceAll("&amp;", "&"), world.url));
    const back = await browser.submit("/interaction/", { account: "ana" });
    expect(back.url.href).toBe(`${world.url}/pushes?status=held`);
    expect(back.status).toBe(200);
    expect(back.html).toContain("ana@example.com");
  });

  test("is told to make tokens by itself: no operator does where there is a provider", async () => {
    const browser = new WebBrowser();
    const page = await browser.signIn(world.url, "ana", "/connect");
    expect(page.html).toContain('<a href="/tokens">make one</a>');
    expect(page.html).not.toMatch(/operator|token create/);
    await browser.open(`${world.url}/tokens`);
    const made = await browser.submit("/tokens", { name: "laptop", for: "git", expires: "30d" });
    expect(made.html).toMatch(/<pre>gho_\w{49}<\/pre>/);
  });
});
