import { describe, expect, it } from "vitest";
import { DEFAULT_MODEL_POLICY, DEFAULT_WIRE_RULES } from "../../src/model/connection.ts";
import { renderSetup } from "../../src/cli/setup.ts";
import { directoryWith } from "../config/files.ts";
import { run } from "./command-io.ts";

describe("sallyport setup", () => {
  it("tells what to set for the shipped default", async () => {
    const { code, out } = await run(["setup"], {
      cwd: await directoryWith({}),
      env: { SALLYPORT_PUBLIC_URL: "https://gate.example.com/" },
    });
    expect(code).toBe(0);
    expect(out).toContain(
      'git config --global url."https://gate.example.com/git/github/".insteadOf https://github.com/',
    );
    expect(out).toContain('http.https://gate.example.com/git/github/.extraHeader "Sallyport-Token: $SALLYPORT_TOKEN"');
    expect(out).toContain("COPILOT_API_URL=https://gate.example.com/u/$SALLYPORT_TOKEN/copilot/copilot");
  });

  it("lets the gateway token stand for the upstream's where the gateway holds the credential", () => {
    const credential = { kind: "bearer", token: "upstream-secret" } as const;
    const out = renderSetup(
      "http://127.0.0.1:8080",
      [
        {
          kind: "git",
          name: "code",
          url: "https://git.example.com/",
          credential,
          allow: [],
          access: null,
          dumb: "refuse",
        },
        {
          kind: "copilot",
          name: "ai",
          url: "https://api.example.com/",
          credential,
          allow: [],
          proxyUrl: null,
          rules: DEFAULT_WIRE_RULES,
          policy: DEFAULT_MODEL_POLICY,
        },
      ],
      "ai",
    );
    expect(out).toContain("git remote set-url origin http://127.0.0.1:8080/git/code/<path>.git");
    expect(out).not.toContain("extraHeader");
    expect(out).toContain("COPILOT_API_URL=http://127.0.0.1:8080/copilot/ai");
    expect(out).toContain("COPILOT_GITHUB_TOKEN=$SALLYPORT_TOKEN");
    expect(out).toContain("GH_COPILOT_API_URL=http://127.0.0.1:8080/\n");
    expect(out).toContain("copilot login --host http://127.0.0.1:8080\n");
    expect(out).toContain("Needs the gateway to be reached over https");
    expect(out).not.toContain("upstream-secret");
  });

  it("says so where there is nothing to point at", () => {
    expect(renderSetup("http://x", [])).toContain("There is no connection in the configuration yet");
    expect(renderSetup("http://x", [])).toContain("sallyport token create");
  });

  it("sends people to their sign-in where there is a provider", () => {
    const out = renderSetup("https://gate.example.com", [], null, true);
    expect(out).toContain("npx sallyport login https://gate.example.com\n");
    expect(out).not.toContain("token create");
  });
});
