/**
 * The body of a thread with a Copilot upstream and its client: an event loop of its own, so that what is told as the gateway's delay
 * is not the benchmark's. One clock for both ends.
 */
import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { startCopilotUpstream } from "../fixtures/copilot-upstream/server.ts";
import type { StreamCommand, StreamEvent } from "./stream.ts";

/** What a person's model answers in, about. */
const CHUNK_MS = 20;
const CHUNKS = 100;

const port = parentPort;
if (port === null) throw new Error("this is the body of a worker thread");
const tell = (event: StreamEvent): void => port.postMessage(event);

const upstream = await startCopilotUpstream();
/** When each chunk of the stream that runs was written. */
let written: number[] = [];
upstream.respondAlways({
  text: Array.from({ length: CHUNKS }, (_, at) => `word ${at} of an answer, `),
  beforeChunk: async (index) => {
    await sleep(CHUNK_MS);
    written[index] = performance.now();
  },
});

/** Chunks that are written later do not count: nothing is beside them any more. */
let until = 0;

/** @returns milliseconds of each chunk from the upstream's write to here */
async function readStream(url: string, authorization: string): Promise<number[]> {
  written = [];
  const request = http.request(`${url}/chat/completions`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    agent: false,
  });
  const answered = once(request, "response") as Promise<[IncomingMessage]>;
  request.end(JSON.stringify({ model: "gpt-4.1", stream: true, messages: [{ role: "user", content: "Go on." }] }));
  const [response] = await answered;
  const delays: number[] = [];
  let held = "";
  response.setEncoding("utf8").on("data", (text: string) => {
    const events = (held + text).split("\n\n");
    held = events.pop() ?? "";
    const now = performance.now();
    for (const _ of events) delays.push(now - (written[delays.length] ?? Number.NaN));
  });
  await once(response, "end");
  if (response.statusCode !== 200 || delays.length < CHUNKS || delays.length !== written.length) {
    throw new Error(`a stream was answered ${response.statusCode}, with ${delays.length} of ${written.length} chunks`);
  }
  return delays.filter((_, at) => (written[at] ?? 0) < until);
}

async function readUntilStopped(url: string, authorization: string): Promise<number[]> {
  const delays: number[] = [];
  do delays.push(...(await readStream(url, authorization)));
  while (performance.now() < until);
  return delays;
}

port.on("message", (command: StreamCommand) => {
  if (command.kind === "stop") {
    until = performance.now();
    return;
  }
  until = Number.POSITIVE_INFINITY;
  readUntilStopped(command.url, command.authorization).then(
    (delays) => tell({ kind: "ended", delays }),
    (error: unknown) => tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) }),
  );
});
tell({ kind: "listening", url: upstream.url });
