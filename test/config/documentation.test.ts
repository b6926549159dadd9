import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageRoot } from "../../src/config/package-root.ts";
import { oidcSchema } from "../../src/config/identity-schema.ts";
import { CHECK_NAMES } from "../../src/policy/check-names.ts";
import { mistakes } from "./files.ts";

const page = (name: string): Promise<string> => readFile(join(packageRoot(), "docs", name), "utf8");
const examplesIn = (markdown: string): string[] =>
  [...markdown.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, yaml = ""]) => yaml);
const text = await page("configuration.md");
const identity = await page("identity.md");
const examples = [...examplesIn(text), ...examplesIn(await page("recording.md"))];

/** What the examples take for granted: a connection, secrets in the environment, a file of signers. */
const CONNECTION = "connections: { code: { kind: git, url: https://git.example.com/ } }\n";
const ENV = { GIT_TOKEN: "a", COPILOT_TOKEN: "b", SLACK_TOKEN: "c", HOOK_SECRET: "d", OIDC_SECRET: "e" };
const SIGNERS = "ana@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDMyIGJ5dGVzIHRoYXQgc3RhbmQgZm9yIGEgcG9pbnQu\n";

describe("docs/configuration.md", () => {
  it("has examples", () => {
    expect(examples.length).toBeGreaterThan(5);
  });

  it.each(examples)("shows what works: %s", async (yaml) => {
    const rules = "secrets: { rules: [./rules/ours.yaml] }\n";
    const whole = [/^secrets:/m.test(yaml) ? "" : rules, /^connections:/m.test(yaml) ? "" : CONNECTION, yaml].join("");
    const files = { "config.yaml": whole, allowed_signers: SIGNERS, "our-rules.yaml": "rules: []\n" };
    expect(await mistakes({ files, env: ENV })).toEqual([]);
  });

  it("names every check", () => {
    for (const name of CHECK_NAMES) expect(text).toContain(`\`${name}\``);
  });
});

describe("docs/identity.md", () => {
  it.each(examplesIn(identity))("shows what works: %s", async (yaml) => {
    const files = { "config.yaml": `secrets: { rules: [./rules/ours.yaml] }\n${yaml}` };
    expect(await mistakes({ files, env: ENV })).toEqual([]);
  });

  it("names every key of a provider", () => {
    for (const key of Object.keys(oidcSchema.shape)) expect(identity).toContain(`\`${key}\``);
  });
});
