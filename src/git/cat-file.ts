/** Objects of a repository by id, through `git cat-file` (its manual: "BATCH OUTPUT"). */
import { GatewayError } from "../errors.ts";
import { OutputReader, splitRecords } from "./git-output.ts";
import type { GitChild, GitCommand } from "./git-child.ts";
import type { Git } from "./process.ts";

export type ObjectType = "commit" | "tree" | "blob" | "tag";

export interface ObjectInfo {
  readonly oid: string;
  readonly type: ObjectType;
  /** Bytes, unpacked. */
  readonly size: number;
}

export interface MissingObject {
  /** What was asked for. */
  readonly name: string;
  readonly type: "missing";
}

/** Where to read, and for how long. */
export interface ReadContext {
  readonly git: Git;
  readonly gitDir: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Configuration that lets git fetch what is missing; absent: what is missing is an error. */
  readonly config?: readonly (readonly [string, string])[];
}

const UNREADABLE = "an object of the push, or one that it builds on, could not be read; push again";

export const unreadable = (): GatewayError => new GatewayError("inspection_failed", UNREADABLE);

/** Whether git could not read what should be there, as when a cached repository is damaged. */
export const isUnreadable = (error: unknown): boolean => error instanceof GatewayError && error.message === UNREADABLE;

export const readCommand = (context: ReadContext, args: readonly string[]): GitCommand => ({
  args,
  gitDir: context.gitDir,
  timeoutMs: context.timeoutMs,
  signal: context.signal,
  ...(context.config === undefined ? {} : { config: context.config }),
  failure: unreadable,
});

const ANSWER = /^([0-9a-f]{40,64}) (commit|tree|blob|tag) (\d+)$/;

function parseAnswer(line: string): ObjectInfo | MissingObject {
  const [, oid, type, size] = ANSWER.exec(line) ?? [];
  if (oid !== undefined) return { oid, type: type as ObjectType, size: Number(size) };
  if (line.endsWith(" missing")) return { name: line.slice(0, -" missing".length), type: "missing" };
  throw new GatewayError("inspection_failed", "git cat-file answered with something else than an object");
}

function* asLines(names: Iterable<string>): Generator<string> {
  let lines = "";
  for (const name of names) {
    lines += `${name}\n`;
    if (lines.length > 32 * 1024) {
      yield lines;
      lines = "";
    }
  }
  if (lines !== "") yield lines;
}

/**
 * Type and size of each object, in the order of asking.
 * @param names object ids, also with a suffix such as `^{commit}`
 * @throws GatewayError `inspection_failed`
 */
export async function* listObjects(
  context: ReadContext,
  names: Iterable<string>,
): AsyncGenerator<ObjectInfo | MissingObject, void, undefined> {
  const command = readCommand(context, ["cat-file", "--batch-check", "--buffer"]);
  const output = context.git.stream({ ...command, input: asLines(names) });
  for await (const records of splitRecords(output, 0x0a)) {
    for (const record of records) yield parseAnswer(record.toString("latin1"));
  }
}

/** The ids out of `names` that the repository does not have. */
export async function findMissing(context: ReadContext, oids: Iterable<string>): Promise<string[]> {
  const missing: string[] = [];
  for await (const object of listObjects(context, oids)) if (object.type === "missing") missing.push(object.name);
  return missing;
}

/**
 * Whole objects, in the order of asking: for commits, tags and trees, whose size the caller has bounded.
 * @throws GatewayError `inspection_failed`, also when one is missing
 */
export async function* readObjects(
  context: ReadContext,
  oids: Iterable<string>,
): AsyncGenerator<ObjectInfo & { readonly content: Buffer }, void, undefined> {
  const reader = new OutputReader(
    context.git.stream({ ...readCommand(context, ["cat-file", "--batch", "--buffer"]), input: asLines(oids) }),
  );
  try {
    for (let line = await reader.line(); line !== null; line = await reader.line()) {
      const info = parseAnswer(line);
      if (info.type === "missing") throw unreadable();
      const content = await reader.bytes(info.size + 1);
      yield { ...info, content: content.subarray(0, -1) };
    }
  } finally {
    await reader.close();
  }
}

