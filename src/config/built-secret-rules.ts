/**
 * The gateway's own rules as `npm run build` has read them, in `dist/secret-rules.json`: to read them from YAML and to derive where each
 * is looked for takes over a second, and every start and every test would pay for it.
 *
 * They count for exactly the rule files and exactly the code that they were made of. Whoever has changed either gets what the files say, a
 * second later.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { GatewayError } from "../errors.ts";
import type { Rule } from "../secrets/rule.ts";
import { parseRules } from "../secrets/rules.ts";
import { packageRoot } from "./package-root.ts";

interface BuiltRules {
  /** As of `stampOf`: of the code in `dist/`, and of the sources, which tests run. */
  readonly stamps: readonly string[];
  /** By the rule file's name. */
  readonly rules: Readonly<Record<string, readonly Rule[]>>;
}

export interface RuleFile {
  readonly name: string;
  readonly text: string;
}

const builtFile = (): string => join(packageRoot(), "dist", "secret-rules.json");
const ownCode = (): string => join(dirname(dirname(fileURLToPath(import.meta.url))), "secrets");
/** What decides how rules are read and what is derived from them. */
const isReader = (name: string): boolean => /^(?:rule|regex|char-set|checksum)[a-z-]*\.[jt]s$/.test(name);

/** @returns the rules of each file, by its name; null where they are not of these files and this code. */
export async function readBuiltRules(files: readonly RuleFile[]): Promise<BuiltRules["rules"] | null> {
  const text = await readFile(builtFile(), "utf8").catch(() => null);
  if (text === null) return null;
  const stamp = await stampOf(ownCode(), files);
  // Cut short by a full disk, say: the rule files are there.
  const built = parseBuilt(text);
  return built?.stamps.includes(stamp) === true ? built.rules : null;
}

function parseBuilt(text: string): BuiltRules | null {
  try {
    return JSON.parse(text) as BuiltRules;
  } catch {
    return null;
  }
}

/** @throws GatewayError `config_invalid` for a mistake in a rule file */
export async function writeBuiltRules(files: readonly RuleFile[]): Promise<void> {
  const rules: Record<string, readonly Rule[]> = {};
  for (const { name, text } of files) {
    const parsed = parseRules(text);
    if (!parsed.ok) {
      const { line, message } = parsed.error[0]!;
      throw new GatewayError("config_invalid", `${name}:${line}: ${message}`);
    }
    rules[name] = parsed.value;
  }
  const root = packageRoot();
  const stamps = await Promise.all(
    [join(root, "dist", "src", "secrets"), join(root, "src", "secrets")].map((code) => stampOf(code, files)),
  );
  const built: BuiltRules = { stamps, rules };
  const part = `${builtFile()}.${process.pid}`;
  await mkdir(dirname(part), { recursive: true });
  await writeFile(part, JSON.stringify(built));
  await rename(part, builtFile());
}

/** @param code the directory of `secrets/`, compiled or not. */
async function stampOf(code: string, files: readonly RuleFile[]): Promise<string> {
  const names = (await readdir(code).catch(() => [])).filter(isReader).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(code, name), "utf8")));
  const hash = createHash("sha256");
  for (const part of [...names, ...texts, ...files.flatMap(({ name, text }) => [name, text])]) {
    hash.update(`${part.length}:`).update(part);
  }
  return hash.digest("hex");
}
