import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { format } from "prettier";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { packageRoot } from "../../src/config/package-root.ts";
import { configJsonSchema } from "../../src/config/schema.ts";

const shipped = join(packageRoot(), "policies", "config.schema.json");

it("ships the JSON Schema that the gateway itself goes by (vitest -u writes it)", async () => {
  const text = await format(JSON.stringify(configJsonSchema()), { parser: "json", printWidth: 120 });
  await expect(text).toMatchFileSnapshot(shipped);
});

it("ships a default that the schema accepts, and that names the schema to editors", async () => {
  const text = await readFile(join(packageRoot(), "policies", "default.yaml"), "utf8");
  expect(text.split("\n", 1)[0]).toBe("# yaml-language-server: $schema=./config.schema.json");
  const schema = z.fromJSONSchema(JSON.parse(await readFile(shipped, "utf8")) as z.core.JSONSchema.JSONSchema);
  expect(schema.safeParse(parse(text)).error).toBeUndefined();
  expect(schema.safeParse({ ...(parse(text) as object), lisen: "x" }).success).toBe(false);
});
