import { describe, expect, it } from "vitest";
import { hashToken } from "../../../src/identity/tokens.ts";
import { copilotTokens, events } from "../../../src/store/schema.ts";
import { revokeToken } from "../../../src/store/tokens.ts";
import { COPILOT, GATEWAY, startGithubHost } from "../github-host.ts";

const ENDPOINTS = {
  api: `${GATEWAY}/copilot/copilot`,
  proxy: `${GATEWAY}/copilot/copilot`,
  telemetry: GATEWAY,
  "origin-tracker": GATEWAY,
};

describe("who somebody is", () => {
  it("is the same under both paths and both hosts, and different for two people", async () => {
    const host = await startGithubHost();
    const ana = await host.person("ana@example.com");
    const ben = await host.person("ben@example.com");
    const answers = [];
    for (const path of ["/user", "/api/v3/user"]) {
      for (const name of ["gateway.example", "api.gateway.example", "API.Gateway.Example:8443"]) {
        const answer = await host.api(path, ana.token, { host: name });
        expect(answer.status, `${name}${path}`).toBe(200);
        answers.push(await answer.text());
      }
    }
    expect(new Set(answers).size).toBe(1);
    const [mine, theirs] = [JSON.parse(answers[0] ?? ""), await (await host.api("/user", ben.token)).json()] as {
      id: number;
      login: string;
    }[];
    expect(Number.isSafeInteger(mine?.id)).toBe(true);
    expect(mine?.id).not.toBe(theirs?.id);
    expect(mine?.login).not.toBe(theirs?.login);
  });

  it("is told to a token for git as well, and to nobody without one", async () => {
    const host = await startGithubHost();
    const git = await host.person("git@example.com", ["eng"], ["git"]);
    expect((await host.api("/user", git.token)).status).toBe(200);
    expect((await host.api("/copilot_internal/user", git.token)).status).toBe(403);
    const without = await host.ask("/user");
    expect(without.status).toBe(401);
    expect(await without.json()).toMatchObject({ status: "401" });
    expect((await host.api("/user", "gho_nonsense")).status).toBe(401);
  });
});

describe("where Copilot is", () => {
  it("is this gateway, and restricted telemetry is off: on, the CLI would send prompts past the record", async () => {
    const host = await startGithubHost();
    const { token } = await host.person("ana@example.com");
    const user = await (await host.api("/copilot_internal/user", token)).json();
    expect(user).toMatchObject({ endpoints: ENDPOINTS, restricted_telemetry: false, chat_enabled: true });
  });

  it("is told with a short-lived token of its own, which is for Copilot alone", async () => {
    const host = await startGithubHost();
    const { token } = await host.person("ana@example.com");
    const answer = (await (await host.api("/copilot_internal/v2/token", token)).json()) as {
      token: string;
      expires_at: number;
      refresh_in: number;
    };
    expect(answer).toMatchObject({ endpoints: ENDPOINTS, refresh_in: 1_500, chat_enabled: true });
    expect(answer.token).toMatch(/^tid=[\da-f-]{36};exp=\d+;[^:]*:gho_[0-9A-Za-z]{49}$/);
    expect(answer.expires_at).toBe(Math.floor(host.now().getTime() / 1_000) + 1_800);

    const sources = { headers: { authorization: `Bearer ${answer.token}` } };
    const known = await host.identity.identify(sources, "copilot", host.now());
    expect(known).toMatchObject({ ok: true, value: { principal: { email: "ana@example.com", groups: ["eng"] } } });
    for (const audience of ["git", "api"] as const) {
      expect(await host.identity.identify(sources, audience, host.now())).toMatchObject({
        ok: false,
        error: { reason: "wrong_audience" },
      });
    }
    expect((await host.db.select().from(copilotTokens)).map(({ hash }) => hash)).toEqual([
      hashToken(answer.token.split(":")[1] ?? ""),
    ]);
    host.wait(1_800);
    expect(await host.identity.identify(sources, "copilot", host.now())).toMatchObject({ ok: false });
  });

  it("is closed to a short-lived token when the one behind it is revoked", async () => {
    const host = await startGithubHost();
    const { token } = await host.person("ana@example.com");
    const answer = (await (await host.api("/copilot_internal/v2/token", token)).json()) as { token: string };
    await revokeToken(host.db, "test", host.now());
    const sources = { headers: { authorization: `Bearer ${answer.token}` } };
    expect(await host.identity.identify(sources, "copilot", host.now())).toMatchObject({
      ok: false,
      error: { reason: "revoked" },
    });
  });

  it("is not told to who may not use it: clients show why, and where to ask", async () => {
    const host = await startGithubHost();
    const { token } = await host.person("guest@example.com", ["guests"]);
    for (const path of ["/copilot_internal/user", "/copilot_internal/v2/token"]) {
      const answer = await host.api(path, token);
      expect(answer.status).toBe(403);
      expect(await answer.json()).toMatchObject({
        message: expect.stringContaining("guest@example.com may not use the Copilot connection copilot") as string,
        error_details: {
          title: expect.any(String) as string,
          url: `${GATEWAY}/connect`,
          notification_id: expect.any(String) as string,
        },
      });
    }
  });

  it("is nowhere when the configuration names no connection", async () => {
    const host = await startGithubHost({ connection: null });
    const { token } = await host.person("ana@example.com");
    const answer = await host.api("/copilot_internal/v2/token", token);
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ message: expect.stringContaining("github.connection") as string });
  });

  it("is never made of the Host header", async () => {
    const host = await startGithubHost({ connection: { ...COPILOT, allow: ["*"] } });
    const { token } = await host.person("ana@example.com");
    const answer = await host.api("/copilot_internal/user", token, { host: "api.evil.example" });
    expect(await answer.text()).not.toContain("evil");
  });
});

