import { describe, expect, test } from "vitest";
import { isCopilotTarget, parseCopilotTarget } from "../../src/web/copilot.ts";
import { ANA, send, startGateway } from "../copilot/gateway.ts";

const errorOf = (text: string) => (JSON.parse(text) as { error: { message: string; code: string } }).error;

describe("request targets", () => {
  test("are taken apart as they were sent", () => {
    expect(parseCopilotTarget("/copilot/main/v1/messages?a=1&b=%2F..?")).toEqual({
      ok: true,
      value: { token: null, connection: "main", path: "/v1/messages", query: "?a=1&b=%2F..?" },
    });
    expect(parseCopilotTarget("/u/gho_x/copilot/main/models")).toEqual({
      ok: true,
      value: { token: "gho_x", connection: "main", path: "/models", query: "" },
    });
    expect(parseCopilotTarget("/copilot/main")).toMatchObject({ ok: true, value: { path: "/" } });
  });

  test.each([
    "/copilot/main/../admin",
    "/copilot/main/%2e%2E/admin",
    "/copilot/main/./models",
    "/copilot/main//models",
    "/copilot/main/models/",
    "/copilot/main/a%2fb",
    "/copilot/main/a%5cb",
    "/copilot/main/a\\b",
    "/copilot/main/a%00b",
    "/copilot/main/a%zz",
    "/copilot/main/a%ff",
    "/copilot/main/ä",
    "/copilot/main/models#x",
    "/copilot/",
    "/copilot",
    "/u/copilot/main/models",
    "/u//copilot/main/models",
  ])("%s is refused", (target) => {
    expect(parseCopilotTarget(target)).toMatchObject({ ok: false, error: { status: 400 } });
  });

  test("which ones are this handler's", () => {
    for (const target of ["/copilot/a/models", "/u/t/copilot/a/models", "/copilot?x", "/copilot"]) {
      expect(isCopilotTarget(target)).toBe(true);
    }
    for (const target of ["/git/a", "/copilots/a", "/u/t/git/copilot", "/u/a/b/copilot/x", "/"]) {
      expect(isCopilotTarget(target)).toBe(false);
    }
  });
});

describe("who may", () => {
  test("no token, or an unknown one: 401 that says how to get one", async () => {
    const gateway = await startGateway();
    for (const token of ["", "gho_unknown"]) {
      const reply = await send(`${gateway.api}/chat/completions`, { token, body: { model: "m", messages: [] } });
      expect(reply.status).toBe(401);
      expect(reply.headers["www-authenticate"]).toBe('Bearer realm="Sallyport"');
      expect(errorOf(reply.text)).toMatchObject({
        code: "unauthenticated",
        message: expect.stringContaining("token create"),
      });
      expect(reply.text).not.toContain("gho_unknown");
    }
    expect(gateway.upstream.requests).toEqual([]);
  });

  test("a person outside of the connection's groups: 403; a connection that is not there: 404", async () => {
    const gateway = await startGateway();
    const closed = await send(`${gateway.url}/copilot/closed/models`);
    expect([closed.status, errorOf(closed.text).code]).toEqual([403, "forbidden"]);
    const missing = await send(`${gateway.url}/copilot/%1b/models`.replace("%1b", "none"));
    expect([missing.status, errorOf(missing.text).code]).toEqual([404, "not_found"]);
    // Without a token nobody learns which connections there are.
    expect((await send(`${gateway.url}/copilot/none/models`, { token: "" })).status).toBe(401);
    expect(gateway.upstream.requests).toEqual([]);
  });

  test("paths that could mean something else upstream do not get there", async () => {
    const gateway = await startGateway();
    for (const path of ["/copilot/copilot/..%2fadmin", "/copilot/copilot/../admin", "/copilot/copilot//models"]) {
      const reply = await send(gateway.url, { path, token: ANA });
      expect(reply.status).toBe(400);
    }
    expect(gateway.upstream.requests).toEqual([]);
  });
});
