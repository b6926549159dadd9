import type { Logger } from "../../model/log.ts";
import type { Database } from "../../store/database.ts";
import { setLease } from "../../store/pushes.ts";

/** How long a gateway may be silent about a push that it works on before another one takes over. */
export const LEASE_MS = 30_000;

export const leaseEnd = (from: Date): Date => new Date(from.getTime() + LEASE_MS);

export interface Lease {
  renew(): void;
  /** Lets others take the push over. */
  release(): Promise<void>;
  /** Of renewing: the record of the end lets go of the lease as well. */
  stop(): void;
}

export interface LeaseDependencies {
  readonly db: Database;
  readonly log: Logger;
  readonly now: () => Date;
}

/** Renews a lease that was given just now. */
export function keepLease({ db, log, now }: LeaseDependencies, pushId: string): Lease {
  let renewing = Promise.resolve();
  let isReleased = false;
  const renew = (): void => {
    renewing = setLease(db, pushId, leaseEnd(now())).catch((error: unknown) => {
      log.warn({ push: pushId, error }, "the lease on a push could not be renewed");
    });
  };
  const timer = setInterval(renew, LEASE_MS / 3);
  const stop = (): void => clearInterval(timer);
  return {
    renew,
    stop,
    release: async () => {
      stop();
      if (isReleased) return;
      isReleased = true;
      // A renewal still on its way could arrive last, and nobody would touch the push until it has run out.
      await renewing;
      await setLease(db, pushId, null);
    },
  };
}
