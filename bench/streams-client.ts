/**
 * Many clients of a model at once, each asking again when its answer has ended. The body of a process. It shares the machine's cores with
 * what it measures, so it reads answers with as little as that takes: one buffer for all connections, no object for a chunk.
 */
import net from "node:net";
import { HttpAnswerParser } from "../src/copilot/streams/http-answer.ts";

export type ClientCommand = {
  /**
   * `run`: streams at the upstream's pace; `hold`: streams with a chunk a second; `sustain`: as `run`, for minutes, in which a machine that others
   * use may keep the database from answering in time: requests that are refused for that are counted.
   */
  readonly kind: "run" | "hold" | "sustain";
  readonly url: string;
  readonly authorization: string;
  readonly streams: number;
  readonly seconds: number;
};

export interface Measured {
  readonly kind: "measured";
  /** Milliseconds of each chunk, from the upstream's write. */
  readonly delays: readonly number[];
  /** Milliseconds from a request to the first byte of its answer. */
  readonly first: readonly number[];
  readonly exchanges: number;
  /** Requests answered 503: nothing is sent that cannot be recorded. */
  readonly refused: number;
}
export type ClientEvent = Measured | { readonly kind: "failed"; readonly message: string };

const clock = (): number => performance.timeOrigin + performance.now();
const CHUNKS = 200;
const READ = Buffer.allocUnsafeSlow(64 * 1024);
const AT = '"at":';
const DONE = "[DONE]";

interface Into {
  readonly delays: number[];
  readonly first: number[];
}

/** One connection, one request at a time, kept between them. */
class Lane {
  readonly #command: ClientCommand;
  readonly #number: number;
  readonly #into: Into;
  #socket: net.Socket | null = null;
  #parser = new HttpAnswerParser("POST");
  #began = 0;
  #isFirst = true;
  #sawEnd = false;
  /** What of an event's line has come. */
  #line = "";
  #settle: { readonly resolve: (status: number) => void; readonly reject: (error: Error) => void } | null = null;

  constructor(command: ClientCommand, number: number, into: Into) {
    this.#command = command;
    this.#number = number;
    this.#into = into;
  }

  async ask(): Promise<"answered" | "refused"> {
    this.#parser = new HttpAnswerParser("POST");
    this.#isFirst = true;
    this.#sawEnd = false;
    this.#line = "";
    const status = await new Promise<number>((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#began = performance.now();
      this.#send();
    });
    if (this.#command.kind === "sustain" && status === 503) return "refused";
    if (status !== 200 || !this.#sawEnd) throw new Error(`a stream was answered ${status}, and did not end well`);
    return "answered";
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  #send(): void {
    const { url, authorization, kind, seconds } = this.#command;
    const { host, hostname, port, pathname } = new URL(`${url}/chat/completions`);
    const body = JSON.stringify({
      model: "gpt-4.1",
      stream: true,
      messages: [
        { role: "system", content: "You are a helpful assistant that writes code. ".repeat(40) },
        { role: "user", content: `Question ${this.#number} at ${clock()}` },
      ],
    });
    const head = [
      `POST ${pathname} HTTP/1.1`,
      `Host: ${host}`,
      `Authorization: ${authorization}`,
      "Content-Type: application/json",
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Client-Session-Id: bench-${process.pid}-${this.#number}`,
      `X-Chunks: ${kind === "hold" ? seconds : CHUNKS}`,
      ...(kind === "hold" ? ["X-Chunk-Ms: 1000"] : []),
    ];
    this.#socket ??= this.#connect(hostname, Number(port));
    this.#socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  }

  #connect(host: string, port: number): net.Socket {
    const take = (length: number): boolean => {
      this.#take(length);
      return true;
    };
    const socket = net.connect({ host, port, noDelay: true, onread: { buffer: READ, callback: take } });
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => {
      this.#socket = null;
      this.#end(new Error("a connection was closed before its answer was whole"));
    });
    return socket;
  }

  #take(length: number): void {
    const now = clock();
    const parser = this.#parser;
    parser.take(READ, length);
    if (parser.bodyEnd > parser.bodyStart) {
      if (this.#isFirst) this.#into.first.push(performance.now() - this.#began);
      this.#isFirst = false;
      this.#read(READ.toString("latin1", parser.bodyStart, parser.bodyEnd), now);
    }
    if (parser.failure !== null) return this.#end(new Error(parser.failure));
    if (!parser.isWhole) return;
    if (!parser.isPersistent) this.close();
    this.#end(null);
  }

  #read(text: string, now: number): void {
    const lines = this.#line + text;
    const end = lines.lastIndexOf("\n");
    for (let at = lines.indexOf(AT); at !== -1 && at < end; at = lines.indexOf(AT, at + 1)) {
      this.#into.delays.push(now - Number.parseFloat(lines.slice(at + AT.length, at + AT.length + 20)));
    }
    this.#sawEnd ||= lines.includes(DONE);
    this.#line = lines.slice(end + 1);
  }

  #end(error: Error | null): void {
    const settle = this.#settle;
    this.#settle = null;
    if (error === null) settle?.resolve(this.#parser.head?.statusCode ?? 0);
    else settle?.reject(error);
  }
}

async function run(command: ClientCommand): Promise<Measured> {
  const into: Into = { delays: [], first: [] };
  const until = performance.now() + command.seconds * 1_000;
  const counted = { answered: 0, refused: 0 };
  const lanes = Array.from({ length: command.streams }, async (_, number) => {
    // They do not all come in one moment.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(4_000, command.seconds * 400)));
    const lane = new Lane(command, number, into);
    do {
      counted[await lane.ask()] += 1;
    } while (command.kind !== "hold" && performance.now() < until);
    lane.close();
  });
  await Promise.all(lanes);
  return { kind: "measured", ...into, exchanges: counted.answered, refused: counted.refused };
}

process.on("message", (command: ClientCommand) => {
  run(command).then(
    (event: ClientEvent) => process.send?.(event),
    (error: unknown) => process.send?.({ kind: "failed", message: String(error) }),
  );
});
process.send?.({ url: "" });
process.once("disconnect", () => process.exit());
