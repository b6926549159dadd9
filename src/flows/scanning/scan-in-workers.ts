/** Looks for secrets in threads beside the main one, which goes on answering requests meanwhile. */
import type { Rule } from "../../secrets/rule.ts";
import type { PlacedSecret } from "../../secrets/scanner.ts";
import { createThreadPool, type ThreadPool } from "../../workers/thread-pool.ts";

export interface ScanPool {
  /**
   * @param texts together some hundred thousand characters: they are one message, and have one budget of time.
   * @returns the secrets of each, as `Scanner.find` gives them.
   * @throws GatewayError `inspection_failed` for what could not be looked through, or not in time: to be denied, never passed
   */
  find(texts: readonly ScanText[]): Promise<readonly (readonly PlacedSecret[])[]>;
  close(): Promise<void>;
}

export interface ScanText {
  readonly text: string;
  /** As of `Detector.detect`. */
  readonly path?: string;
}

export interface ScanPoolOptions {
  readonly rules: readonly Rule[];
  readonly key: Uint8Array;
  readonly threads: number;
  /** For each megabyte (2^20 characters) of texts, and no less for a shorter one. */
  readonly budgetMs: number;
}

export interface ScanThreadData {
  readonly rules: readonly Rule[];
  readonly key: Uint8Array;
}

export interface ScanRequest {
  readonly texts: readonly ScanText[];
}

const MEGABYTE = 2 ** 20;

/** Threads run what is built: Node does not load TypeScript. */
const body = import.meta.url.endsWith(".ts")
  ? new URL("../../../dist/src/flows/scanning/scan-thread.js", import.meta.url)
  : new URL("./scan-thread.js", import.meta.url);

export function createScanPool({ rules, key, threads, budgetMs }: ScanPoolOptions): ScanPool {
  const data: ScanThreadData = { rules, key };
  const pool: ThreadPool<ScanRequest, PlacedSecret[][]> = createThreadPool({
    body,
    data,
    threads,
    doing: "Looking for secrets",
  });
  return {
    find: (texts) => {
      const length = texts.reduce((sum, { text }) => sum + text.length, 0);
      return pool.run({ texts }, budgetMs * Math.max(1, Math.ceil(length / MEGABYTE)));
    },
    close: () => pool.close(),
  };
}
