/** The files of secret rules that the configuration names, read but not yet parsed: `secrets/` does that. */
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { ConfigDocument } from "./document.ts";
import { readProblem } from "./files.ts";
import type { ConfigMistake } from "./mistake.ts";
import { packageRoot } from "./package-root.ts";

/** One rule file. */
export interface SecretRuleSource {
  /** `builtin/<file>`, or the path as the configuration has it. */
  readonly name: string;
  /** YAML. */
  readonly text: string;
}

const builtinDirectory = (): string => join(packageRoot(), "policies", "secrets");

/** The gateway's own rules, in the order of their files' names. */
export async function readBuiltinRules(): Promise<readonly SecretRuleSource[]> {
  const directory = builtinDirectory();
  const names = (await readdir(directory)).filter((name) => name.endsWith(".yaml")).sort();
  return Promise.all(
    names.map(async (name) => ({ name: `builtin/${name}`, text: await readFile(join(directory, name), "utf8") })),
  );
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
    } else if (/\.toml$/i.test(rule)) {
      mistakes.push(
        document.mistake(
          path,
          "gitleaks TOML is not available in this version; write the rules as YAML, or leave this out",
        ),
      );
    } else if (!/\.ya?ml$/i.test(basename(rule))) {
      mistakes.push(document.mistake(path, "expected builtin, or the path of a .yaml file with rules"));
    } else {
      try {
        const base = dirname(document.fileOf(path)?.path ?? ".");
        sources.push({ name: rule, text: await readFile(resolve(base, rule), "utf8") });
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
