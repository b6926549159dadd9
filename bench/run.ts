/**
 * `npm run bench`: what the gateway costs, always as a ratio to a named other thing in the same run.
 * Usage: npm run bench -- [--rounds N] [--only TEXT]
 */
import { parseArgs } from "node:util";
import { benchPushes } from "./push.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
  },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50) {
  console.error("--rounds wants a whole number from 1 to 50");
  process.exit(2);
}

await benchPushes({ rounds, only: values.only });
