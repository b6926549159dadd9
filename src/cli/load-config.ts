/** Configuration for commands: read, checked, its mistakes shown. */
import type { Writable } from "node:stream";
import { loadConfig, type LoadedConfig } from "../config.ts";
import { formatMistake, type ConfigMistake } from "../config/mistake.ts";
import type { SecretRuleSource } from "../config/secret-rules.ts";
import { checkExamples } from "../secrets/rule-examples.ts";
import type { Rule, RuleMistake } from "../secrets/rule.ts";
import { parseRules } from "../secrets/rules.ts";
import type { CommandIo } from "./command.ts";

/** @returns null after telling every mistake on `out` */
export async function loadConfigOrTell(
  paths: readonly string[],
  io: CommandIo,
  out: Writable,
): Promise<LoadedConfig | null> {
  const loaded = await loadConfig({ paths, env: io.env, cwd: io.cwd });
  if (loaded.ok) return loaded.value;
  tellMistakes(loaded.error, out);
  return null;
}

export function tellMistakes(mistakes: readonly ConfigMistake[], out: Writable): void {
  for (const mistake of mistakes) out.write(`${formatMistake(mistake)}\n`);
  out.write(`${mistakes.length === 1 ? "1 mistake" : `${mistakes.length} mistakes`} in the configuration.\n`);
}

/**
 * Parses rule files and, where asked, runs their examples.
 * @returns the rules in order, and what is wrong with them
 */
export function readRules(
  sources: readonly SecretRuleSource[],
  { examples }: { readonly examples: boolean },
): { readonly rules: readonly Rule[]; readonly mistakes: readonly ConfigMistake[] } {
  const rules: Rule[] = [];
  const mistakes: ConfigMistake[] = [];
  const owners = new Map<string, string>();
  for (const { name, text } of sources) {
    const at = ({ line, rule, message }: RuleMistake): ConfigMistake => ({
      file: name,
      line,
      column: 1,
      path: rule ?? "",
      message,
    });
    const parsed = parseRules(text);
    if (!parsed.ok) {
      mistakes.push(...parsed.error.map(at));
      continue;
    }
    for (const rule of parsed.value) {
      const owner = owners.get(rule.id);
      if (owner === undefined) owners.set(rule.id, name);
      else
        mistakes.push(
          at({ line: rule.line, rule: rule.id, message: `there is a rule of this id in ${owner} already` }),
        );
    }
    rules.push(...parsed.value);
    if (examples) mistakes.push(...checkExamples(parsed.value).map(at));
  }
  return { rules, mistakes };
}
