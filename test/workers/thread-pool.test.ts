import { afterEach, expect, test } from "vitest";
import { createThreadPool, type ThreadPool } from "../../src/workers/thread-pool.ts";

const body = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort, threadId, workerData } from "node:worker_threads";
    parentPort.on("message", (request) => {
      if (request === "hang") for (;;);
      if (request === "die") process.exit(3);
      if (request === "grow") for (const held = []; ; ) held.push(new Array(100_000).fill({}));
      if (request === "fail") parentPort.postMessage({ error: "TypeError" });
      else parentPort.postMessage({ answer: { request, threadId, workerData } });
    });
    parentPort.postMessage({ ready: true });
  `)}`,
);
interface Answer {
  readonly request: string;
  readonly threadId: number;
  readonly workerData: string;
}

let pool: ThreadPool<string, Answer> | undefined;
afterEach(() => pool?.close());
const start = (threads: number): ThreadPool<string, Answer> =>
  (pool = createThreadPool({ body, data: "data", threads, heapMegabytes: 64, doing: "Thinking" }));
const longEnough = 60_000;

test("requests are answered, in as many threads as there may be", async () => {
  const threads = start(2);
  const answers = await Promise.all(["a", "b", "c", "d", "e"].map((request) => threads.run(request, longEnough)));
  expect(answers.map(({ request }) => request)).toEqual(["a", "b", "c", "d", "e"]);
  expect(answers[0]!.workerData).toBe("data");
  expect(new Set(answers.map(({ threadId }) => threadId)).size).toBe(2);
});

test("what takes too long is given up and says so, and does not keep the others", async () => {
  const threads = start(1);
  const hanging = threads.run("hang", 100);
  const other = threads.run("a", longEnough);
  await expect(hanging).rejects.toMatchObject({
    code: "inspection_failed",
    message: "Thinking took more than 0.1 seconds and was given up",
  });
  expect(await other).toMatchObject({ request: "a" });
});

test("a thread that fails or ends fails its request alone", async () => {
  const threads = start(1);
  const requests = [threads.run("fail", longEnough), threads.run("die", longEnough), threads.run("a", longEnough)];
  const [failed, died, answered] = await Promise.allSettled(requests);
  expect(failed).toMatchObject({ reason: { code: "inspection_failed", message: "Thinking failed: TypeError" } });
  expect(died).toMatchObject({ reason: { message: "Thinking failed: its thread ended" } });
  expect(answered).toMatchObject({ value: { request: "a" } });
});

test("a thread that needs too much memory fails its request alone, and the process goes on", async () => {
  const threads = start(1);
  const [grown, answered] = await Promise.allSettled([threads.run("grow", longEnough), threads.run("a", longEnough)]);
  expect(grown).toMatchObject({
    reason: { code: "inspection_failed", message: "Thinking failed: its thread ran out of memory" },
  });
  expect(answered).toMatchObject({ value: { request: "a" } });
});

test("a closed pool answers nothing", async () => {
  const threads = start(1);
  const hanging = threads.run("hang", longEnough);
  const waiting = threads.run("a", longEnough);
  const both = Promise.allSettled([hanging, waiting]);
  await threads.close();
  expect(await both).toMatchObject([
    { reason: { code: "inspection_failed" } },
    { reason: { message: "Thinking was cut off: the gateway stops" } },
  ]);
  await expect(threads.run("a", longEnough)).rejects.toMatchObject({ code: "inspection_failed" });
});
