import { describe, expect, it } from "vitest";
import { loaded, mistakes, yaml } from "./files.ts";

const connection = (name: string, more = "") =>
  `  ${name}: { kind: copilot, url: https://c.example/, allow: ["*"]${more} }\n`;
const CODE = "  code: { kind: git, url: https://g.example/ }\n";
const OWN = "  other: { kind: copilot, url: https://c.example/, credential: passthrough }\n";

describe("github:", () => {
  it("leads to the only connection that takes the gateway's token", async () => {
    const config = await loaded(yaml(`connections:\n${CODE}${connection("copilot")}${OWN}`));
    expect(config.github.connection).toBe("copilot");
    expect(config.github.tokenMs).toBe(90 * 86_400_000);
    expect(config.github.clients.get("Ov23ctDVkRmgkPke0Mmm")).toMatchObject({
      name: "Copilot CLI",
      audiences: ["copilot"],
    });
  });

  it("leads nowhere by itself where there are several, or none", async () => {
    const two = `connections:\n${connection("a")}${connection("b")}`;
    expect((await loaded(yaml(two))).github.connection).toBeNull();
    expect((await loaded(yaml(`${two}github: { connection: b }\n`))).github.connection).toBe("b");
    expect((await loaded(yaml(`connections:\n${CODE}`))).github.connection).toBeNull();
  });

  it("adds clients, and changes what a known one may have", async () => {
    const text = `github:
  tokens: 12h
  clients:
    - { id: ours, name: Our editor, for: [copilot, git], redirects: ["https://editor.example/back"] }
    - { id: 01ab8ac9400c4e429b23, name: VS Code, for: [copilot, git] }
`;
    const { github } = await loaded(yaml(text));
    expect(github.tokenMs).toBe(12 * 3_600_000);
    expect(github.clients.get("ours")?.redirects).toEqual(["https://editor.example/back"]);
    expect(github.clients.get("01ab8ac9400c4e429b23")).toMatchObject({ audiences: ["copilot", "git"] });
  });

  it("names what is wrong with it", async () => {
    const text = `connections:\n${CODE}${connection("copilot")}${OWN}`;
    const told = async (github: string) => (await mistakes(yaml(`${text}github: ${github}\n`))).join("\n");
    expect(await told("{ connection: copilto }")).toContain("there is no connection copilto; did you mean copilot?");
    expect(await told("{ connection: code }")).toContain("code is no Copilot connection");
    expect(await told("{ connection: other }")).toContain("other is passthrough");
    expect(await told("{ clients: [{ id: a, name: A, for: [api] }] }")).toContain("github.clients[0].for[0]");
    expect(await told("{ clients: [{ id: a, name: A, for: [git] }, { id: a, name: B, for: [git] }] }")).toContain(
      "stands there twice",
    );
    for (const redirect of ["javascript:alert(1)", "data:text/html,x", "/back", "https://a.example/#x"]) {
      const clients = `{ clients: [{ id: a, name: A, for: [git], redirects: ["${redirect}"] }] }`;
      expect(await told(clients), redirect).toContain("github.clients[0].redirects[0]");
    }
  });
});
