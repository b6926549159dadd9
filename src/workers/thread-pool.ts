/**
 * Threads that answer requests, each with a budget of time. Knows nothing of what they do: a thread's body is a module that posts
 * `{ ready: true }`, takes one request as a message and posts `{ answer }` or `{ error }`.
 *
 * A thread that does not answer in time is ended, whatever it is doing, and another one started: nothing that anybody sends can keep one.
 */
import { Worker } from "node:worker_threads";
import { GatewayError } from "../errors.ts";

export interface ThreadPool<Request, Answer> {
  /**
   * @param budgetMs from when a thread takes it up.
   * @throws GatewayError `inspection_failed` if there was no answer in time, if the thread failed, or if the pool is closed
   */
  run(request: Request, budgetMs: number): Promise<Answer>;
  /** Ends all threads; what runs or waits fails. */
  close(): Promise<void>;
}

export interface ThreadPoolOptions {
  /** JavaScript, also where the rest is TypeScript: Node loads it as it is. */
  readonly body: URL;
  /** Handed to every thread as `workerData`. */
  readonly data: unknown;
  readonly threads: number;
  /** Of each thread; one that needs more is ended, and the process goes on. */
  readonly heapMegabytes: number;
  /** What the requests are, for error texts: "looking for secrets". */
  readonly doing: string;
}

interface Job<Request, Answer> {
  readonly request: Request;
  readonly budgetMs: number;
  resolve(answer: Answer): void;
  reject(error: GatewayError): void;
}

const YOUNG_MEGABYTES = 12;
/** Loading the body and making ready what it works with: a second or two, many times that on a machine that is busy. */
const START_MS = 180_000;

const isOutOfMemory = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && cause.code === "ERR_WORKER_OUT_OF_MEMORY";

type Message<Answer> = { readonly ready: true } | { readonly answer: Answer } | { readonly error: string };

export function createThreadPool<Request, Answer>(options: ThreadPoolOptions): ThreadPool<Request, Answer> {
  const { body, data, heapMegabytes, doing } = options;
  const waiting: Job<Request, Answer>[] = [];
  const idle: Worker[] = [];
  const all = new Set<Worker>();
  const starting = new Set<Worker>();
  let isClosed = false;

  function start(): Worker {
    const worker = new Worker(body, {
      workerData: data,
      // The young generation of a thread grows to three times sixteen megabytes otherwise, for texts that are gone at once.
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes, maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    });
    // A pool that nobody closed keeps no process alive.
    worker.unref();
    worker.on("error", () => drop(worker));
    worker.on("exit", () => drop(worker));
    all.add(worker);
    starting.add(worker);
    return worker;
  }

  function drop(worker: Worker): void {
    all.delete(worker);
    starting.delete(worker);
    const at = idle.indexOf(worker);
    if (at >= 0) idle.splice(at, 1);
  }

  function next(): void {
    while (waiting.length > 0) {
      const worker = idle.pop() ?? (all.size < options.threads ? start() : undefined);
      if (worker === undefined) return;
      perform(worker, waiting.shift()!);
    }
  }

  function perform(worker: Worker, job: Job<Request, Answer>): void {
    worker.ref();
    let timer: NodeJS.Timeout | undefined;
    const giveUp = (message: string): void => {
      finish();
      drop(worker);
      void worker.terminate();
      job.reject(new GatewayError("inspection_failed", message));
      next();
    };
    const onTimeout = (): void => giveUp(`${doing} took more than ${job.budgetMs / 1000} seconds and was given up`);
    const onMessage = (message: Message<Answer>): void => {
      if ("ready" in message) {
        starting.delete(worker);
        clearTimeout(timer);
        timer = setTimeout(onTimeout, job.budgetMs);
        return;
      }
      finish();
      idle.push(worker);
      if ("answer" in message) job.resolve(message.answer);
      else job.reject(new GatewayError("inspection_failed", `${doing} failed: ${message.error}`));
      next();
    };
    const onEnd = (cause: unknown): void => {
      finish();
      drop(worker);
      const why = isOutOfMemory(cause) ? "its thread ran out of memory" : "its thread ended";
      job.reject(new GatewayError("inspection_failed", `${doing} failed: ${why}`, { cause }));
      next();
    };
    const finish = (): void => {
      clearTimeout(timer);
      worker.off("message", onMessage).off("error", onEnd).off("exit", onEnd);
      worker.unref();
    };
    worker.on("message", onMessage).on("error", onEnd).on("exit", onEnd);
    timer = starting.has(worker)
      ? setTimeout(() => giveUp(`${doing} failed: its thread did not start`), START_MS)
      : setTimeout(onTimeout, job.budgetMs);
    worker.postMessage(job.request, []);
  }

  return {
    run: (request, budgetMs) =>
      new Promise((resolve, reject) => {
        if (isClosed) {
          reject(new GatewayError("inspection_failed", `${doing} was asked for when its threads had been ended`));
          return;
        }
        waiting.push({ request, budgetMs, resolve, reject });
        next();
      }),
    close: async () => {
      isClosed = true;
      const error = new GatewayError("inspection_failed", `${doing} was cut off: the gateway stops`);
      for (const job of waiting.splice(0)) job.reject(error);
      await Promise.all([...all].map((worker) => worker.terminate()));
    },
  };
}
