import { GatewayError } from "../../errors.ts";

/** @throws GatewayError `database_unavailable` when the database takes longer; what comes of the work then is nobody's concern */
export function within<T>(ms: number, work: Promise<T>): Promise<T> {
  // A timer of its own, and no signal: an AbortError for each exchange that is in time would be most of what this costs.
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new GatewayError("database_unavailable", `The database did not answer within ${ms} ms.`)),
      ms,
    );
    const settle =
      <V>(end: (value: V) => void) =>
      (value: V): void => {
        clearTimeout(timer);
        end(value);
      };
    work.then(settle(resolve), settle(reject));
  });
}

/** Resolves when the work is done, however it ended, or the time is over. */
export function patiently(ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    timer.unref();
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    work.catch(() => {}).finally(end);
  });
}
