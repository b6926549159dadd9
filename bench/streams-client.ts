/** Many clients of a model at once, each asking again when its answer has ended. The body of a process. */
import http, { type IncomingMessage } from "node:http";

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
const AT = /"at":([\d.]+)/g;
const CHUNKS = 200;

async function ask(
  agent: http.Agent,
  command: ClientCommand,
  lane: number,
  into: { delays: number[]; first: number[] },
): Promise<"answered" | "refused"> {
  const isHeld = command.kind === "hold";
  const body = JSON.stringify({
    model: "gpt-4.1",
    stream: true,
    messages: [
      { role: "system", content: "You are a helpful assistant that writes code. ".repeat(40) },
      { role: "user", content: `Question ${lane} at ${clock()}` },
    ],
  });
  const began = performance.now();
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = http.request(`${command.url}/chat/completions`, {
      method: "POST",
      agent,
      headers: {
        authorization: command.authorization,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "x-client-session-id": `bench-${process.pid}-${lane}`,
        "x-chunks": String(isHeld ? command.seconds : CHUNKS),
        ...(isHeld ? { "x-chunk-ms": "1000" } : {}),
      },
    });
    request.on("response", resolve).on("error", reject);
    request.end(body);
  });
  if (command.kind === "sustain" && answer.statusCode === 503) {
    answer.resume();
    return "refused";
  }
  let sawEnd = false;
  let isFirst = true;
  for await (const chunk of answer) {
    const now = clock();
    if (isFirst) into.first.push(performance.now() - began);
    isFirst = false;
    const text = (chunk as Buffer).toString("latin1");
    for (const match of text.matchAll(AT)) into.delays.push(now - Number(match[1]));
    if (text.includes("[DONE]")) sawEnd = true;
  }
  if (answer.statusCode !== 200 || !sawEnd)
    throw new Error(`a stream was answered ${answer.statusCode}, and did not end well`);
  return "answered";
}

async function run(command: ClientCommand): Promise<Measured> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
  const into = { delays: [] as number[], first: [] as number[] };
  const until = performance.now() + command.seconds * 1_000;
  const counted = { answered: 0, refused: 0 };
  const lanes = Array.from({ length: command.streams }, async (_, lane) => {
    // They do not all come in one moment.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(4_000, command.seconds * 400)));
    do {
      counted[await ask(agent, command, lane, into)] += 1;
    } while (command.kind !== "hold" && performance.now() < until);
  });
  await Promise.all(lanes);
  agent.destroy();
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
