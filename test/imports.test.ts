/**
 * The house's plan (docs/, "The house"): imports point down only, rooms never import each other, and what is called pure is. Read from
 * the import lines themselves, types included: a type that two rooms need belongs in `model/`.
 */
import { readdir, readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { describe, expect, it } from "vitest";
import { packageRoot } from "../src/config/package-root.ts";

const ROOMS = ["git", "copilot", "secrets", "policy", "attribution", "identity", "store", "blobs", "notify", "workers"];
const PURE = ["policy", "secrets", "attribution"];

/** `errors.ts` is the ground. What lies directly in `src/` is the roof, with the command line and the configuration. */
function levelOf(part: string): number {
  if (part === "errors.ts") return -1;
  if (part === "model") return 0;
  if (ROOMS.includes(part)) return 1;
  if (part === "flows") return 2;
  if (part === "web" || part === "jobs") return 3;
  return 4;
}

/** `src/git/pkt-line.ts` → `git`; `src/main.ts` → `main.ts`. */
const partOf = (path: string): string => path.split("/")[1] ?? "";

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)["']([^"'\n]+)["']/g;

const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");

const importsOf = (text: string): string[] =>
  [...withoutComments(text).matchAll(IMPORT)].map((match) => match[1] ?? "");

/** Hashing, checksums and text are as pure as arithmetic. */
const PURE_MODULES = ["node:crypto", "node:buffer", "node:util", "node:string_decoder", "node:zlib"];
const IMPURE =
  /\bprocess\.|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\brandomBytes\b|\brandomUUID\b|\bperformance\.|\bset(?:Timeout|Interval|Immediate)\b|\bfetch\(/;

function violationsOf(path: string, text: string): string[] {
  const part = partOf(path);
  const found: string[] = [];
  for (const specifier of importsOf(text)) {
    if (!specifier.startsWith(".")) {
      if (PURE.includes(part) && specifier.startsWith("node:") && !PURE_MODULES.includes(specifier)) {
        found.push(`${path}: ${part}/ is pure and imports ${specifier}`);
      }
      continue;
    }
    const target = posix.join(posix.dirname(path), specifier);
    if (!target.startsWith("src/")) {
      if (levelOf(part) < 4) found.push(`${path}: imports ${target}, which lies outside of src/`);
      continue;
    }
    const other = partOf(target);
    if (other === part) continue;
    if (levelOf(other) >= levelOf(part) && levelOf(part) < 4) found.push(`${path}: ${part} may not import ${other}`);
  }
  const code = withoutComments(text);
  if (PURE.includes(part)) {
    const impure = IMPURE.exec(code);
    if (impure !== null) found.push(`${path}: ${part}/ is pure and uses ${impure[0]}`);
  }
  if (/\bprocess\.(?:env|argv)\b/.test(code) && path !== "src/main.ts" && path !== "src/config.ts") {
    found.push(`${path}: only main.ts and config.ts read process.env and process.argv`);
  }
  return found;
}

/** Stand-ins say what a server outside would: they may know our types, never run our code. */
function fixtureViolationsOf(path: string, text: string): string[] {
  const values = withoutComments(text).replace(/\bimport\s+type\b[^;]*;/g, "");
  return importsOf(values)
    .filter((specifier) => specifier.startsWith(".") && posix.join(posix.dirname(path), specifier).startsWith("src/"))
    .map((specifier) => `${path}: a fixture may not run ${specifier}`);
}

async function sources(directory: string): Promise<{ readonly path: string; readonly text: string }[]> {
  const entries = await readdir(join(packageRoot(), directory), { recursive: true });
  const paths = entries
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => `${directory}/${name.replaceAll("\\", "/")}`);
  return Promise.all(
    paths.sort().map(async (path) => ({ path, text: await readFile(join(packageRoot(), path), "utf8") })),
  );
}

describe("the house", () => {
  it("has imports that point down only, and pure rooms that are pure", async () => {
    const files = await sources("src");
    expect(files.length).toBeGreaterThan(50);
    expect(files.flatMap(({ path, text }) => violationsOf(path, text))).toEqual([]);
  });

  it("has fixtures that do not run what they are used to test", async () => {
    expect((await sources("fixtures")).flatMap(({ path, text }) => fixtureViolationsOf(path, text))).toEqual([]);
  });
});

describe("the check itself", () => {
  it.each([
    ["src/git/a.ts", 'import { x } from "../store/b.ts";'],
    ["src/git/a.ts", 'import type { X } from "../secrets/b.ts";'],
    ["src/git/a.ts", 'export { x } from "../flows/b.ts";'],
    ["src/git/deep/a.ts", 'import { x } from "../../web/b.ts";'],
    ["src/git/a.ts", 'const x = await import("../store/b.ts");'],
    ["src/git/a.ts", 'import "../store/b.ts";'],
    ["src/git/a.ts", 'import {\n  x,\n  y,\n} from "../store/b.ts";'],
    ["src/git/a.ts", 'import { config } from "../config.ts";'],
    ["src/git/a.ts", 'import { x } from "../../fixtures/b.ts";'],
    ["src/flows/a.ts", 'import { x } from "../web/b.ts";'],
    ["src/web/a.ts", 'import { x } from "../jobs/b.ts";'],
    ["src/model/a.ts", 'import { x } from "../git/b.ts";'],
    ["src/errors.ts", 'import { x } from "./model/b.ts";'],
    ["src/policy/a.ts", 'import { readFile } from "node:fs/promises";'],
    ["src/policy/a.ts", "const now = Date.now();"],
    ["src/secrets/a.ts", "const now = new Date();"],
    ["src/attribution/a.ts", 'const level = process.env["X"];'],
    ["src/cli/a.ts", "const args = process.argv;"],
  ])("refuses in %s: %s", (path, text) => {
    expect(violationsOf(path, text)).not.toEqual([]);
  });

  it.each([
    [
      "src/git/a.ts",
      'import { x } from "./b.ts";\nimport { ok } from "../errors.ts";\nimport type { Y } from "../model/y.ts";',
    ],
    ["src/git/a.ts", 'import { readFile } from "node:fs/promises";\nimport { z } from "zod";'],
    ["src/git/a.ts", '// import { x } from "../store/b.ts";\n/* from "../store/c.ts" */'],
    ["src/flows/a.ts", 'import { x } from "../git/b.ts";\nimport { y } from "../store/b.ts";'],
    ["src/web/a.ts", 'import { x } from "../flows/b.ts";\nimport { y } from "../store/b.ts";'],
    ["src/gateway.ts", 'import { x } from "./web/b.ts";\nimport type { Config } from "./config.ts";'],
    ["src/main.ts", "run(process.argv, process.env);"],
    ["src/policy/a.ts", 'import { createHash } from "node:crypto";\nconst at = new Date(now);'],
  ])("lets pass in %s: %s", (path, text) => {
    expect(violationsOf(path, text)).toEqual([]);
  });

  it("knows types from values in fixtures", () => {
    const path = "fixtures/deep/a.ts";
    expect(fixtureViolationsOf(path, 'import type { X } from "../../src/model/x.ts";')).toEqual([]);
    expect(fixtureViolationsOf(path, 'import { x } from "../../src/model/x.ts";')).toHaveLength(1);
  });
});
