import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../../errors.ts";

/** @throws GatewayError `database_unavailable` when the database takes longer; what comes of the work then is nobody's concern */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = new AbortController();
  const timeout = sleep(ms, undefined, { signal: late.signal }).then(() => {
    throw new GatewayError("database_unavailable", `The database did not answer within ${ms} ms.`);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    late.abort();
    timeout.catch(() => {});
    work.catch(() => {});
  }
}
