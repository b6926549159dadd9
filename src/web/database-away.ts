// SQLSTATE classes 08 (connection) and 57P (the server shuts down or starts), postgres.js' own codes, and sockets.
const AWAY = /^(08...|57P0[1-5]|53300|CONNECTION_\w+|CONNECT_TIMEOUT|ECONN\w+|ENOENT|EPIPE|ETIMEDOUT)$/;

/** Whether an error means that the database cannot be reached now, as against a mistake of ours. */
export function isDatabaseAway(error: unknown): boolean {
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    if ("code" in cause && typeof cause.code === "string" && AWAY.test(cause.code)) return true;
  }
  return false;
}
