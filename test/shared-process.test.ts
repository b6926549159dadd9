/**
 * Files of tests run one after another in the same process (vitest.config.ts, `isolate: false`): what one of them changes for the whole
 * process, the next one would find.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageRoot } from "../src/config/package-root.ts";

const CHANGES: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["modules", /\bvi\s*\.\s*(?:do)?(?:un)?mock\s*\(/i],
  ["modules", /\bvi\s*\.\s*resetModules\b/],
  ["globals", /\bvi\s*\.\s*(?:stubGlobal|stubEnv|useFakeTimers|setSystemTime)\b/],
  ["globals", /\bvi\s*\.\s*spyOn\s*\(\s*(?:process|globalThis|global|console|Date|Math|crypto|performance)\b/],
  ["globals", /\b(?:globalThis|global)\s*(?:\.\s*\w+|\[[^\]]+\])\s*=(?!=)/],
  ["the environment", /\bprocess\s*\.\s*env\s*(?:\.\s*\w+|\[[^\]]+\])\s*(?:[?|&+]{0,2}=)(?!=)/],
  ["the environment", /\bdelete\s+process\s*\.\s*env\b/],
  ["the environment", /\bObject\s*\.\s*assign\s*\(\s*process\s*\.\s*env\b/],
  ["the working directory", /\bprocess\s*\.\s*chdir\s*\(/],
  ["the mask of new files", /\bprocess\s*\.\s*umask\s*\(\s*[^)\s]/],
  ["how fast-check goes about it", /\bconfigureGlobal\s*\(/],
];

const changesIn = (text: string): string[] => CHANGES.filter(([, pattern]) => pattern.test(text)).map(([what]) => what);

describe("tests that share a process", () => {
  it("change nothing in it", async () => {
    const names = (await readdir(join(packageRoot(), "test"), { recursive: true })).filter((name) =>
      /\.tsx?$/.test(name),
    );
    expect(names.length).toBeGreaterThan(200);
    const found = await Promise.all(
      names
        .filter((name) => name !== "shared-process.test.ts" && name !== join("harness", "setup.ts"))
        .map(async (name) =>
          changesIn(await readFile(join(packageRoot(), "test", name), "utf8")).map((what) => `${name} changes ${what}`),
        ),
    );
    expect(found.flat()).toEqual([]);
  });

  it.each([
    'vi.mock("node:fs");',
    'vi.doMock("../src/a.ts", () => ({}));',
    "vi.resetModules();",
    "vi.useFakeTimers();",
    'vi.stubEnv("A", "b");',
    'vi.stubGlobal("fetch", null);',
    'vi.spyOn(console, "log");',
    'vi.spyOn(globalThis, "fetch");',
    "globalThis.fetch = other;",
    'process.env["A"] = "b";',
    'process.env.A ??= "b";',
    'delete process.env["A"];',
    'Object.assign(process.env, { A: "b" });',
    'process.chdir("/");',
    "process.umask(0o77);",
    "fc.configureGlobal({ seed: 2 });",
  ])("would be found out: %s", (text) => {
    expect(changesIn(text)).toHaveLength(1);
  });

  it.each([
    'const path = process.env["PATH"] ?? "";',
    'if (process.env["A"] === "b") return;',
    'const spied = vi.spyOn(gateway.db, "transaction");',
    "process.umask();",
    "const cwd = process.cwd();",
    "const send = vi.fn<() => void>();",
  ])("may stand there: %s", (text) => {
    expect(changesIn(text)).toEqual([]);
  });
});
