/**
 * Wakes who waits in any gateway when something has changed in the database (PostgreSQL's LISTEN and NOTIFY).
 *
 * A signal is a hint, never the news itself: it may come for nothing, and one sent while the connection was down is lost. So
 * whoever waits looks at the database first, then waits, then looks again, also when no signal came in time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import postgres from "postgres";
import type { DatabaseHandle, Queryable } from "./database.ts";

export interface Signals {
  /**
   * Sends a signal when the transaction commits (none if it rolls back).
   * @param channel what kind of thing, e.g. `approval`; without `:`
   * @param payload which one, e.g. its id; some hundred characters at most
   */
  notify(tx: Queryable, channel: string, payload: string): Promise<void>;
  /**
   * Waits for a signal. Called before the state is read, none is missed in between.
   * @returns true: look again (signalled, or the connection was down for a while); false: the time is over, or `signal` aborted
   */
  wait(
    channel: string,
    payload: string,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<boolean>;
  /** Ends the connection; everyone who still waits gets false. */
  close(): Promise<void>;
}

/** All signals share one channel of PostgreSQL's, so that one LISTEN on one connection serves any number of waiters. */
export const SIGNAL_CHANNEL = "sallyport";
const RETRY_MS = [100, 500, 1_000, 5_000] as const;

export function createSignals(handle: Pick<DatabaseHandle, "url">): Signals {
  const waiters = new Map<string, Set<(woken: boolean) => void>>();
  const closing = new AbortController();

  const wake = (key: string, woken: boolean) => {
    for (const waiter of waiters.get(key) ?? []) waiter(woken);
  };
  const wakeAll = (woken: boolean) => {
    for (const key of waiters.keys()) wake(key, woken);
  };

  const listening = keepListening(
    handle.url,
    closing.signal,
    (key) => wake(key, true),
    () => wakeAll(true),
  );

  return {
    async notify(tx, channel, payload) {
      await tx.execute(sql`select pg_notify(${SIGNAL_CHANNEL}, ${signalText(channel, payload)})`);
    },

    wait(channel, payload, { timeoutMs, signal }) {
      return new Promise((resolve) => {
        if (closing.signal.aborted || signal?.aborted === true) return resolve(false);
        const key = signalText(channel, payload);
        const here = waiters.get(key) ?? new Set();
        waiters.set(key, here);
        const end = (woken: boolean) => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", abort);
          here.delete(end);
          if (here.size === 0 && waiters.get(key) === here) waiters.delete(key);
          resolve(woken);
        };
        const abort = () => end(false);
        const timer = setTimeout(abort, timeoutMs);
        signal?.addEventListener("abort", abort, { once: true });
        here.add(end);
      });
    },

    async close() {
      closing.abort();
      wakeAll(false);
      await listening;
    },
  };
}

/** What is sent on it. */
export const signalText = (channel: string, payload: string): string => `${channel}:${payload}`;

/** Listens until `closing`; after a loss of the connection again, telling `onConnected` each time since signals may be lost. */
async function keepListening(
  url: string,
  closing: AbortSignal,
  onSignal: (key: string) => void,
  onConnected: () => void,
): Promise<void> {
  let failures = 0;
  while (!closing.aborted) {
    const lost = new AbortController();
    const options = {
      max: 1,
      idle_timeout: 0,
      // The driver's own limit would end a connection that only listens.
      max_lifetime: null,
      fetch_types: false,
      connect_timeout: 10,
      onnotice: () => {},
      connection: { application_name: "sallyport-signals" },
      onclose: () => lost.abort(),
      // Not in the driver's types, but what its own `listen` is made of; that one gives up for good when the database is away
      // at the moment it tries to connect again.
      onnotify: (_channel: string, payload: string) => onSignal(payload),
    };
    const client = postgres(url, options);
    try {
      await client.unsafe(`listen ${SIGNAL_CHANNEL}`);
      failures = 0;
      onConnected();
      await aborted(AbortSignal.any([closing, lost.signal]));
    } catch {
      // The database is away: the loop tries again, and who waits looks for themselves when their time is over.
    }
    await client.end({ timeout: 1 }).catch(() => {});
    const delay = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)];
    failures += 1;
    await sleep(delay, undefined, { signal: closing }).catch(() => {});
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
