/** Texts of a push, looked through here or in threads: told in their order, whatever becomes of them. */
import { afterAll, describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/errors.ts";
import { ScanAhead } from "../../../src/flows/scanning/scan-ahead.ts";
import { createScanPool, type ScanPool } from "../../../src/flows/scanning/scan-in-workers.ts";
import { Turns } from "../../../src/git/inspection/turns.ts";
import { createScanner } from "../../../src/secrets/scanner.ts";
import { builtin, secrets } from "../../secrets/builtin-rules.ts";

const key = new Uint8Array(32).fill(7);
const scanner = createScanner(builtin, key);
const pool = createScanPool({ rules: builtin.rules, key, threads: 2, budgetMs: 60_000 });
afterAll(() => pool.close());

const noThreads: ScanPool = {
  threads: 1,
  scan: () => Promise.reject(new Error("nothing should come here")),
  maskMessages: () => Promise.reject(new Error("nothing should come here")),
  close: async () => {},
};
const ahead = (over: ScanPool, signal = new AbortController().signal, budgetMs = 60_000) =>
  new ScanAhead({ scanner, pool: over, budgetMs, turns: new Turns(), signal });

/** As `reading.ts` does, with marks between the texts. */
async function scanAll(scan: ScanAhead, texts: readonly string[]): Promise<string[]> {
  const told: string[] = [];
  for (const [at, text] of texts.entries()) {
    scan.add({ text, path: `${at}.txt`, isKept: true }, (found, masked) =>
      told.push(
        `${at}: ${found.map(({ rule, line }) => `${rule} ${line}`).join()} ${found.length > 0 ? masked() : ""}`,
      ),
    );
    scan.mark(() => told.push(`after ${at}`));
    await scan.room();
  }
  await scan.end();
  return told;
}

const expectedOf = (texts: readonly string[]): string[] =>
  texts.flatMap((text, at) => {
    const found = scanner.find(text, `${at}.txt`);
    const masked = found.length > 0 ? scanner.maskLines(text) : "";
    return [`${at}: ${found.map(({ rule, line }) => `${rule} ${line}`).join()} ${masked}`, `after ${at}`];
  });

const filler = (length: number): string => "all of this is harmless\n".repeat(Math.ceil(length / 24));

test("a small push needs no thread", async () => {
  const texts = [`key ${secrets.awsKey}`, "nothing", filler(10_000)];
  expect(await scanAll(ahead(noThreads), texts)).toEqual(expectedOf(texts));
});

test("a large one is told in the order of its texts, with what was found in each", async () => {
  const texts = Array.from({ length: 120 }, (_, at) =>
    at % 7 === 0 ? `${filler(100_000)}key ${secrets.awsKey}\n` : filler(30_000 + ((at * 7919) % 60_000)),
  );
  const told = await scanAll(ahead(pool), texts);
  expect(told).toEqual(expectedOf(texts));
  expect(told.filter((line) => line.includes("aws-access-key"))).toHaveLength(18);
});

test("a single long text goes to a thread at once", async () => {
  const texts = [`${filler(400_000)}${secrets.awsKey}`, "short behind it"];
  expect(await scanAll(ahead(pool), texts)).toEqual(expectedOf(texts));
  await expect(scanAll(ahead(noThreads), texts)).rejects.toThrow("nothing should come here");
});

describe("what is not looked through", () => {
  const failing = (message: string): ScanPool => ({ ...noThreads, scan: () => Promise.reject(refusal(message)) });
  const refusal = (message: string) => new GatewayError("inspection_failed", message);

  test("is denied, and the text says where and why, without a secret", async () => {
    const scan = ahead(failing("Looking for secrets took more than 20 seconds and was given up"));
    scan.add({ text: filler(300_000), path: `${secrets.awsKey}/a.txt` }, () => {});
    scan.add({ text: filler(300_000), path: "b.txt" }, () => {});
    const failed = await scan.end().then(
      () => null,
      (error: unknown) => error,
    );
    expect(failed).toMatchObject({ code: "inspection_failed" });
    expect((failed as Error).message).toMatch(
      /^Looking for secrets took more than 20 seconds and was given up, in ⟦aws-access-key:[0-9a-f]{8}⟧\/a\.txt and 1 more files\. What is not looked through is not let through/,
    );
  });

  test("is not waited for when the push is given up", async () => {
    const leaving = new AbortController();
    const scan = ahead({ ...noThreads, scan: () => new Promise(() => {}) }, leaving.signal);
    scan.add({ text: filler(300_000), path: "a.txt" }, () => {});
    const ended = scan.end();
    leaving.abort(new Error("the client has left"));
    await expect(ended).rejects.toThrow("the client has left");
  });

  test("a budget that is too short for a text denies it", async () => {
    const scan = ahead(pool, undefined, 0.001);
    // As much as takes a thread longer than this one may be kept from looking at the clock.
    scan.add({ text: filler(50_000_000), path: "a.txt" }, () => {});
    await expect(scan.end()).rejects.toMatchObject({
      code: "inspection_failed",
      message: expect.stringContaining("was given up"),
    });
    // The thread was ended; the next text finds another one.
    expect(await scanAll(ahead(pool), [filler(300_000)])).toHaveLength(2);
  });
});
