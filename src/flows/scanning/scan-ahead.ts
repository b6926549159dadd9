/**
 * Looks through the texts of one push, in the order in which they come. Few of them at once, in this thread: handing them over
 * would take longer than looking. More of them in threads, several at a time, while the next are being read: the answers are told in
 * the order of the texts.
 */
import type { Turns } from "../../git/inspection/turns.ts";
import { GatewayError } from "../../errors.ts";
import type { PlacedSecret, Scanner } from "../../secrets/scanner.ts";
import type { ScannedText, ScanPool, ScanText } from "./scan-in-workers.ts";

/** Characters of one push that are looked through in this thread, turn by turn: before a thread has begun, that is done. */
const HERE_CHARACTERS = 4 * 1024 * 1024;
/** A longer text keeps the event loop for too long. */
const HERE_LENGTH = 64 * 1024;
/** Of one message to a thread. */
const BATCH_CHARACTERS = 512 * 1024;
/** Messages that are on their way for each thread: one to work at, one to go on with. */
const BATCHES_AHEAD = 2;
/** What a text costs beside its characters. */
const TEXT_OVERHEAD = 128;

export interface ScanAheadOptions {
  readonly scanner: Scanner;
  readonly pool: ScanPool;
  /** For each megabyte, in a thread; as of {@link ScanPool.scan}. */
  readonly budgetMs: number;
  readonly turns: Turns;
  readonly signal: AbortSignal;
}

/** @param masked the text, masked; called only where something was found, and the text is kept */
export type Told = (secrets: readonly PlacedSecret[], masked: () => string) => void;

interface Batch {
  readonly texts: ScanText[];
  /** What is to be done once they are looked through, in order. */
  readonly steps: ((scanned: readonly ScannedText[]) => void)[];
  characters: number;
  scanned: Promise<readonly ScannedText[]> | null;
}

export class ScanAhead {
  readonly #options: ScanAheadOptions;
  readonly #most: number;
  #hereLeft = HERE_CHARACTERS;
  /** In the order of their texts; the last is still being filled. */
  #batches: Batch[] = [];
  #ahead = 0;

  constructor(options: ScanAheadOptions) {
    this.#options = options;
    this.#most = options.pool.threads * BATCHES_AHEAD * BATCH_CHARACTERS;
  }

  /** Takes the next text. To be followed by {@link room}. @param told called now or later, in the order of the texts */
  add(text: ScanText, told: Told): void {
    if (this.#isHere(text.text.length)) {
      const { scanner } = this.#options;
      told(scanner.find(text.text, text.path), () => scanner.maskLines(text.text, text.path));
      return;
    }
    const batch = this.#open();
    const cost = text.text.length + TEXT_OVERHEAD;
    const at = batch.texts.push(text) - 1;
    batch.steps.push((scanned) => {
      const found = scanned[at];
      // A text that nothing was said about has not been looked through.
      if (found === undefined) throw new GatewayError("internal", "a thread left out a text that it was given");
      told(found.secrets, () => found.masked ?? this.#options.scanner.maskLines(text.text, text.path));
    });
    batch.characters += cost;
    this.#ahead += cost;
    if (batch.characters >= BATCH_CHARACTERS) void this.#send(batch);
  }

  /** Calls back when all texts before have been told. */
  mark(told: () => void): void {
    const last = this.#batches.at(-1);
    if (last === undefined) told();
    else last.steps.push(told);
  }

  /** Waits until the next text may come, and lets others have a turn. @throws GatewayError as `ScanPool.scan`, the signal's reason */
  async room(): Promise<void> {
    while (this.#ahead > this.#most) await this.#tellFirst();
    const { turns } = this.#options;
    if (turns.due) await turns.take();
  }

  /** Tells of all texts that have come. @throws as {@link room} */
  async end(): Promise<void> {
    while (this.#batches.length > 0) await this.#tellFirst();
  }

  /** One text, out of turn. @throws as {@link room} */
  async find(text: string, path: string): Promise<readonly PlacedSecret[]> {
    const { scanner, turns } = this.#options;
    if (text.length > HERE_LENGTH) return (await this.#scan([{ text, path }]))[0]?.secrets ?? [];
    if (turns.due) await turns.take();
    return scanner.find(text, path);
  }

  #isHere(length: number): boolean {
    if (this.#batches.length > 0 || length > HERE_LENGTH || length > this.#hereLeft) return false;
    this.#hereLeft -= length;
    return true;
  }

  #open(): Batch {
    const last = this.#batches.at(-1);
    if (last !== undefined && last.scanned === null) return last;
    const batch: Batch = { texts: [], steps: [], characters: 0, scanned: null };
    this.#batches.push(batch);
    return batch;
  }

  #send(batch: Batch): Promise<readonly ScannedText[]> {
    batch.scanned = this.#scan(batch.texts);
    // Whoever waits for it is told; it may be that nobody does any more.
    batch.scanned.catch(() => {});
    return batch.scanned;
  }

  async #tellFirst(): Promise<void> {
    const [first] = this.#batches;
    if (first === undefined) return;
    const scanned = await (first.scanned ?? this.#send(first));
    this.#batches.shift();
    this.#ahead -= first.characters;
    for (const step of first.steps) step(scanned);
  }

  async #scan(texts: readonly ScanText[]): Promise<readonly ScannedText[]> {
    const { pool, budgetMs, signal, scanner } = this.#options;
    signal.throwIfAborted();
    try {
      return await untilAborted(pool.scan(texts, budgetMs), signal);
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== "inspection_failed") throw error;
      throw notScanned(error, texts, scanner);
    }
  }
}

/** Stops waiting when the push is given up; the thread has its own bound. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
    work.catch(() => {});
  }
}

function notScanned(error: GatewayError, texts: readonly ScanText[], scanner: Scanner): GatewayError {
  const paths = [...new Set(texts.flatMap(({ path }) => path ?? []))];
  const [first] = paths;
  const where =
    first === undefined
      ? "the messages of its commits"
      : `${scanner.maskName(first)}${paths.length > 1 ? ` and ${paths.length - 1} more files` : ""}`;
  return new GatewayError(
    "inspection_failed",
    `${error.message}, in ${where}. What is not looked through is not let through: push again, or ask the gateway's operator`,
    { cause: error },
  );
}
