import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { DEFAULT_MODEL_POLICY, DEFAULT_WIRE_RULES, type CopilotConnection } from "../../src/model/connection.ts";
import { clientSetups, gitSignIns } from "../../src/web/client-setup.ts";

const connection: CopilotConnection = {
  kind: "copilot",
  name: "copilot",
  url: "https://copilot.example/",
  proxyUrl: null,
  credential: { kind: "none" },
  allow: [],
  rules: DEFAULT_WIRE_RULES,
  policy: DEFAULT_MODEL_POLICY,
};
const setups = (
  changes: Partial<CopilotConnection> = {},
  isSteered = true,
  publicUrl = "https://gateway.example.com",
) =>
  clientSetups({
    publicUrl,
    connection: { ...connection, ...changes },
    isSteered,
    token: "gho_YOUR_TOKEN",
    ownToken: "YOUR_OWN_GITHUB_TOKEN",
  });

describe("what to set in each client", () => {
  it("stands in docs/clients.md, word for word", async () => {
    const text = await readFile(new URL("../../docs/clients.md", import.meta.url), "utf8");
    const blocks = [...text.matchAll(/^```(?:sh|json|toml)\n([^]*?)\n```$/gm)].map(([, block]) => block);
    const all = [...setups(), ...setups({ credential: { kind: "passthrough" } }).slice(0, 1)];
    for (const setup of all) expect(blocks, setup.client).toContain(setup.text);
    expect(all).toHaveLength(blocks.length);
    for (const { client } of setups()) expect(text).toContain(`### ${client}\n`);
  });

  it("stands for git in docs/identity.md, word for word", async () => {
    const text = await readFile(new URL("../../docs/identity.md", import.meta.url), "utf8");
    const [login, ...others] = gitSignIns("https://gateway.example.com");
    expect(text).toContain("**`sallyport login https://gateway.example.com`**");
    expect(login?.text).toContain("sallyport login https://gateway.example.com");
    const blocks = [...text.matchAll(/^```sh\n([^]*?)\n```$/gm)].map(([, block]) => block);
    expect(others.map((setup) => setup.text)).toEqual(blocks);
  });

  it("offers a sign-in at the gateway only where it leads to this connection, and says that it needs TLS", () => {
    const logins = (list: ReturnType<typeof setups>) => list.filter(({ text }) => text.includes("login --host"));
    expect(logins(setups({}, false))).toEqual([]);
    expect(logins(setups())[0]?.note).not.toContain("https, which");
    expect(logins(setups({}, true, "http://127.0.0.1:8080"))[0]?.note).toContain("https, which it is not now");
    expect(logins(setups({ credential: { kind: "passthrough" } }))).toEqual([]);
  });

  it("tells of another vendor's API what its own clients need", () => {
    const base = "https://gateway.example.com/copilot/copilot";
    const [codex, sdk, ...others] = setups({ kind: "openai" }).map(({ text }) => text);
    // OpenAI's own paths begin with it, and clients put theirs behind the address.
    expect(codex).toContain(`base_url = "${base}/v1"\n`);
    // The token goes to nobody else: Codex does not heed addresses of the environment.
    expect(codex).not.toContain("OPENAI_API_KEY");
    expect(sdk).toBe(`export OPENAI_BASE_URL=${base}/v1\nexport OPENAI_API_KEY=gho_YOUR_TOKEN`);
    expect(others).toEqual([]);
    expect(setups({ kind: "openai", credential: { kind: "passthrough" } }).map(({ text }) => text)[1]).toBe(
      "export OPENAI_BASE_URL=https://gateway.example.com/u/gho_YOUR_TOKEN/copilot/copilot/v1\nexport OPENAI_API_KEY=YOUR_OWN_GITHUB_TOKEN",
    );
    expect(setups({ kind: "anthropic", credential: { kind: "passthrough" } }).map(({ text }) => text)).toEqual([
      "export ANTHROPIC_BASE_URL=https://gateway.example.com/u/gho_YOUR_TOKEN/copilot/copilot\nexport ANTHROPIC_API_KEY=YOUR_OWN_GITHUB_TOKEN",
    ]);
  });
});
