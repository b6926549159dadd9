/** A person consents to a client's sign-in in a real browser, with and without script; its policy lets the answer through. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { chromiumPath, sharedChromium, signInBy } from "../harness/chromium.ts";
import { sharedWorld } from "../harness/world.ts";
import { pkce } from "../web/github-host.ts";

const CLI = "Ov23ctDVkRmgkPke0Mmm";

describe.skipIf(chromiumPath === null)("in Chromium", () => {
  const visitor = sharedChromium();
  const world = sharedWorld();

  const post = async (path: string, fields: Record<string, string>) => {
    const headers = { accept: "application/json" };
    const answer = await fetch(world().url + path, { method: "POST", headers, body: new URLSearchParams(fields) });
    return (await answer.json()) as Record<string, string>;
  };

  test.each([true, false])("types a code, reads who asks, and clicks (script: %s)", async (javaScript) => {
    const ana = await world().person("ana@example.com", ["eng"]);
    const { page, complaints } = await (await visitor({ javaScript })).open();
    await signInBy(page, world().url, ana.token);
    const begun = await post("/login/device/code", { client_id: CLI, scope: "read:user" });
    await page.goto(begun["verification_uri"] ?? "");
    await page.getByLabel("Code").fill((begun["user_code"] ?? "").toLowerCase());
    await page.getByRole("button", { name: "Continue" }).click();
    await expect.poll(() => page.getByRole("heading", { name: "Sign in Copilot CLI?" }).count()).toBe(1);
    expect(await page.textContent("main")).toContain(begun["user_code"]);
    expect(await page.textContent("main")).toContain("127.0.0.1");
    await page.getByRole("button", { name: "Sign in Copilot CLI as me" }).click();
    await expect.poll(() => page.getByRole("heading", { name: "Signed in" }).count()).toBe(1);
    expect(complaints).toEqual([]);
    const answer = await post("/login/oauth/access_token", {
      client_id: CLI,
      device_code: begun["device_code"] ?? "",
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
    });
    expect(answer["access_token"]).toMatch(/^gho_/);
  });

  test("is sent on to the client on this machine: the page's own policy allows that one address", async () => {
    const client = createServer((_request, response) => response.end("The client has it."));
    client.listen(0, "127.0.0.1");
    await once(client, "listening");
    onTestFinished(() => {
      client.closeAllConnections();
      client.close();
    });
    const redirect = `http://127.0.0.1:${(client.address() as AddressInfo).port}/callback`;
    const ana = await world().person("ana@example.com", ["eng"]);
    const { page } = await (await visitor()).open();
    await signInBy(page, world().url, ana.token);
    const { verifier, challenge } = pkce();
    const query = new URLSearchParams({
      client_id: CLI,
      redirect_uri: redirect,
      state: "s",
      code_challenge: challenge,
      code_challenge_method: "S256",
    });
    await page.goto(`${world().url}/login/oauth/authorize?${query.toString()}`);
    await page.getByRole("button", { name: "Sign in Copilot CLI as me" }).click();
    await expect.poll(() => page.textContent("body")).toBe("The client has it.");
    const code = new URL(page.url()).searchParams.get("code") ?? "";
    const answer = await post("/login/oauth/access_token", { client_id: CLI, code, code_verifier: verifier });
    expect(answer["access_token"]).toMatch(/^gho_/);
  });
});
