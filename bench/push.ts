/**
 * What a push through the gateway costs beside the same push without it: same client repository, same commits, same upstream, in
 * the same run; whole, as git makes it of what was just committed, and its request alone.
 */
import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { inTurn, WAYS, type Benchmark, type Comparison, type Way } from "./benchmark.ts";
import { gitPush } from "./git-push.ts";
import { formatMs } from "./report.ts";
import type { PushStep, Subject } from "./repositories.ts";
import { preparePush, sendPush, type PreparedPush } from "./request.ts";
import {
  createMemoryPeak,
  loosenObjects,
  makeTwin,
  removeTwin,
  withSetting,
  type MemoryPeak,
  type Setting,
} from "./setting.ts";

export const pushBenchmark = (subject: Subject): Benchmark => ({
  name: subject.name,
  isBig: subject.diskBytes !== null,
  run: async (options) => {
    if (subject.diskBytes !== null) await checkDisk(subject.name, subject.diskBytes);
    // What takes minutes is there to show that it completes, and what memory it takes.
    const rounds = subject.diskBytes === null ? options.rounds : 1;
    return withSetting(options, subject, (setting) =>
      measure({ ...setting, options: { ...options, rounds } }, subject),
    );
  },
});

async function checkDisk(name: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(tmpdir());
  if (bavail * bsize >= needed) return;
  throw new Error(`“${name}” needs ${needed / 1024 ** 3} GiB in ${tmpdir()}: make room, or set TMPDIR`);
}

interface Samples {
  readonly direct: number[];
  readonly through: number[];
  readonly memory: MemoryPeak;
}

/** How a step's push is sent. @returns milliseconds */
type Send = (way: Way, name: string, step: PushStep) => Promise<number>;

async function measure(setting: Setting, subject: Subject): Promise<{ comparisons: Comparison[] }> {
  // Modules and connections that come with the first push of a process are nobody's cost per push.
  for (const way of WAYS) {
    await makeTwin(setting, `warm-up-${way}`, null);
    await gitPush(setting, { way, name: `warm-up-${way}`, branch: "main" });
  }
  const push: Send = (way, name, { branch }) => gitPush(setting, { way, name, branch });
  if (subject.diskBytes !== null) return { comparisons: await measureSteps(setting, subject.steps, "push", push) };

  const pack = await loosenObjects(setting);
  const whole = await measureSteps(setting, subject.steps, "push", push);
  await pack();
  const packed = subject.isPackedToo ? await measureSteps(setting, subject.steps.map(fromPacks), "packed", push) : [];

  const prepared = new Map<string, PreparedPush>();
  let before = "main";
  for (const { branch } of subject.steps) {
    prepared.set(branch, await preparePush(setting, before, branch));
    before = branch;
  }
  const requests = subject.steps.map((step) => ({
    ...step,
    row: `${step.row}: the request alone`,
    wanted: step.wantedAlone,
  }));
  const alone = await measureSteps(setting, requests, "request", (way, name, { branch }) => {
    const push = prepared.get(branch);
    if (push === undefined) throw new Error(`no request was made for ${branch}`);
    return sendPush(setting, way, name, push);
  });
  return { comparisons: [...whole, ...packed, ...alone] };
}

/** What git sends is all in packs that it made before, and it copies them: the gateway's own part is then most of what is added. */
const fromPacks = (step: PushStep): PushStep => ({
  ...step,
  row: `${step.row}: from a packed repository`,
  wanted: null,
});

/** @param prefix of names upstream; each round has new ones, of which no gateway's cache knows */
async function measureSteps(
  setting: Setting,
  steps: readonly PushStep[],
  prefix: string,
  send: Send,
): Promise<Comparison[]> {
  const { options } = setting;
  const rows = new Map<string, Samples>();
  for (let round = 1; round <= options.rounds; round++) {
    const nameOf = (way: Way): string => `${prefix}-${round}-${way}`;
    for (const way of WAYS) await makeTwin(setting, nameOf(way), "main");
    for (const [index, step] of steps.entries()) {
      const samples = rows.get(step.row) ?? { direct: [], through: [], memory: createMemoryPeak(setting) };
      rows.set(step.row, samples);
      for (const way of inTurn(round + index)) {
        const ms = await samples.memory.watch(way, () => send(way, nameOf(way), step));
        samples[way].push(ms);
        options.progress(`round ${round} of ${options.rounds}, ${step.row}, ${way}: ${formatMs(ms)}`);
      }
    }
    for (const way of WAYS) await removeTwin(setting, nameOf(way));
  }
  return [...rows].map(([what, { direct, through, memory }]) => ({
    what,
    direct,
    through,
    wanted: steps.find(({ row }) => row === what)?.wanted ?? null,
    ...memory.use(),
  }));
}
