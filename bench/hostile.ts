/**
 * `npm run bench:hostile`: how slow the detector can be made. Of the texts that are made for each rule from its own pattern, the slowest,
 * with all rules on.
 *
 * Usage: npm run bench:hostile -- [--rules a,b] [--every N] [--kilobytes N] [--below MB/s] [--list N]
 * Texts of `--kilobytes` tell which are suspect; of those slower than `--below`, the worst of each rule are measured again at 1 MiB. All
 * rules take some two hours; `--every 40` takes a rule in forty.
 */
import { parseArgs } from "node:util";
import { createDetector, type Detector } from "../src/secrets/detector.ts";
import type { Rule } from "../src/secrets/rule.ts";
import { builtinRules } from "./builtin-rules.ts";
import { hostileTexts } from "./hostile-texts.ts";

const MEBIBYTE = 2 ** 20;
const WANTED = 5;
/** Rules that are meant for configuration files take part as well. */
const PATH = "config/.env";
/** Of each rule, so many of its suspects are measured at full length. */
const CONFIRMED = 2;

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

function measureRule(detector: Detector, rule: Rule, length: number, below: number): readonly Measured[] {
  const path = rule.examples.path ?? PATH;
  const { id } = rule;
  const first: Measured[] = [];
  for (const { kind, text } of hostileTexts(rule, length)) {
    const speed = speedOf(detector, text, path, 1);
    first.push({ id, kind, speed: speed < below ? Math.max(speed, speedOf(detector, text, path, 2)) : speed });
  }
  first.sort((a, b) => a.speed - b.speed);
  const suspects = new Set(
    first
      .slice(0, CONFIRMED)
      .filter(({ speed }) => speed < below)
      .map(({ kind }) => kind),
  );
  if (suspects.size === 0) return first;
  const confirmed: Measured[] = [];
  for (const { kind, text } of hostileTexts(rule, MEBIBYTE)) {
    if (suspects.has(kind)) confirmed.push({ id, kind, speed: speedOf(detector, text, path, 3) });
  }
  return confirmed.sort((a, b) => a.speed - b.speed);
}

const { values } = parseArgs({
  options: {
    rules: { type: "string", default: "" },
    every: { type: "string", default: "1" },
    kilobytes: { type: "string", default: "64" },
    below: { type: "string", default: "10" },
    list: { type: "string", default: "30" },
  },
});
const tell = (line: string): void => void process.stdout.write(`${line}\n`);
const wanted = new Set(values.rules.split(",").filter((id) => id !== ""));
const rules = await builtinRules();
const chosen = rules.filter(({ id }, order) =>
  wanted.size === 0 ? order % Number(values.every) === 0 : wanted.has(id),
);
const detector = createDetector(rules);
// Patterns are compiled when a text first asks for them, and V8 optimizes what has run for a while.
for (let round = 0; round < 3; round++)
  for (const { examples } of rules) for (const text of examples.match) detector.detect(text, examples.path ?? PATH);

const worst = chosen.map(
  (rule) => measureRule(detector, rule, Number(values.kilobytes) * 1024, Number(values.below))[0]!,
);
worst.sort((a, b) => a.speed - b.speed);
const at = (share: number): string => worst[Math.floor(share * (worst.length - 1))]!.speed.toFixed(1);
tell(`the slowest text of each of ${worst.length} rules, in MB/s of processor time, all ${rules.length} rules on:`);
tell(`  least ${at(0)}, 1 % ${at(0.01)}, 10 % ${at(0.1)}, half ${at(0.5)}`);
tell(`  slower than ${WANTED} (wanted: none): ${worst.filter(({ speed }) => speed < WANTED).length}`);
for (const { speed, id, kind } of worst.slice(0, Number(values.list)))
  tell(`  ${speed.toFixed(1).padStart(7)}  ${id}  ${JSON.stringify(kind)}`);
