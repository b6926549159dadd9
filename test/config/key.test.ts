import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openConfig } from "../../src/config.ts";
import { openKey } from "../../src/config/key.ts";
import { directoryWith, loaded, yaml } from "./files.ts";

it("is made once, for its owner alone, and is the same for all who start together", async () => {
  const dataDir = join(await directoryWith({}), "data");
  const keys = await Promise.all(Array.from({ length: 8 }, () => openKey(dataDir)));
  expect(new Set(keys.map((key) => Buffer.from(key).toString("hex"))).size).toBe(1);
  expect(keys[0]).toHaveLength(32);
  expect((await stat(join(dataDir, "secret.key"))).mode & 0o777).toBe(0o600);
  expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
  expect(await readdir(dataDir)).toEqual(["secret.key"]);
  expect(await openKey(dataDir)).toEqual(keys[0]);
});

it("is never replaced, nor used when others may read it", async () => {
  const dataDir = await directoryWith({ "secret.key": "damaged\n" });
  await chmod(join(dataDir, "secret.key"), 0o644);
  await expect(openKey(dataDir)).rejects.toMatchObject({
    code: "config_invalid",
    message: expect.stringContaining("chmod 600"),
  });
  await chmod(join(dataDir, "secret.key"), 0o600);
  await expect(openKey(dataDir)).rejects.toMatchObject({
    code: "config_invalid",
    message: expect.stringContaining("holds no key"),
  });
  expect(await readFile(join(dataDir, "secret.key"), "utf8")).toBe("damaged\n");
});

it("fails with a reason where it cannot be written", async () => {
  const dataDir = await directoryWith({ file: "" });
  await expect(openKey(join(dataDir, "file", "data"))).rejects.toMatchObject({ code: "storage_failed" });
});

it("is not made where one is configured", async () => {
  const config = await loaded({ ...yaml("keys: { fingerprint: { env: KEY } }"), env: { KEY: "0f".repeat(32) } });
  const { key } = await openConfig(config);
  expect(key).toEqual(new Uint8Array(32).fill(15));
  await expect(stat(config.dataDir)).rejects.toMatchObject({ code: "ENOENT" });
});

it("is made in the data directory otherwise", async () => {
  const config = await loaded(yaml(""));
  await writeFile(join(config.cwd, "marker"), "");
  const opened = await openConfig(config);
  expect(Buffer.from(opened.key).toString("hex")).toBe(
    (await readFile(join(config.dataDir, "secret.key"), "utf8")).trim(),
  );
});
