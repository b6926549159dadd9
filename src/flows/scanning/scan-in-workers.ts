/** Looks for secrets in threads beside the main one, which goes on answering requests meanwhile. */
import type { Message } from "../../model/exchange.ts";
import type { Rule } from "../../secrets/rule.ts";
import type { PlacedSecret } from "../../secrets/scanner.ts";
import { createThreadPool, type ThreadPool } from "../../workers/thread-pool.ts";

export interface ScanPool {
  readonly threads: number;
  /**
   * @param texts together some hundred thousand characters: they are one message, and have one budget of time.
   * @param budgetMs as of {@link ScanPoolOptions}, which says what is usual
   * @throws GatewayError `inspection_failed` for what could not be looked through, or not in time: to be denied, never passed
   */
  scan(texts: readonly ScanText[], budgetMs?: number): Promise<readonly ScannedText[]>;
  /** Everything of these messages masked. @throws GatewayError as {@link scan}: to be left out of the record */
  maskMessages(messages: readonly Message[]): Promise<MaskedMessages>;
  close(): Promise<void>;
}

export interface ScanText {
  readonly text: string;
  /** As of `Detector.detect`. */
  readonly path?: string;
  /** Whether the text is wanted masked, where there is something to mask. */
  readonly isKept?: boolean;
}

export interface ScannedText {
  /** As `Scanner.find` gives them. */
  readonly secrets: readonly PlacedSecret[];
  /** The text, masked line by line; null where it is not wanted, or nothing was found. */
  readonly masked: string | null;
}

export interface MaskedMessages {
  readonly messages: readonly Message[];
  /** How many places were masked, by rule. */
  readonly counts: Readonly<Record<string, number>>;
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

export type ScanRequest = { readonly texts: readonly ScanText[] } | { readonly messages: readonly Message[] };

export type ScanAnswer = readonly ScannedText[] | MaskedMessages;

const MEGABYTE = 2 ** 20;
/** Of a thread. Its rules take a tenth of it; what it reads at a time is a megabyte or two. */
const HEAP_MEGABYTES = 512;

/** Threads run what is built: Node does not load TypeScript. */
const body = import.meta.url.endsWith(".ts")
  ? new URL("../../../dist/src/flows/scanning/scan-thread.js", import.meta.url)
  : new URL("./scan-thread.js", import.meta.url);

export function createScanPool({ rules, key, threads, budgetMs }: ScanPoolOptions): ScanPool {
  const data: ScanThreadData = { rules, key };
  const pool: ThreadPool<ScanRequest, ScanAnswer> = createThreadPool({
    body,
    data,
    threads,
    heapMegabytes: HEAP_MEGABYTES,
    doing: "Looking for secrets",
  });
  const within = (length: number, budget: number): number => budget * Math.max(1, Math.ceil(length / MEGABYTE));
  return {
    threads,
    scan: async (texts, budget = budgetMs) => {
      const length = texts.reduce((sum, { text }) => sum + text.length, 0);
      return (await pool.run({ texts }, within(length, budget))) as readonly ScannedText[];
    },
    maskMessages: async (messages) =>
      (await pool.run({ messages }, within(lengthOf(messages), budgetMs))) as MaskedMessages,
    close: () => pool.close(),
  };
}

/** Characters in all texts of these messages. */
export function lengthOf(messages: readonly Message[]): number {
  let length = 0;
  for (const { parts } of messages) {
    for (const part of parts) length += part.type === "tool_call" ? part.arguments.length : part.text.length;
  }
  return length;
}
