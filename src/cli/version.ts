import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../config/package-root.ts";

/** This installation's, from its `package.json`. */
export async function readVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(packageRoot(), "package.json"), "utf8")) as { version: string };
  return version;
}
