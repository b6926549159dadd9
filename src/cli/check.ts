import type { Command } from "./command.ts";
import { loadConfigOrTell, readRules, tellMistakes } from "./load-config.ts";
import { configOption, parseOptions } from "./parse-options.ts";
import { formatListen } from "../config.ts";
import { formatMistake } from "../config/mistake.ts";
import { readTlsPair, type TlsFiles } from "../config/tls.ts";

export const check: Command = {
  help: `Usage: sallyport check [--config FILE|DIR]…

Checks the configuration as the gateway would read it now, the environment included, and runs the examples of
every secret rule. Each mistake is told as file:line:column: place: what is wrong. Nothing is changed or started.

  --config FILE|DIR   instead of SALLYPORT_CONFIG or the default in policies/; of a directory, all *.yaml in
                      order of their names; may be given several times
`,
  async run(args, io) {
    const { values } = parseOptions(args, configOption);
    const config = await loadConfigOrTell(values.config ?? [], io, io.stdout, { readsTls: true });
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
        ...(config.tls === null ? [] : [`  certificate  ${await describeCertificate(config.tls, io.now())}`]),
        `  connections  ${[...config.connections.values()].map(({ name, kind }) => `${name} (${kind})`).join(", ") || "none"}`,
        `  pushes       ${count(config.pushes.length, "entry", "entries")}, policy version ${config.policyVersion.slice(0, 12)}`,
        `  secrets      ${count(rules.length, "rule", "rules")}, every example as it should be`,
        "",
      ].join("\n"),
    );
    return 0;
  },
};

const DAY_MS = 86_400_000;
/** Certificates that renew themselves do so a month before their end. */
const SOON_DAYS = 14;

/** @param files read without mistakes a moment ago */
async function describeCertificate(files: TlsFiles, now: Date): Promise<string> {
  const pair = await readTlsPair(files, now);
  if (!pair.ok) return "has just changed; run this again";
  const end = new Date(pair.value.leaf.validTo);
  const days = Math.floor((end.getTime() - now.getTime()) / DAY_MS);
  const until = `good until ${end.toISOString().slice(0, 10)}`;
  return days >= SOON_DAYS
    ? until
    : `WARNING: ${until} only, ${days === 1 ? "1 day" : `${days} days`} from now; renew it`;
}
