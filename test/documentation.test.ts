/** What the documentation points at is there: pages and their headings, files, scripts, commands, settings. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../src/config/package-root.ts";
import { configJsonSchema } from "../src/config/schema.ts";
import { run } from "./cli/command-io.ts";

const root = packageRoot();
const below = async (folder: string): Promise<string[]> =>
  (await readdir(path.join(root, folder), { recursive: true }))
    .filter((name) => name.endsWith(".md"))
    .map((name) => path.join(folder, name));
const names = ["README.md", "CHANGELOG.md", "SECURITY.md", "test/git-suite/README.md", ...(await below("docs"))];
const texts = new Map(
  await Promise.all(names.map(async (name) => [name, await readFile(path.join(root, name), "utf8")] as const)),
);

/** As GitHub makes a heading's anchor. */
const anchorOf = (heading: string): string =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");
const anchorsIn = (text: string): string[] =>
  [...text.replace(/^```[^]*?^```$/gm, "").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchorOf(heading));

/** What stands in it as code, in a line or in a block. */
const codeIn = (text: string): string[] => [
  ...[...text.matchAll(/^```\w*\n([^]*?)^```$/gm)].flatMap(([, block = ""]) => block.split("\n")),
  ...[...text.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code),
];

describe.each([...texts])("%s", (name, text) => {
  test("leads to pages and headings that are there", () => {
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !/^(?:https?|mailto):/.test(target))
      .filter((target) => {
        const [page = "", heading] = target.split("#");
        const file = page === "" ? name : path.join(path.dirname(name), page);
        if (!existsSync(path.join(root, file))) return true;
        return heading !== undefined && !anchorsIn(texts.get(file) ?? "").includes(heading);
      });
    expect(broken).toEqual([]);
  });

  test("names files and scripts that are there", async () => {
    const { scripts } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const missing = codeIn(text).filter((code) => {
      const [, script] = /^npm run (?:--silent )?([\w:-]+)/.exec(code) ?? [];
      if (script !== undefined) return !(script in scripts);
      const [file] = /^(?:src|test|docs|bench|fixtures|policies|deploy|drizzle|bin)\/[\w./-]+$/.exec(code) ?? [];
      return file !== undefined && !existsSync(path.join(root, file));
    });
    expect(missing).toEqual([]);
  });

  test("shows commands that there are", async () => {
    const commands = new Set(codeIn(text).flatMap((code) => /^npx sallyport ([a-z]+)/.exec(code)?.[1] ?? []));
    for (const command of commands) {
      const told = await run([command, "--help"]);
      expect([told.code, told.out], command).toEqual([0, expect.stringContaining(`sallyport ${command}`)]);
    }
  });
});

test("every setting is described", () => {
  const settings = new Set<string>();
  const collect = (schema: unknown): void => {
    if (typeof schema !== "object" || schema === null) return;
    const { properties } = schema as { readonly properties?: object };
    for (const setting of Object.keys(properties ?? {})) settings.add(setting);
    for (const part of Object.values(schema)) collect(part);
  };
  collect(configJsonSchema());
  const described = [...texts].filter(([name]) => name.startsWith("docs/")).map(([, text]) => text);
  expect(settings.size).toBeGreaterThan(100);
  const missing = [...settings].filter(
    (setting) => !described.some((text) => new RegExp(`(?<!\\w)${setting}(?!\\w)`).test(text)),
  );
  expect(missing).toEqual([]);
});
