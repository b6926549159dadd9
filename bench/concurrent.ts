/** Many pushes at once, and whether a Copilot stream that passes the same gateway is kept waiting by them. */
import { setTimeout as sleep } from "node:timers/promises";
import { inTurn, WAYS, type Benchmark, type Comparison, type StreamDelays, type Way } from "./benchmark.ts";
import { expectArrived, gitPush, sendGitPush, type SentPush } from "./git-push.ts";
import { formatMs } from "./report.ts";
import { makeBranches } from "./repositories.ts";
import { createMemoryPeak, makeTwin, removeTwin, withSetting, type Setting } from "./setting.ts";
import { startStreams, type Streams } from "./stream.ts";

const NAME = "50 pushes at once";
const PUSHES = 50;
const REPOSITORIES = 10;
const IDLE_MS = 4_000;
const BEARER = "bench-bearer";

export const concurrentBenchmark: Benchmark = {
  name: NAME,
  isBig: false,
  run: async (options) => {
    const streams = await startStreams();
    try {
      const copilot = { url: streams.url, bearer: BEARER };
      return await withSetting(options, { name: NAME, make: makeBranches(PUSHES), copilot }, (setting) =>
        measure(setting, streams),
      );
    } finally {
      await streams.close();
    }
  },
};

async function measure(
  setting: Setting,
  streams: Streams,
): Promise<{ readonly comparisons: Comparison[]; readonly streams: StreamDelays[] }> {
  const { options, gateway } = setting;
  const targets = {
    direct: { url: streams.url, authorization: `Bearer ${BEARER}` },
    through: { url: gateway.copilotUrl, authorization: `Bearer ${gateway.token}` },
  };
  for (const way of WAYS) {
    await makeTwin(setting, `warm-up-${way}`, null);
    await gitPush(setting, { way, name: `warm-up-${way}`, branch: "main" });
    await streams.beside(targets[way], () => Promise.resolve());
  }

  const memory = createMemoryPeak(setting);
  const times: Record<Way, number[]> = { direct: [], through: [] };
  const idle: Record<Way, number[]> = { direct: [], through: [] };
  const busy: Record<Way, number[]> = { direct: [], through: [] };
  for (let round = 1; round <= options.rounds; round++) {
    for (const way of inTurn(round)) {
      const names = Array.from({ length: REPOSITORIES }, (_, at) => `round-${round}-${way}-${at}`);
      for (const name of names) await makeTwin(setting, name, "main");
      const alone = await streams.beside(targets[way], () => sleep(IDLE_MS, undefined, { signal: options.signal }));
      idle[way].push(...alone.delays);
      const { result, delays } = await memory.watch(way, () =>
        streams.beside(targets[way], () => pushAll(setting, way, names)),
      );
      busy[way].push(...delays);
      for (const push of result.pushes) await expectArrived(setting, push);
      times[way].push(result.ms);
      options.progress(`round ${round} of ${options.rounds}, ${NAME}, ${way}: ${formatMs(result.ms)}`);
      for (const name of names) await removeTwin(setting, name);
    }
  }
  return {
    comparisons: [{ what: `${NAME}, to ${REPOSITORIES} repositories`, ...times, wanted: null, ...memory.use() }],
    streams: [
      { what: "direct, nothing beside it", delays: idle.direct },
      { what: "through Sallyport, nothing beside it", delays: idle.through },
      { what: "direct, beside 50 pushes sent direct", delays: busy.direct },
      { what: "through Sallyport, beside 50 pushes through it", delays: busy.through },
    ],
  };
}

/** Each to a branch of its own. @returns what became of them, and milliseconds until the last one had ended */
async function pushAll(
  setting: Setting,
  way: Way,
  names: readonly string[],
): Promise<{ readonly pushes: SentPush[]; readonly ms: number }> {
  const began = performance.now();
  const pushes = await Promise.all(
    Array.from({ length: PUSHES }, (_, at) => {
      const name = names[at % names.length] ?? "";
      return sendGitPush(setting, { way, name, branch: `work-${at}`, to: `work-${at}` });
    }),
  );
  return { pushes, ms: performance.now() - began };
}
