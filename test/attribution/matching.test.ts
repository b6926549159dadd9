import { describe, expect, it } from "vitest";
import { createLineHasher } from "../../src/attribution/fingerprints.ts";
import {
  matchCommit,
  type MatchInput,
  type MatchResult,
  type SuggestionBlock,
} from "../../src/attribution/matching.ts";
import type { AddedHunk } from "../../src/model/added-hunk.ts";

const key = Buffer.from("test");
const hashLine = createLineHasher(key);

const FETCH = `export async function fetchInvoices(customer: string): Promise<Invoice[]> {
  const response = await client.get(\`/customers/\${customer}/invoices\`);
  if (response.status !== 200) {
    throw new InvoiceError("the invoice server did not answer", response.status);
  }

  const invoices = parseInvoices(await response.json());
  return invoices.filter((invoice) => !invoice.cancelled);
}`.split("\n");

const TOTALS = `export function sumByMonth(invoices: readonly Invoice[]): Map<string, number> {
  const totals = new Map<string, number>();
  for (const invoice of invoices) {
    const month = invoice.date.slice(0, 7);
    totals.set(month, (totals.get(month) ?? 0) + invoice.amount);
  }
  return totals;
}`.split("\n");

const HUMAN = `import { readFile } from "node:fs/promises";
export async function loadSettings(file: string): Promise<Settings> {
  try {
    const text = await readFile(file, "utf8");
    return settingsSchema.parse(JSON.parse(text));
  } catch (error) {
    logger.error({ error }, "settings could not be read");
    return DEFAULT_SETTINGS;
  }
}
for (const invoice of invoices) {
  console.log(invoice.number);
}`.split("\n");

const block = (
  exchange: string,
  lines: readonly string[],
  more: { session?: string; path?: string | null; at?: number; ordinal?: number } = {},
): SuggestionBlock => ({
  exchangeId: exchange,
  ordinal: more.ordinal ?? 0,
  sessionId: more.session ?? "session",
  path: more.path === undefined ? "src/invoices.ts" : more.path,
  suggestedAt: more.at ?? 1_000,
  hashes: Float64Array.from(lines, hashLine),
});

const hunk = (lines: readonly string[], path = "src/invoices.ts", startLine = 1): AddedHunk => ({
  commit: "c".repeat(40),
  path,
  startLine,
  text: lines.join("\n"),
});

const match = (hunks: readonly AddedHunk[], blocks: readonly SuggestionBlock[]): MatchResult => {
  const input: MatchInput = { hunks, blocks, key };
  const result = matchCommit(input);
  expect(matchCommit({ ...input, blocks: blocks.toReversed(), hunks: hunks.toReversed() })).toEqual(result);
  return result;
};

/** `from-to exchange`, or `from-to -` for lines that nothing explains. */
const runs = (result: MatchResult): string[] =>
  result.lines.map(({ from, to, exchangeId }) => `${from}-${to} ${exchangeId ?? "-"}`);