describe("what clients ask besides", () => {
  it("GET /telemetry has the shape of an experiment's configuration: anything else makes the language server ask without end", async () => {
    const host = await startGithubHost();
    const answer = await host.ask("/telemetry");
    expect(await answer.json()).toMatchObject({
      Features: [],
      Flights: {},
      Configs: [{ Id: "vscode", Parameters: {} }],
    });
  });

  it("POST /telemetry that says nobody's name is taken and dropped, and on record by the minute", async () => {
    const host = await startGithubHost();
    const post = () => host.ask("/telemetry", { method: "POST", body: "words ".repeat(50_000) });
    for (let count = 0; count < 3; count += 1) expect((await post()).status).toBe(200);
    host.wait(61);
    await post();
    const rows = await host.db.select({ kind: events.kind, data: events.data }).from(events).orderBy(events.id);
    expect(rows).toEqual([
      { kind: "telemetry.dropped", data: { requests: 1, bytes: 300_000 } },
      { kind: "telemetry.dropped", data: { requests: 3, bytes: 900_000 } },
    ]);
  });

  it("answers settings that there are none of with a plain 404, and never with a page", async () => {
    const host = await startGithubHost();
    const { token } = await host.person("ana@example.com");
    const paths = ["managed_settings", "team_customizations", "content_exclusion"].map(
      (name) => `/copilot_internal/${name}`,
    );
    for (const path of [...paths, "/mcp/readonly", "/api/v3/copilot_internal/other"]) {
      const answer = await host.api(path, token);
      expect(answer.status, path).toBe(404);
      expect(await answer.json()).toMatchObject({ message: "Not Found" });
    }
    // The CLI drops the path of its address here, and now and then its token.
    const bare = await host.ask("/mcp/readonly", { method: "POST", body: "{}" });
    expect([bare.status, await bare.json()]).toMatchObject([404, { message: "Not Found" }]);
    expect(await (await host.api("/embeddings/models", token)).json()).toEqual({ models: [] });
    expect(await (await host.api("/api/v3/meta", token)).json()).toMatchObject({
      installed_version: expect.any(String) as string,
    });
  });

  it("shows no page under the API's host, and leads to the public one where a person has to act", async () => {
    const host = await startGithubHost();
    const at = (path: string) => host.ask(path, { headers: { host: "api.gateway.example", accept: "text/html" } });
    expect((await at("/login/device")).headers.get("location")).toBe(`${GATEWAY}/login/device`);
    for (const path of ["/", "/sessions", "/connect", "/approvals"]) expect((await at(path)).status, path).toBe(404);
  });
});
