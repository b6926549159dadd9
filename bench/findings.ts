/**
 * `npm run bench:findings`: what the rules find, and what they should not.
 *
 * With a directory: how many findings there are in a megabyte of its source, by rule, each with its place; the dependencies that are
 * installed here unless another is given. With `--samples`: a file `[{ "Rule", "Text", "Pos" }]` of texts that hold a secret of some kind
 * (`Pos`) or only look so. Kinds have others' names there: ours for one are the rules that find a tenth of its secrets, the generic ones only
 * for a kind that is called so.
 *
 * Usage: npm run bench:findings -- [DIRECTORY] [--samples FILE]
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { createDetector, type Detector } from "../src/secrets/detector.ts";
import { builtinRules } from "./builtin-rules.ts";

const SOURCE = new Set([".js", ".mjs", ".cjs", ".ts", ".mts", ".md", ".json"]);
const MEGABYTE = 1e6;
/** What is larger is generated. */
const LARGEST_FILE = 2 * MEGABYTE;
const WANTED_PER_MEGABYTE = 0.05;
const WANTED_RECALL = 0.95;
/** Of a kind's secrets, from which on a rule is of that kind. */
const OWN_SHARE = 0.1;

interface Sample {
  readonly Rule: string;
  readonly Text: string;
  readonly Pos: boolean;
}

const isGeneric = (name: string): boolean => name.startsWith("generic-");
const print = (line: string): boolean => process.stdout.write(`${line}\n`);
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** @returns whether there are as few as wanted, key files left out. */
async function countInSource(detector: Detector, directory: string): Promise<boolean> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile() && SOURCE.has(extname(entry.name)));
  let bytes = 0;
  let files = 0;
  let found = 0;
  for (const entry of paths) {
    const path = join(entry.parentPath, entry.name);
    const { size } = await stat(path);
    if (size > LARGEST_FILE) continue;
    const text = await readFile(path, "utf8");
    const name = relative(directory, path);
    bytes += size;
    files += 1;
    for (const { rule, severity, start } of detector.detect(text, name)) {
      if (rule.startsWith("private-key")) continue;
      found += 1;
      print(`${name}:${text.slice(0, start).split("\n").length}  ${rule} (${severity})`);
    }
  }
  const each = found / (bytes / MEGABYTE);
  const size = (bytes / MEGABYTE).toFixed(0);
  print(`${found} findings other than private keys in ${files} files, ${size} MB: ${each.toFixed(4)} in a megabyte`);
  return each <= WANTED_PER_MEGABYTE;
}

/** @returns whether enough is found, and nothing by a kind's own rules that is none. */
function countInSamples(detector: Detector, samples: readonly Sample[]): boolean {
  const kinds = new Map<string, Sample[]>();
  for (const sample of samples) kinds.set(sample.Rule, [...(kinds.get(sample.Rule) ?? []), sample]);
  let secrets = 0;
  let found = 0;
  let blocked = 0;
  let others = 0;
  let wrong = 0;
  for (const [kind, own] of kinds) {
    const hits = own.map(({ Text, Pos }) => ({ Pos, Text, findings: detector.detect(Text) }));
    const positive = hits.filter(({ Pos }) => Pos);
    const counts = new Map<string, number>();
    for (const { findings } of positive) {
      for (const rule of new Set(findings.map(({ rule }) => rule))) counts.set(rule, (counts.get(rule) ?? 0) + 1);
    }
    const frequent = [...counts].filter(([, n]) => n >= OWN_SHARE * positive.length).map(([rule]) => rule);
    const rules = frequent.filter((rule) => isGeneric(rule) === isGeneric(kind));
    const hit = positive.filter(({ findings }) => findings.length > 0).length;
    const mistaken = hits.filter(({ Pos, findings }) => !Pos && findings.some(({ rule }) => rules.includes(rule)));
    secrets += positive.length;
    found += hit;
    blocked += positive.filter(({ findings }) => findings.some(({ severity }) => severity === "block")).length;
    others += hits.length - positive.length;
    wrong += mistaken.length;
    print(`${kind}: ${hit} of ${positive.length} (${rules.join(", ")}), ${mistaken.length} taken for one`);
  }
  print(`${found} of ${secrets} found, ${percent(found / secrets)}; blocked ${percent(blocked / secrets)}`);
  print(`${wrong} of ${others} that are none found by rules of their own kind`);
  return found >= WANTED_RECALL * secrets && wrong === 0;
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { samples: { type: "string" } } });
const rules = await builtinRules();
const detector = createDetector(rules);
const isMet =
  values.samples === undefined
    ? await countInSource(detector, positionals[0] ?? "node_modules")
    : countInSamples(detector, JSON.parse(await readFile(values.samples, "utf8")) as Sample[]);
process.exitCode = isMet ? 0 : 1;
