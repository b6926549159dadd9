/**
 * `npm run bench`: what the gateway costs, always as a ratio to a named other thing in the same run. Loopback only; everything
 * is in a temporary directory that is gone afterwards, also after Ctrl-C.
 *
 * Usage: npm run bench -- [--rounds N] [--only TEXT]
 */
import { parseArgs } from "node:util";
import { benchPushes } from "./push.ts";

const USAGE =
  "Usage: npm run bench -- [--rounds N (1 to 50, default 3)] [--only TEXT (subjects whose name contains it)]\n";

function parseOptions(): { readonly rounds: number; readonly only: string } | null {
  try {
    const { values } = parseArgs({
      options: { rounds: { type: "string", default: "3" }, only: { type: "string", default: "" } },
    });
    const rounds = Number(values.rounds);
    return Number.isInteger(rounds) && rounds >= 1 && rounds <= 50 ? { rounds, only: values.only } : null;
  } catch {
    return null;
  }
}

const options = parseOptions();
if (options === null) {
  process.stderr.write(USAGE);
  process.exit(2);
}

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stopping.abort());

try {
  await benchPushes({
    ...options,
    signal: stopping.signal,
    searchPath: process.env["PATH"] ?? "/usr/bin:/bin",
    print: (text) => process.stdout.write(text),
    progress: (text) => process.stderr.write(`${text}\n`),
  });
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(stopping.signal.aborted ? "stopped\n" : `${text}\n`);
  process.exitCode = 1;
}