describe("matchCommit", () => {
  it("links a block that was taken verbatim, blank lines and brackets included", () => {
    const result = match([hunk(FETCH, "src/invoices.ts", 40)], [block("e1", FETCH)]);
    expect(runs(result)).toEqual(["40-48 e1"]);
    expect(result.lines[0]).toMatchObject({ verdict: "ai", sessionId: "session", path: "src/invoices.ts" });
    expect(result.sessions).toEqual([
      { sessionId: "session", reason: "content", confidence: expect.any(Number), exchangeIds: ["e1"] },
    ]);
    expect(result.sessions[0]!.confidence).toBeGreaterThan(0.95);
    expect(result.complete).toBe(true);
  });

  it("links what a formatter has changed: indent, quotes, commas and semicolons at the end", () => {
    const formatted = FETCH.map((line) => `\t\t${line.trim().replaceAll('"', "'").replace(/;$/, "")}`);
    expect(runs(match([hunk(formatted)], [block("e1", FETCH)]))).toEqual(["1-9 e1"]);
    const list = ["allowedOrigins: [firstOrigin, secondOrigin],", 'defaultCurrency: "EUR"', "roundingMode: HALF_EVEN"];
    const withCommas = list.map((line) => `${line.replace(/,$/, "").replaceAll('"', "'")},`);
    expect(runs(match([hunk(withCommas)], [block("e1", list)]))).toEqual(["1-3 e1"]);
  });

  it("links the part that was taken, and leaves the rest unknown", () => {
    const added = [...FETCH.slice(0, 2), ...HUMAN.slice(0, 3)];
    const result = match([hunk(added)], [block("e1", FETCH)]);
    expect(runs(result)).toEqual(["1-2 e1", "3-5 -"]);
    const whole = match([hunk(FETCH)], [block("e1", FETCH)]);
    expect(result.sessions[0]!.confidence).toBeLessThan(whole.sessions[0]!.confidence);
  });

  it("finds a suggestion in pieces: a person's lines between them stay unknown, a bracket between them does not", () => {
    const mixed = [...TOTALS.slice(0, 3), HUMAN[6]!, ...TOTALS.slice(3)];
    expect(runs(match([hunk(mixed)], [block("e1", TOTALS)]))).toEqual(["1-3 e1", "4-4 -", "5-9 e1"]);
  });

  it("closes gaps of brackets that the index lacks because the request held them, and no others", () => {
    const novel = FETCH.filter((line) => line.trim() !== "}" && line !== "");
    expect(runs(match([hunk(FETCH)], [block("e1", novel)]))).toEqual(["1-8 e1", "9-9 -"]);
    const apart = [hunk(FETCH.slice(0, 5)), hunk(FETCH.slice(5), "src/invoices.ts", 7)];
    expect(runs(match(apart, [block("e1", novel)]))).toEqual(["1-4 e1", "5-5 -", "7-7 -", "8-9 e1", "10-10 -"]);
  });

  it("follows a suggestion over hunks: lines that were there before lie between", () => {
    const hunks = [hunk(TOTALS.slice(0, 3), "src/invoices.ts", 10), hunk(TOTALS.slice(3), "src/invoices.ts", 20)];
    expect(runs(match(hunks, [block("e1", TOTALS)]))).toEqual(["10-12 e1", "20-24 e1"]);
  });

  it("tells two interleaved suggestions apart", () => {
    const mixed = [...FETCH.slice(0, 5), ...TOTALS.slice(0, 4), ...FETCH.slice(5), ...TOTALS.slice(4)];
    const result = match([hunk(mixed)], [block("e1", FETCH), block("e2", TOTALS, { session: "other" })]);
    expect(runs(result)).toEqual(["1-5 e1", "6-9 e2", "10-13 e1", "14-17 e2"]);
    expect(result.sessions.map(({ sessionId }) => sessionId).sort()).toEqual(["other", "session"]);
  });

  it("gives a person's own commit nothing", () => {
    const result = match(
      [hunk(HUMAN)],
      [block("e1", FETCH), block("e2", TOTALS, { path: null }), block("e3", TOTALS, { path: "src/other.ts" })],
    );
    expect(runs(result)).toEqual(["1-13 -"]);
    expect(result.sessions).toEqual([]);
    expect(result.lines[0]).toMatchObject({ verdict: "unknown", score: 0, sessionId: null });
  });

  it("is not convinced by the same lines in another order", () => {
    const shuffled = [5, 3, 1, 4, 0, 2, 6].flatMap((i) => [
      TOTALS[i]!,
      ...HUMAN.slice(0, 10),
      ...HUMAN.slice(0, 10),
      ...HUMAN.slice(0, 10),
    ]);
    const result = match([hunk(shuffled)], [block("e1", TOTALS, { path: null })]);
    expect(result.sessions).toEqual([]);
  });

  it("wants more evidence without a path, and much more where the edit named another one", () => {
    const accepts = (path: string | null, lines: number): boolean =>
      match([hunk([...FETCH, ...TOTALS].slice(0, lines))], [block("e1", [...FETCH, ...TOTALS], { path })]).sessions
        .length > 0;
    expect(accepts("/home/ana/project/src/invoices.ts", 1)).toBe(true);
    expect(accepts(null, 1)).toBe(false);
    expect(accepts(null, 2)).toBe(true);
    expect(accepts("src/elsewhere.ts", 4)).toBe(false);
    expect(accepts("src/elsewhere.ts", 17)).toBe(true);
  });

  it("uses each suggested line once", () => {
    const result = match([hunk([...TOTALS, "", ...TOTALS])], [block("e1", TOTALS)]);
    expect(runs(result)).toEqual(["1-8 e1", "9-17 -"]);
    const twice = [block("e1", TOTALS), block("e2", TOTALS, { at: 2_000 })];
    expect(runs(match([hunk([...TOTALS, "", ...TOTALS])], twice))).toEqual(["1-8 e2", "9-9 -", "10-17 e1"]);
  });

  it("prefers the heavier explanation, and between near equals: same path, latest, highest id", () => {
    const exchange = (...blocks: SuggestionBlock[]): string | null => match([hunk(FETCH)], blocks).lines[0]!.exchangeId;
    expect(exchange(block("e1", FETCH), block("e2", FETCH.slice(3), { at: 9_000 }))).toBe("e1");
    expect(exchange(block("e1", FETCH), block("e2", FETCH, { at: 9_000, path: null }))).toBe("e1");
    expect(exchange(block("e2", FETCH), block("e1", FETCH, { at: 9_000 }))).toBe("e1");
    expect(exchange(block("e2", FETCH), block("e1", FETCH))).toBe("e2");
    const nearly = FETCH.toSpliced(2, 1);
    expect(exchange(block("e1", FETCH), block("e2", nearly, { at: 9_000 }))).toBe("e2");
    expect(match([hunk(FETCH)], [block("e1", FETCH), block("e2", nearly, { at: 9_000 })]).chains[0]!.runnerUp).toBe(
      "e1",
    );
  });

  it("keeps what the rest of a beaten explanation says", () => {
    const added = [...FETCH, ...TOTALS];
    const result = match([hunk(added)], [block("e1", added), block("e2", FETCH, { at: 9_000 })]);
    expect(runs(result)).toEqual(["1-17 e1"]);
    const two = match([hunk(added)], [block("e1", added.slice(0, 13)), block("e2", TOTALS, { at: 9_000 })]);
    expect(runs(two)).toEqual(["1-13 e1", "14-17 e2"]);
  });

  it("keeps (path, line) unique when hunks overlap: two names can look the same once decoded", () => {
    const result = match([hunk(FETCH), hunk(TOTALS), hunk(FETCH, "src/b.ts")], [block("e1", FETCH)]);
    const seen = result.lines.flatMap(({ path, from, to }) =>
      Array.from({ length: to - from + 1 }, (_, i) => `${path}:${from + i}`),
    );
    expect(new Set(seen).size).toBe(seen.length);
  });

  it("takes nothing at all", () => {
    expect(match([], [block("e1", FETCH)])).toEqual({ lines: [], sessions: [], chains: [], complete: true });
    expect(runs(match([hunk([""])], [block("e1", []), block("e2", [""])]))).toEqual(["1-1 -"]);
  });
});