/** An object whose content comes as it is read. It must be read to its end before anything else is asked of its reader. */
export interface OpenObject extends ObjectInfo {
  readonly chunks: AsyncGenerator<Buffer, void, undefined>;
}

/** One object after the other from one long-running git, for reading as one goes. */
export class ObjectReader {
  readonly #context: ReadContext;
  #child: GitChild | null = null;
  #reader: OutputReader | null = null;
  /** An answer is being read: what is asked now would be answered with what was asked before. */
  #isAnswering = false;

  constructor(context: ReadContext) {
    this.#context = context;
  }

  /** Starts git ahead of the first question. */
  start(): { readonly child: GitChild; readonly reader: OutputReader } {
    const child = this.#child ?? this.#context.git.start(readCommand(this.#context, ["cat-file", "--batch"]));
    if (this.#child === null) {
      const forget = (): void => this.#forget(child);
      child.ended.then(forget, forget);
    }
    this.#child = child;
    this.#reader ??= new OutputReader(child.stdout as AsyncIterable<Buffer>);
    return { child, reader: this.#reader };
  }

  /** One that has ended while nobody asked, as when a slow client kept it waiting for too long: the next question starts another. */
  #forget(child: GitChild): void {
    if (this.#child !== child || this.#isAnswering) return;
    this.#child = null;
    this.#reader = null;
  }

  /** Reading that is broken off starts git anew. @throws GatewayError `inspection_failed` */
  async open(oid: string): Promise<OpenObject | MissingObject> {
    const { child, reader } = this.#ask();
    await child.write(`${oid}\n`);
    const info = await this.#answer(child, reader);
    if (info.type !== "missing") return { ...info, chunks: this.#content(child, reader, info.size) };
    this.#isAnswering = false;
    return info;
  }

  /**
   * Few objects, in the order of asking: all are asked for at once.
   * @param room bytes that they may have together; it ends early before the one that goes beyond
   * @throws GatewayError `inspection_failed`
   */
  async *all(
    oids: readonly string[],
    room: number,
  ): AsyncGenerator<(ObjectInfo & { readonly content: Buffer }) | MissingObject, void, undefined> {
    const { child, reader } = this.#ask();
    let left = oids.length;
    let free = room;
    try {
      await child.write(`${oids.join("\n")}\n`);
      for (; left > 0; left--) {
        const info = await this.#answer(child, reader);
        if (info.type === "missing") {
          yield info;
          continue;
        }
        free -= info.size;
        if (free < 0) return;
        const content = await reader.bytes(info.size + 1).catch(brokenOff(child));
        yield { ...info, content: content.subarray(0, -1) };
      }
    } finally {
      if (left > 0) await this.close();
      this.#isAnswering = false;
    }
  }

  async close(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    this.#reader = null;
    await child?.stop();
    this.#isAnswering = false;
  }

  #ask(): { readonly child: GitChild; readonly reader: OutputReader } {
    if (this.#isAnswering) throw new GatewayError("internal", "an object was asked for while another was being read");
    this.#isAnswering = true;
    return this.start();
  }

  async #answer(child: GitChild, reader: OutputReader): Promise<ObjectInfo | MissingObject> {
    const line = await reader.line().catch(brokenOff(child));
    if (line === null) {
      await child.ended;
      throw unreadable();
    }
    return parseAnswer(line);
  }

  async *#content(child: GitChild, reader: OutputReader, size: number): AsyncGenerator<Buffer, void, undefined> {
    let isFinished = false;
    try {
      yield* reader.block(size);
      await reader.bytes(1);
      isFinished = true;
    } catch (error) {
      await brokenOff(child)(error);
    } finally {
      if (!isFinished) await this.close();
      this.#isAnswering = false;
    }
  }
}

/** Of a git that was stopped the output breaks off; why it was stopped says more than that. */
const brokenOff =
  (child: GitChild) =>
  async (cause: unknown): Promise<never> => {
    if (!(cause instanceof GatewayError)) {
      await child.stop();
      await child.ended;
    }
    throw cause;
  };
