/**
 * The record of fetches, written behind them: a clone waits for no database, and goes on where there is none. What could not be
 * written by then is lost, and the log says how much. (Pushes are the other way round: nothing moves unrecorded.)
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { RelayedFetch } from "../model/fetch.ts";
import { newId } from "../model/id.ts";
import type { Logger } from "../model/log.ts";
import type { Database } from "../store/database.ts";
import { FETCH_BATCH, insertFetches, type NewFetch } from "../store/fetches.ts";

export interface FetchRecorder {
  /** Never throws, never waits. */
  record(fetch: RelayedFetch): void;
  /** Resolves when everything that waits was written, or could not be. */
  drain(): Promise<void>;
}

export interface FetchRecorderOptions {
  readonly db: Database;
  readonly mask: (text: string) => string;
  readonly log: Logger;
  /** Fetches that may wait for the database. More are lost. */
  readonly maxWaiting?: number;
}

const MAX_WAITING = 2_000;
/** One statement for what comes close together; and a clone by the dumb protocol, which is one request a file, is one row. */
const GATHER_MS = 250;
const KEPT_REFS = 100;

export function createFetchRecorder(options: FetchRecorderOptions): FetchRecorder {
  const { db, mask, log } = options;
  const maxWaiting = options.maxWaiting ?? MAX_WAITING;
  let waiting: RelayedFetch[] = [];
  let lost = 0;
  let writing: Promise<void> | null = null;
  const hurry = new AbortController();

  const rowOf = (fetch: RelayedFetch): NewFetch => {
    const { principal, ...facts } = fetch;
    return {
      ...facts,
      id: newId(),
      principalId: principal.id,
      repository: mask(fetch.repository),
      refs: fetch.refs.slice(0, KEPT_REFS).map(mask),
      wants: fetch.wants.slice(),
      options: fetch.options.map(mask),
      userAgent: mask(fetch.userAgent),
    };
  };

  const write = async (): Promise<void> => {
    // Aborted at the shutdown: then nothing more is gathered.
    await sleep(GATHER_MS, undefined, { signal: hurry.signal }).catch(() => {});
    while (waiting.length > 0) {
      const batch = waiting.slice(0, FETCH_BATCH);
      waiting = waiting.slice(FETCH_BATCH);
      try {
        await insertFetches(db, batch.map(rowOf));
      } catch (error) {
        lost += batch.length;
        log.warn({ lost: batch.length, error }, "fetches could not be recorded");
      }
    }
    if (lost > 0) log.error({ lost }, "fetches are missing from the record");
    lost = 0;
  };

  const begin = (): void => {
    writing ??= write().finally(() => {
      writing = null;
      // What came while the last round was ending.
      if (waiting.length > 0) begin();
    });
  };

  const merged = (fetch: RelayedFetch): boolean => {
    if (fetch.kind !== "dumb") return false;
    const index = waiting.findLastIndex((other) => isSameClone(other, fetch));
    const other = waiting[index];
    if (other === undefined) return false;
    waiting[index] = {
      ...other,
      requestBytes: other.requestBytes + fetch.requestBytes,
      responseBytes: other.responseBytes + fetch.responseBytes,
      finishedAt: fetch.finishedAt,
    };
    return true;
  };

  return {
    record: (fetch) => {
      if (merged(fetch)) return;
      if (waiting.length >= maxWaiting) {
        lost += 1;
        return;
      }
      waiting.push(fetch);
      begin();
    },
    drain: async () => {
      hurry.abort();
      for (let round = writing; round !== null; round = writing) await round;
    },
  };
}

const isSameClone = (a: RelayedFetch, b: RelayedFetch): boolean =>
  a.kind === "dumb" &&
  a.principal.id === b.principal.id &&
  a.repository === b.repository &&
  a.status === b.status &&
  a.userAgent === b.userAgent;
