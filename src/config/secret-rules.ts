/** The files of secret rules that the configuration names, read but not yet parsed, unless that was done at the build: `secrets/` does that. */
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { findExtendedPath } from "../secrets/gitleaks-toml.ts";
import type { Rule } from "../secrets/rule.ts";
import { readBuiltRules, type RuleFile } from "./built-secret-rules.ts";
import type { ConfigDocument } from "./document.ts";
import { readProblem } from "./files.ts";
import type { ConfigMistake } from "./mistake.ts";
import { packageRoot } from "./package-root.ts";

/** One rule file. */
export interface SecretRuleSource extends RuleFile {
  /** `builtin/<file>`, or the path as the configuration has it. */
  readonly name: string;
  /** YAML, or TOML where the name says so. */
  readonly text: string;
  /** What the text says, where it was read at the build. */
  readonly rules?: readonly Rule[];
  /** The file that a TOML file extends. */
  readonly base?: SecretRuleSource;
}

const builtinDirectory = (): string => join(packageRoot(), "policies", "secrets");

/** Its rules know a secret by the name of a variable only. The earlier rule wins, and one that knows the vendor should. */
const generalRules = "builtin.yaml";

/** The gateway's own rules, in the order of their files' names, the general ones last. */
export async function readBuiltinRules(): Promise<readonly SecretRuleSource[]> {
  const files = await readBuiltinFiles();
  const built = await readBuiltRules(files);
  return files.map((file) => {
    const rules = built?.[file.name];
    return rules === undefined ? file : { ...file, rules };
  });
}

export async function readBuiltinFiles(): Promise<readonly RuleFile[]> {
  const directory = builtinDirectory();
  const found = (await readdir(directory)).filter((name) => name.endsWith(".yaml")).sort();
  const names = [...found.filter((name) => name !== generalRules), ...found.filter((name) => name === generalRules)];
  return Promise.all(
    names.map(async (name) => ({ name: `builtin/${name}`, text: await readFile(join(directory, name), "utf8") })),
  );
}

/** As many files as may extend one another; gitleaks stops there too. */
const deepestExtension = 2;

/**
 * Reads one file, and those that it extends: gitleaks files name one by its path, here relative to the file that says so.
 * @throws what `readFile` throws
 */
export async function readRuleFile(name: string, path: string, depth = 0): Promise<SecretRuleSource> {
  const text = await readFile(path, "utf8");
  const extended = /\.toml$/i.test(path) && depth < deepestExtension ? findExtendedPath(text) : null;
  if (extended === null) return { name, text };
  return { name, text, base: await readRuleFile(extended, resolve(dirname(path), extended), depth + 1) };
}

/** @param rules `secrets.rules` as configured: `builtin` and paths */
export async function readSecretRules(
  document: ConfigDocument,
  rules: readonly string[],
): Promise<{ readonly sources: readonly SecretRuleSource[]; readonly mistakes: readonly ConfigMistake[] }> {
  const sources: SecretRuleSource[] = [];
  const mistakes: ConfigMistake[] = [];
  for (const [index, rule] of rules.entries()) {
    const path = ["secrets", "rules", index];
    if (rules.indexOf(rule) !== index) {
      mistakes.push(document.mistake(path, "these rules are listed twice; take one out"));
    } else if (rule === "builtin") {
      const builtin = await readBuiltinRules().catch(() => []);
      sources.push(...builtin);
      if (builtin.length === 0) mistakes.push(missingBuiltin());
    } else if (!/\.(?:ya?ml|toml)$/i.test(basename(rule))) {
      mistakes.push(
        document.mistake(path, "expected builtin, or the path of a file with rules: .yaml, or .toml for gitleaks's"),
      );
    } else {
      try {
        const base = dirname(document.fileOf(path)?.path ?? ".");
        sources.push(await readRuleFile(rule, resolve(base, rule)));
      } catch (error) {
        mistakes.push(document.mistake(path, `this file of rules cannot be used: ${readProblem(error)}`));
      }
    }
  }
  return { sources, mistakes };
}

/** Going on without them would let every secret through and say nothing. */
const missingBuiltin = (): ConfigMistake => ({
  file: builtinDirectory(),
  line: null,
  column: null,
  path: "",
  message: "the gateway's own rules are missing; install it again",
});
