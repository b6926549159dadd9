/**
 * `npm run bench:hold-back`: how many characters a masked stream holds back on ordinary text, which nobody sees until it is known that they
 * are no part of a secret. Prose and code as they lie in this repository and its dependencies, or in the directory that is given; each
 * text comes a character at a time, and what is held is counted after each.
 *
 * Usage: npm run bench:hold-back -- [DIRECTORY] [--megabytes N]
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { parseArgs } from "node:util";
import { createDetector, type Detector } from "../src/secrets/detector.ts";
import { createFingerprint } from "../src/secrets/fingerprint.ts";
import { createMaskStream } from "../src/secrets/mask-stream.ts";
import { builtinRules } from "./builtin-rules.ts";

const KINDS: readonly (readonly [name: string, extensions: ReadonlySet<string>])[] = [
  ["prose (Markdown)", new Set([".md", ".txt"])],
  ["code", new Set([".ts", ".tsx", ".mts", ".js", ".mjs", ".cjs", ".py", ".go", ".rs", ".sh"])],
  ["JSON", new Set([".json"])],
  ["YAML, TOML", new Set([".yaml", ".yml", ".toml"])],
];
/** Neither ordinary text nor small: what git and builds keep, and rules, which are made of examples of keys. */
const LEFT_OUT = /(?:^|\/)(?:\.git|dist|policies\/secrets)(?:\/|$)/;
const MEGABYTE = 1e6;
/** What is larger is generated. */
const LARGEST_FILE = 200_000;
/** Beyond this everything counts as this. */
const MOST = 100_000;
const WANTED_P99 = 32;

/** How often so many characters were held. */
type Counts = Uint32Array;

function countHeld(detector: Detector, text: string, counts: Counts): void {
  const stream = createMaskStream(detector, fingerprint);
  let told = 0;
  for (let at = 0; at < text.length; at++) {
    const out = stream.push(text[at]!);
    // A mask is not as long as what it stands for: what follows would be counted wrongly.
    if (out.includes("⟦")) return;
    told += out.length;
    counts[Math.min(MOST, at + 1 - told)]! += 1;
  }
}

function percentile(counts: Counts, share: number): number {
  const all = counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [held, count] of counts.entries()) {
    seen += count;
    if (seen >= all * share) return held;
  }
  return 0;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { megabytes: { type: "string", default: "2" } },
});
const rules = await builtinRules();
const detector = createDetector(rules);
const fingerprint = createFingerprint(new Uint8Array(32).fill(7));
const directory = positionals[0] ?? ".";
const files = (await readdir(directory, { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile() && !LEFT_OUT.test(entry.parentPath))
  .map((entry) => join(entry.parentPath, entry.name))
  .sort();

let isMissed = false;
for (const [name, extensions] of KINDS) {
  const own: string[] = [];
  for (const path of files) {
    if (extensions.has(extname(path)) && (await stat(path)).size <= LARGEST_FILE) own.push(path);
  }
  const counts: Counts = new Uint32Array(MOST + 1);
  let characters = 0;
  // A few of everywhere: a step that has no factor in common with the number of files goes through all of them.
  const limit = (Number(values.megabytes) * MEGABYTE) / KINDS.length;
  for (let turn = 0, at = 0; turn < own.length && characters < limit; turn++, at = (at + 7_919) % own.length) {
    const text = await readFile(own[at]!, "utf8");
    countHeld(detector, text, counts);
    characters += text.length;
  }
  if (characters === 0) continue;
  const held = [0.5, 0.95, 0.99, 0.999].map((share) => percentile(counts, share));
  const most = counts.findLastIndex((count) => count > 0);
  isMissed ||= held[2]! > WANTED_P99;
  process.stdout.write(
    `${name}, ${(characters / MEGABYTE).toFixed(1)} MB: p50 ${held[0]}, p95 ${held[1]}, p99 ${held[2]} (wanted ≤ ${WANTED_P99}), ` +
      `p99.9 ${held[3]}, most ${most} characters held\n`,
  );
}
process.exitCode = isMissed ? 1 : 0;
