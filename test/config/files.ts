import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { loadConfig, type LoadedConfig } from "../../src/config.ts";
import { formatMistake } from "../../src/config/mistake.ts";

/** A directory with these files in it, gone when the test is. */
export async function directoryWith(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "sallyport-config-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  return directory;
}

export interface Given {
  readonly files: Readonly<Record<string, string>>;
  readonly paths?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly readsTls?: boolean;
}

/** Rules of their own, since the built-in ones are another room's and large. */
export const RULES = { "rules/ours.yaml": "rules: []\n" };

const load = async ({ files, paths = ["config.yaml"], env = {}, readsTls = false }: Given) => {
  const cwd = await directoryWith({ ...RULES, ...files });
  return { cwd, result: await loadConfig({ paths, env, cwd, readsTls }) };
};

export async function loaded(given: Given): Promise<LoadedConfig & { readonly cwd: string }> {
  const { cwd, result } = await load(given);
  if (!result.ok) throw new Error(result.error.map(formatMistake).join("\n"));
  return { ...result.value, cwd };
}

/** Every mistake as it is printed, the temporary directory taken out. */
export async function mistakes(given: Given): Promise<string[]> {
  const { cwd, result } = await load(given);
  return result.ok ? [] : result.error.map((mistake) => formatMistake(mistake).replaceAll(`${cwd}/`, ""));
}

/** One file, without the built-in rules. */
export const yaml = (text: string): Given => ({
  files: { "config.yaml": `secrets: { rules: [./rules/ours.yaml] }\n${text}` },
});
