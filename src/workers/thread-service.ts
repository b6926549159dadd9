/**
 * Something with methods that lives in a thread of its own, and is called from here. Knows nothing of what it does: its body is a module
 * that hands what it made to {@link serveThread}.
 *
 * A thread that fails takes the process with it, as the same failure in the main thread would: what it had in hand is lost, and nobody
 * else knows what that was. It keeps no process alive but while a call waits for its answer.
 */
import { Worker, type MessagePort } from "node:worker_threads";
import { GatewayError, type GatewayErrorCode } from "../errors.ts";
import type { LogFields, Logger } from "../model/log.ts";

/** Methods that are called over a border: arguments and answers are copied (the structured clone algorithm). */
export type ServiceMethods<Methods> = { readonly [Name in keyof Methods]: (...args: never[]) => Promise<unknown> };

export interface ThreadService<Methods extends ServiceMethods<Methods>> {
  /** @throws GatewayError as the method does; `internal` for what it did not foresee, or once it is closed */
  call<Name extends keyof Methods & string>(
    method: Name,
    ...args: Parameters<Methods[Name]>
  ): Promise<Awaited<ReturnType<Methods[Name]>>>;
  /** Calls its `close`, and ends the thread. */
  close(): Promise<void>;
}

export interface ThreadServiceOptions {
  /** JavaScript, also where the rest is TypeScript: Node loads it as it is. */
  readonly body: URL;
  /** Handed to the thread as `workerData`. */
  readonly data: unknown;
  /** What it does, for error texts: "keeping records". */
  readonly doing: string;
  /** Where the thread's lines go. */
  readonly log: Logger;
}

interface Call {
  readonly call: number;
  readonly method: string;
  readonly args: readonly unknown[];
}
interface Failure {
  readonly code: GatewayErrorCode;
  readonly message: string;
}
/** No method has this name. */
const CLOSE = "";
type Level = keyof Logger;
type Said =
  | { readonly ready: true }
  | { readonly call: number; readonly answer: unknown }
  | { readonly call: number; readonly failure: Failure }
  /** A name where its own text may not be told. */
  | { readonly unready: Failure | string }
  | { readonly level: Level; readonly fields: LogFields; readonly message: string };

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: GatewayError): void;
}

/** The young generation of a thread grows to three times sixteen megabytes otherwise, for texts that are gone at once. */
const YOUNG_MEGABYTES = 12;

const errorOf = ({ code, message }: Failure): GatewayError => new GatewayError(code, message);

/** Resolves when the body is ready. @throws GatewayError where it cannot be */
export async function startThreadService<Methods extends ServiceMethods<Methods>>(
  options: ThreadServiceOptions,
): Promise<ThreadService<Methods>> {
  const { log, doing } = options;
  const worker = new Worker(options.body, {
    workerData: options.data,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
  });
  const waiting = new Map<number, Waiting>();
  let calls = 0;
  let isClosed = false;

  // Its own message may quote what it had in hand.
  const fail = (cause: unknown): never => {
    const failure =
      cause instanceof Error ? { name: cause.name, at: cause.stack?.split("\n    at ")[1] } : { exit: cause };
    const message = `${doing} failed: its thread has ended, and the gateway ends with it. Start it again`;
    log.error({ failure }, message);
    throw new GatewayError("internal", message);
  };

  await new Promise<void>((resolve, reject) => {
    worker.on("message", (said: Said) => {
      if ("ready" in said) return resolve();
      if ("unready" in said) {
        isClosed = true;
        const { unready } = said;
        const message = `${doing} failed at its start: ${typeof unready === "string" ? unready : ""}`;
        return reject(errorOf(typeof unready === "string" ? { code: "internal", message } : unready));
      }
      if ("level" in said) return log[said.level](said.fields, said.message);
      const waits = waiting.get(said.call);
      waiting.delete(said.call);
      if (waiting.size === 0) worker.unref();
      if ("failure" in said) waits?.reject(errorOf(said.failure));
      else waits?.resolve(said.answer);
    });
    worker.on("error", fail);
    worker.on("exit", (code) => {
      if (!isClosed) fail(code);
    });
  });
  worker.unref();

  const ask = (method: string, args: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (isClosed) {
        reject(new GatewayError("internal", `${doing} was asked for when it had been ended`));
        return;
      }
      calls += 1;
      const call: Call = { call: calls, method, args };
      worker.postMessage(call, []);
      if (waiting.size === 0) worker.ref();
      waiting.set(calls, { resolve, reject });
    });

  return {
    call: <Name extends keyof Methods & string>(method: Name, ...args: Parameters<Methods[Name]>) =>
      ask(method, args) as Promise<Awaited<ReturnType<Methods[Name]>>>,
    close: async () => {
      await ask(CLOSE, []);
      isClosed = true;
      await worker.terminate();
    },
  };
}

export interface ServedThread<Methods extends ServiceMethods<Methods>> {
  readonly methods: Methods;
  /** Called once, as the last of all. */
  readonly close: () => Promise<void>;
  /** What may be said of a failure that is no GatewayError: its own message may quote what it was given. */
  readonly describe: (error: unknown) => Failure;
}

/** The thread's end of it. */
export function serveThread<Methods extends ServiceMethods<Methods>>(
  port: MessagePort,
  open: (log: Logger) => Promise<ServedThread<Methods>>,
): void {
  const say = (said: Said): void => port.postMessage(said, []);
  const line =
    (level: Level) =>
    (fields: LogFields, message: string): void =>
      say({ level, fields, message });
  const log: Logger = { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
  const known = (error: unknown): Failure | null =>
    error instanceof GatewayError ? { code: error.code, message: error.message } : null;

  const serve = ({ methods, close, describe }: ServedThread<Methods>): void => {
    const all: Readonly<Record<string, (...args: never[]) => Promise<unknown>>> = { ...methods, [CLOSE]: close };
    port.on("message", ({ call, method, args }: Call) => {
      const run = async (): Promise<unknown> => all[method]?.(...(args as never[]));
      run().then(
        (answer) => say({ call, answer }),
        (error: unknown) => say({ call, failure: known(error) ?? describe(error) }),
      );
    });
    say({ ready: true });
  };
  open(log).then(serve, (error: unknown) => {
    say({ unready: known(error) ?? (error instanceof Error ? error.name : "unknown") });
  });
}
