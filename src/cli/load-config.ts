/** Configuration for commands: read, checked, its mistakes shown. */
import type { Writable } from "node:stream";
import { loadConfig, type ConfigInput, type LoadedConfig } from "../config.ts";
import { formatMistake, type ConfigMistake } from "../config/mistake.ts";
import type { SecretRuleSource } from "../config/secret-rules.ts";
import { ok, type Result } from "../errors.ts";
import { parseGitleaks, type GitleaksRules } from "../secrets/gitleaks-toml.ts";
import { checkExamples } from "../secrets/rule-examples.ts";
import type { Rule, RuleMistake } from "../secrets/rule.ts";
import { parseRules } from "../secrets/rules.ts";
import type { CommandIo } from "./command.ts";

/** @returns null after telling every mistake on `out` */
export async function loadConfigOrTell(
  paths: readonly string[],
  io: CommandIo,
  out: Writable,
  options: Pick<ConfigInput, "readsTls"> = {},
): Promise<LoadedConfig | null> {
  const loaded = await loadConfig({ paths, env: io.env, cwd: io.cwd, ...options });
  if (loaded.ok) return loaded.value;
  tellMistakes(loaded.error, out);
  return null;
}

export function tellMistakes(mistakes: readonly ConfigMistake[], out: Writable): void {
  for (const mistake of mistakes) out.write(`${formatMistake(mistake)}\n`);
  out.write(`${mistakes.length === 1 ? "1 mistake" : `${mistakes.length} mistakes`} in the configuration.\n`);
}

export interface ReadRules {
  readonly rules: readonly Rule[];
  readonly mistakes: readonly ConfigMistake[];
  /** What a foreign file asks for and does not get. */
  readonly notes: readonly ConfigMistake[];
}

/** Parses rule files and, where asked, runs their examples. @returns the rules in order, and what is wrong with them */
export function readRules(
  sources: readonly SecretRuleSource[],
  { examples }: { readonly examples: boolean },
): ReadRules {
  const rules: Rule[] = [];
  const mistakes: ConfigMistake[] = [];
  const notes: ConfigMistake[] = [];
  const owners = new Map<string, string>();
  for (const source of sources) {
    const { name } = source;
    const at = ({ line, rule, message }: RuleMistake): ConfigMistake => ({
      file: name,
      line,
      column: 1,
      path: rule ?? "",
      message,
    });
    const parsed = parseSource(source);
    if (!parsed.ok) {
      mistakes.push(...parsed.error.map(at));
      continue;
    }
    notes.push(...parsed.value.notes.map(at));
    // Theirs have names like ours (`private-key`, `jwt`), and nobody may have to edit a foreign file for that.
    const own = isToml(name) ? renameRules(parsed.value.rules, (id) => owners.has(id)) : parsed.value.rules;
    for (const rule of own) {
      const owner = owners.get(rule.id);
      if (owner === undefined) owners.set(rule.id, name);
      else
        mistakes.push(
          at({ line: rule.line, rule: rule.id, message: `there is a rule of this id in ${owner} already` }),
        );
    }
    rules.push(...own);
    if (examples) mistakes.push(...checkExamples(own).map(at));
  }
  return { rules, mistakes, notes };
}

const isToml = (name: string): boolean => /\.toml$/i.test(name);

function renameRules(rules: readonly Rule[], isTaken: (id: string) => boolean): readonly Rule[] {
  const renamed = (id: string): string => (isTaken(id) ? `gitleaks-${id}`.slice(0, 64) : id);
  return rules.map((rule) => ({
    ...rule,
    id: renamed(rule.id),
    required: rule.required.map((required) => ({ ...required, rule: renamed(required.rule) })),
  }));
}

function parseSource({ name, text, rules, base }: SecretRuleSource): Result<GitleaksRules, RuleMistake[]> {
  if (rules !== undefined) return ok({ rules, notes: [] });
  if (!isToml(name)) {
    const parsed = parseRules(text);
    return parsed.ok ? ok({ rules: parsed.value, notes: [] }) : parsed;
  }
  if (base === undefined) return parseGitleaks(text, null);
  const extended = parseSource(base);
  return extended.ok ? parseGitleaks(text, extended.value) : extended;
}
