/**
 * `npm run bench:hostile`: how slow the detector can be made. Of the texts that are made for each rule from its own pattern, the slowest,
 * with all rules on.
 *
 * Usage: npm run bench:hostile -- [--rules a,b] [--every N] [--offset N] [--kilobytes N] [--below MB/s] [--list N]
 * Texts of `--kilobytes` tell which are suspect: those slower than `--below`. The worst of them are measured again at 128 KiB, and what
 * still is suspect at 1 MiB. A rule that is slower than wanted is told of as soon as it is known, how far the bench has got on stderr.
 * `--every 40` takes a rule in forty, `--offset` says from which on: `--every 2 --offset 0` and `--offset 1` share all rules between two
 * processes.
 */
import { parseArgs } from "node:util";
import { createDetector, type Detector } from "../src/secrets/detector.ts";
import type { Rule } from "../src/secrets/rule.ts";
import { builtinRules } from "./builtin-rules.ts";
import { hostileTexts } from "./hostile-texts.ts";

const WANTED = 5;
/** Rules that are meant for configuration files take part as well. */
const PATH = "config/.env";
/** Behind the sieve: at these lengths so many of each rule's suspects, the slowest ones, are measured so often. */
const STAGES = [
  { length: 2 ** 17, most: 4, rounds: 2 },
  { length: 2 ** 20, most: 1, rounds: 3 },
] as const;
/** So many rules lie between two lines that tell how far the bench has got. */
const RULES_A_LINE = 20;

/** Megabytes for each second of processor time, the best of `rounds`: on a busy machine the others measure its other work. */
function speedOf(detector: Detector, text: string, path: string, rounds: number): number {
  let best = 0;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    detector.detect(text, path);
    const { user, system } = process.cpuUsage(before);
    best = Math.max(best, text.length / (user + system));
  }
  return best;
}

interface Measured {
  readonly speed: number;
  readonly id: string;
  readonly kind: string;
}

/** @returns the slowest of the rule's texts */
function measureRule(detector: Detector, rule: Rule, length: number, below: number): Measured {
  const path = rule.examples.path ?? PATH;
  const { id } = rule;
  let measured: Measured[] = [];
  for (const { kind, text } of hostileTexts(rule, length)) {
    const speed = speedOf(detector, text, path, 1);
    measured.push({ id, kind, speed: speed < below ? Math.max(speed, speedOf(detector, text, path, 2)) : speed });
  }
  measured.sort((a, b) => a.speed - b.speed);
  for (const stage of STAGES) {
    const suspects = measured.filter(({ speed }) => speed < below).slice(0, stage.most);
    if (suspects.length === 0) break;
    const kinds = new Set(suspects.map(({ kind }) => kind));
    measured = [];
    for (const { kind, text } of hostileTexts(rule, stage.length, kinds))
      measured.push({ id, kind, speed: speedOf(detector, text, path, stage.rounds) });
    measured.sort((a, b) => a.speed - b.speed);
  }
  return measured[0]!;
}

const { values } = parseArgs({
  options: {
    rules: { type: "string", default: "" },
    every: { type: "string", default: "1" },
    offset: { type: "string", default: "0" },
    kilobytes: { type: "string", default: "16" },
    below: { type: "string", default: "8" },
    list: { type: "string", default: "30" },
  },
});
const describe = ({ speed, id, kind }: Measured): string =>
  `  ${speed.toFixed(1).padStart(7)}  ${id}  ${JSON.stringify(kind)}`;
const tell = (line: string): void => void process.stdout.write(`${line}\n`);
const wanted = new Set(values.rules.split(",").filter((id) => id !== ""));
const rules = await builtinRules();
const chosen = rules.filter(({ id }, order) =>
  wanted.size === 0 ? order % Number(values.every) === Number(values.offset) : wanted.has(id),
);
const detector = createDetector(rules);
// Patterns are compiled when a text first asks for them, and V8 optimizes what has run for a while.
for (let round = 0; round < 3; round++)
  for (const { examples } of rules) for (const text of examples.match) detector.detect(text, examples.path ?? PATH);

const worst: Measured[] = [];
for (const [index, rule] of chosen.entries()) {
  const slowest = measureRule(detector, rule, Number(values.kilobytes) * 1024, Number(values.below));
  worst.push(slowest);
  if (slowest.speed < WANTED) tell(describe(slowest));
  if ((index + 1) % RULES_A_LINE === 0 || index + 1 === chosen.length)
    process.stderr.write(`${index + 1} of ${chosen.length} rules\n`);
}
worst.sort((a, b) => a.speed - b.speed);
const at = (share: number): string => worst[Math.floor(share * (worst.length - 1))]!.speed.toFixed(1);
tell(`the slowest text of each of ${worst.length} rules, in MB/s of processor time, all ${rules.length} rules on:`);
tell(`  least ${at(0)}, 1 % ${at(0.01)}, 10 % ${at(0.1)}, half ${at(0.5)}`);
tell(`  slower than ${WANTED} (wanted: none): ${worst.filter(({ speed }) => speed < WANTED).length}`);
for (const slowest of worst.slice(0, Number(values.list))) tell(describe(slowest));
