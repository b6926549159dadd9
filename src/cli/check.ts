import type { Command } from "./command.ts";
import { loadConfigOrTell, readRules, tellMistakes } from "./load-config.ts";
import { configOption, parseOptions } from "./parse-options.ts";
import { formatListen } from "../config.ts";
import { formatMistake } from "../config/mistake.ts";

export const check: Command = {
  help: `Usage: sallyport check [--config FILE|DIR]…

Checks the configuration as the gateway would read it now, the environment included, and runs the examples of
every secret rule. Each mistake is told as file:line:column: place: what is wrong. Nothing is changed or started.

  --config FILE|DIR   instead of SALLYPORT_CONFIG or the default in policies/; of a directory, all *.yaml in
                      order of their names; may be given several times
`,
  async run(args, io) {
    const { values } = parseOptions(args, configOption);
    const config = await loadConfigOrTell(values.config ?? [], io, io.stdout);
    if (config === null) return 1;
    const { rules, mistakes, notes } = readRules(config.secretRules, { examples: true });
    if (mistakes.length > 0) {
      tellMistakes(mistakes, io.stdout);
      return 1;
    }
    for (const note of notes) io.stdout.write(`note: ${formatMistake(note)}\n`);
    const count = (number: number, one: string, many: string): string => `${number} ${number === 1 ? one : many}`;
    io.stdout.write(
      [
        `${config.sources.join(", ")}: no mistakes.`,
        `  listens on   ${formatListen(config.listen)}, reached as ${config.publicUrl}`,
        `  connections  ${[...config.connections.values()].map(({ name, kind }) => `${name} (${kind})`).join(", ") || "none"}`,
        `  pushes       ${count(config.pushes.length, "entry", "entries")}, policy version ${config.policyVersion.slice(0, 12)}`,
        `  secrets      ${count(rules.length, "rule", "rules")}, every example as it should be`,
        "",
      ].join("\n"),
    );
    return 0;
  },
};
