/** How fast objects come out of the upstream, with the gateway in between and without. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import http, { type IncomingMessage } from "node:http";
import path from "node:path";
import { promisify } from "node:util";
import { DELIM_PKT, encodePktLine, FLUSH_PKT } from "../src/git/pkt-line.ts";
import { inTurn, WAYS, type Benchmark, type Transfer, type Way } from "./benchmark.ts";
import { formatMs } from "./report.ts";
import { makeClonable } from "./repositories.ts";
import {
  addressOf,
  clientTip,
  createMemoryPeak,
  gitEnvironment,
  makeTwin,
  withSetting,
  type Setting,
} from "./setting.ts";

const NAME = "clone of 300 MB";
const BYTES = 300 * 1024 * 1024;
const REPOSITORY = "source";

const run = promisify(execFile);

export const cloneBenchmark: Benchmark = {
  name: NAME,
  isBig: false,
  run: (options) =>
    withSetting(options, { name: NAME, make: makeClonable }, async (setting) => {
      await makeTwin(setting, REPOSITORY, "main");
      return {
        transfers: [
          await measure(setting, "git clone of 300 MB", clone),
          await measure(setting, "a fetch request of 300 MB alone", fetchPack),
        ],
      };
    }),
};

/** @returns milliseconds */
type Fetch = (setting: Setting, way: Way) => Promise<number>;

async function measure(setting: Setting, what: string, fetch: Fetch): Promise<Transfer> {
  const { options } = setting;
  const speeds: Record<Way, number[]> = { direct: [], through: [] };
  const memory = createMemoryPeak(setting);
  // The upstream's files are in the kernel's cache from then on.
  for (const way of WAYS) await fetch(setting, way);
  for (let round = 1; round <= options.rounds; round++) {
    for (const way of inTurn(round)) {
      const ms = await memory.watch(way, () => fetch(setting, way));
      speeds[way].push((BYTES / ms) * 1000);
      options.progress(`round ${round} of ${options.rounds}, ${what}, ${way}: ${formatMs(ms)}`);
    }
  }
  return { what, ...speeds, ...memory.use() };
}

async function clone(setting: Setting, way: Way): Promise<number> {
  const address = addressOf(setting, way, REPOSITORY);
  const env = gitEnvironment(setting, address);
  const directory = path.join(setting.directory, "clone.git");
  try {
    const began = performance.now();
    await run("git", ["clone", "-q", "--bare", address.url, directory], { env, signal: setting.options.signal });
    const ms = performance.now() - began;
    const { stdout } = await run("git", ["rev-parse", "refs/heads/main"], { cwd: directory, env });
    if (stdout.trim() !== (await clientTip(setting, "main"))) throw new Error(`a clone (${way}) has another main`);
    return ms;
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What `git clone` asks for by protocol version 2 (gitprotocol-v2, "fetch"); the answer is counted and forgotten. */
async function fetchPack(setting: Setting, way: Way): Promise<number> {
  const { url, authorization } = addressOf(setting, way, REPOSITORY);
  const want = await clientTip(setting, "main");
  const began = performance.now();
  const request = http.request(`${url}/git-upload-pack`, {
    method: "POST",
    headers: { authorization, "content-type": "application/x-git-upload-pack-request", "git-protocol": "version=2" },
    agent: false,
    signal: setting.options.signal,
  });
  const answered = once(request, "response") as Promise<[IncomingMessage]>;
  request.end(
    Buffer.concat([
      encodePktLine("command=fetch\n"),
      DELIM_PKT,
      ...["ofs-delta\n", `want ${want}\n`, "done\n"].map(encodePktLine),
      FLUSH_PKT,
    ]),
  );
  const [response] = await answered;
  let bytes = 0;
  response.on("data", (chunk: Buffer) => (bytes += chunk.length));
  await once(response, "end");
  const ms = performance.now() - began;
  if (response.statusCode !== 200 || bytes < BYTES) {
    throw new Error(`a fetch (${way}) was answered ${response.statusCode} with ${bytes} bytes`);
  }
  return ms;
}
