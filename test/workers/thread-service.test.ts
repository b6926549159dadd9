import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import type { LogFields, Logger } from "../../src/model/log.ts";
import { startThreadService } from "../../src/workers/thread-service.ts";

/** As the build makes it: a thread's body is JavaScript. */
const SERVICE = new URL("../../dist/src/workers/thread-service.js", import.meta.url).href;
const ERRORS = new URL("../../dist/src/errors.js", import.meta.url).href;
const bodyOf = (open: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort, workerData } from "node:worker_threads";
      import { serveThread } from "${SERVICE}";
      import { GatewayError } from "${ERRORS}";
      serveThread(parentPort, async (log) => { ${open} });
    `)}`,
  );

const describeFailure = `describe: (error) => ({ code: "internal", message: "unforeseen " + error.name })`;
const body = bodyOf(`
  return {
    methods: {
      add: async (a, b) => a + b,
      data: async () => workerData,
      say: async () => log.warn({ count: 2 }, "two things"),
      refuse: async () => { throw new GatewayError("limit_exceeded", "It is full."); },
      stumble: async () => { throw new TypeError(["hun", "ter2"].join("")); },
      die: async () => { setImmediate(() => { throw new RangeError(["hun", "ter2"].join("")); }); await new Promise(() => {}); },
    },
    close: async () => log.info({}, "closed"),
    ${describeFailure},
  };
`);

interface Methods {
  add(a: number, b: number): Promise<number>;
  data(): Promise<string>;
  say(): Promise<void>;
  refuse(): Promise<void>;
  stumble(): Promise<void>;
}

const lines: { message: string; fields: LogFields }[] = [];
const note = (fields: LogFields, message: string): void => void lines.push({ message, fields });
const log: Logger = { debug: note, info: note, warn: note, error: note };

async function start() {
  const service = await startThreadService<Methods>({ body, data: "given", doing: "Adding", log });
  onTestFinished(() => service.close());
  return service;
}

test("methods are called in the thread, many at a time, and each call has its own answer", async () => {
  const service = await start();
  const sums = await Promise.all([1, 2, 3, 4].map((one) => service.call("add", one, 10)));
  expect(sums).toEqual([11, 12, 13, 14]);
  expect(await service.call("data")).toBe("given");
});

test("a failure keeps its code and text; of one that nobody foresaw, only what is safe to tell is told", async () => {
  const service = await start();
  await expect(service.call("refuse")).rejects.toMatchObject({ code: "limit_exceeded", message: "It is full." });
  await expect(service.call("stumble")).rejects.toMatchObject({ code: "internal", message: "unforeseen TypeError" });
  expect(await service.call("add", 1, 1)).toBe(2);
});

test("what the thread logs is logged here, and it is closed in order", async () => {
  const service = await startThreadService<Methods>({ body, data: null, doing: "Adding", log });
  lines.length = 0;
  await service.call("say");
  await service.close();
  expect(lines).toEqual([
    { message: "two things", fields: { count: 2 } },
    { message: "closed", fields: {} },
  ]);
  await expect(service.call("add", 1, 1)).rejects.toMatchObject({ code: "internal" });
});

test("a body that cannot be made ready says why", async () => {
  const unready = (open: string) => startThreadService({ body: bodyOf(open), data: null, doing: "Adding", log });
  await expect(unready(`throw new GatewayError("storage_failed", "No disk.");`)).rejects.toMatchObject({
    code: "storage_failed",
    message: "No disk.",
  });
  await expect(unready(`throw new TypeError("hunter2");`)).rejects.toMatchObject({
    code: "internal",
    message: "Adding failed at its start: TypeError",
  });
});

/** A process that starts the service and then does `then`. */
const run = (then: string) =>
  promisify(execFile)(process.execPath, [
    "--input-type=module",
    "-e",
    `import { startThreadService } from "${SERVICE}";
     const line = (fields, message) => console.log(JSON.stringify([message, fields]));
     const log = { debug: line, info: line, warn: line, error: line };
     const service = await startThreadService({ body: new URL(${JSON.stringify(body.href)}), data: null, doing: "Adding", log });
     ${then}`,
  ]);

test("a thread that fails takes the process with it, and nothing that it had in hand is told", async () => {
  const failed = await run(`await service.call("die"); console.log("went on");`).catch((error: unknown) => error);
  const { code, stdout, stderr } = failed as { code: number; stdout: string; stderr: string };
  expect(code).toBe(1);
  expect(stdout).toContain("Adding failed: its thread has ended, and the gateway ends with it. Start it again");
  expect(stdout).toContain("RangeError");
  expect(stdout + stderr).not.toMatch(/hunter2|went on/);
});

test("it keeps no process alive, but while a call waits for its answer", async () => {
  const { stdout } = await run(`console.log(await service.call("add", 1, 2));`);
  expect(stdout).toBe("3\n");
});