describe("matchCommit on a lot", () => {
  const unique = (i: number): string => `const value${i} = computeSomething(argument${i}, ${i});`;
  // In the square of its lines, any of these would take hours: the test's own limit of time is the bound.
  const matched = (input: Omit<MatchInput, "key">): MatchResult => matchCommit({ ...input, key });

  /** `take(i)` gives the range of lines that block i holds. */
  const commitOf = (
    line: (i: number) => string,
    take: (i: number) => readonly [number, number],
  ): Omit<MatchInput, "key"> => {
    const lines = Array.from({ length: 100_000 }, (_, i) => line(i));
    const hashes = Float64Array.from(lines, hashLine);
    const blocks = Array.from({ length: 5_000 }, (_, i) => ({
      ...block(`e${i}`, [], { at: i }),
      hashes: hashes.slice(...take(i)),
    }));
    return { hunks: [hunk(lines)], blocks };
  };

  it("reads 100,000 added lines against 5,000 blocks", () => {
    const result = matched(commitOf(unique, (i) => [i * 20, i * 20 + 10]));
    expect(result.complete).toBe(true);
    expect(result.chains).toHaveLength(5_000);
    expect(result.lines).toHaveLength(10_000);
  });

  it.each([
    ["every line equal", () => "return computeSomething(argument);"],
    ["a few lines, again and again", (i: number) => unique(i % 50)],
    ["many lines, each again and again", (i: number) => unique(i % 2_000)],
  ])("ends in time on %s", (_, line) => {
    const { lines } = matched(commitOf(line, (i) => [i, i + 200]));
    expect(lines.reduce((total, { from, to }) => total + to - from + 1, 0)).toBe(100_000);
  });

  it("ends in time when one block is suggested 5,000 times, and says when it did not see everything", () => {
    const lines = Array.from({ length: 1_000 }, (_, i) => unique(i));
    const hashes = block("e", lines).hashes;
    const blocks = Array.from({ length: 5_000 }, (_, i) => ({ ...block(`e${i}`, [], { at: i }), hashes }));
    const result = matched({ hunks: [hunk(lines)], blocks });
    expect(result.complete).toBe(false);
    expect(runs(result)).toEqual(["1-1000 e4999"]);
  });
});
