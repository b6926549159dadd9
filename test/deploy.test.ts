/** There is no container engine in the tests, so what the container files say is held against what is really there. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { packageRoot } from "../src/config/package-root.ts";
import { loadConfig } from "../src/config.ts";

const root = packageRoot();
const dockerfile = await readFile(path.join(root, "deploy/Dockerfile"), "utf8");
const compose = parse(await readFile(path.join(root, "deploy/compose.yaml"), "utf8")) as {
  readonly services: Readonly<Record<string, { readonly environment: Readonly<Record<string, string>> }>>;
};

/** Made by the build, in a stage of its own. */
const BUILT = ["/app/node_modules", "/app/dist"];

test("everything that the container file copies is there", () => {
  const copies = [...dockerfile.matchAll(/^COPY (?:--from=build )?(.+) \S+$/gm)].flatMap(([, sources]) =>
    (sources ?? "").split(" "),
  );
  expect(copies.length).toBeGreaterThan(8);
  expect(copies.filter((source) => !BUILT.includes(source) && !existsSync(path.join(root, source)))).toEqual([]);
});

test("the image runs as an ordinary user, and starts what npm start starts", async () => {
  const scripts = (
    JSON.parse(await readFile(path.join(root, "package.json"), "utf8")) as { scripts: Record<string, string> }
  ).scripts;
  expect(scripts["start"]).toBe("node --max-semi-space-size=4 bin/sallyport.js serve");
  expect(dockerfile).toMatch(
    /^ENTRYPOINT \["tini", "--", "node", "--max-semi-space-size=4", "bin\/sallyport.js"\]\nCMD \["serve"\]$/m,
  );
  const [shebang] = (await readFile(path.join(root, "bin/sallyport.js"), "utf8")).split("\n");
  expect(shebang).toBe("#!/usr/bin/env -S node --max-semi-space-size=4");
  expect(dockerfile.lastIndexOf("\nUSER node\n")).toBeGreaterThan(dockerfile.lastIndexOf("\nRUN "));
});

test("the compose file hands the gateway variables that it knows, and its configuration is right", async () => {
  const environment = compose.services["gateway"]?.environment ?? {};
  expect(Object.keys(environment).sort()).toEqual(["DATABASE_URL", "SALLYPORT_CONFIG"]);
  const databaseUrl = environment["DATABASE_URL"]?.replace(/\$\{[^}]*\}/, "password");
  const loaded = await loadConfig({
    paths: [path.join(root, "deploy/config")],
    env: { DATABASE_URL: databaseUrl },
    cwd: root,
  });
  expect(loaded).toMatchObject({ ok: true, value: { databaseUrl } });
});
