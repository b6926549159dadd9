/** A model's API that streams: one timer for all streams, each chunk with the moment of its writing in it. The body of a process. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const [chunkMs = "20", bearer = ""] = process.argv.slice(2);

interface Stream {
  readonly response: ServerResponse;
  /** Chunks that are still to come. */
  left: number;
  readonly everyMs: number;
  dueAt: number;
  /** Its head and its first chunk are in the connection's hands. */
  hasBegun: boolean;
}

/** Milliseconds that both processes agree on. */
const clock = (): number => performance.timeOrigin + performance.now();

const open = new Set<Stream>();

const EVENT = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-4.1","choices":[{"index":0,"delta":{"content":"`;

/** Node's own `write` of a chunked body is four pieces and a tick; what is measured shares the cores with this. */
function write(stream: Stream): void {
  const { response } = stream;
  // The moment stands beside the JSON that a client reads: what the gateway records of a chunk is the same for all.
  const event = `${EVENT}word ${stream.left} of an answer that goes on "}}],"at":${clock()}}\n\n`;
  stream.left -= 1;
  if (stream.hasBegun && response.socket !== null) {
    response.socket.write(`${event.length.toString(16)}\r\n${event}\r\n`, "latin1");
    return;
  }
  stream.hasBegun = true;
  response.write(event);
}

setInterval(() => {
  const now = clock();
  for (const stream of open) {
    if (now < stream.dueAt) continue;
    stream.dueAt += stream.everyMs;
    if (stream.left > 0) {
      write(stream);
      continue;
    }
    open.delete(stream);
    const last = {
      choices: [{ index: 0, delta: {}, finish_reason: "stop" }],
      usage: { prompt_tokens: 9, completion_tokens: 9 },
    };
    stream.response.end(`data: ${JSON.stringify(last)}\n\ndata: [DONE]\n\n`);
  }
}, 1);

const server = createServer((request, response) => {
  request.resume();
  if (request.method !== "POST") return void response.end("ok");
  if (request.headers.authorization !== `Bearer ${bearer}`) return void response.writeHead(401).end();
  // Not in step with each other, as people are not.
  const everyMs = Number(request.headers["x-chunk-ms"] ?? chunkMs);
  const chunks = Number(request.headers["x-chunks"] ?? 100);
  request.once("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    const stream: Stream = {
      response,
      left: chunks,
      everyMs,
      dueAt: clock() + Math.random() * everyMs,
      hasBegun: false,
    };
    write(stream);
    open.add(stream);
    response.once("close", () => open.delete(stream));
  });
});
// A pipe that keeps a connection asks on it again after a pause between two rounds: closed at that moment, it would fail.
server.keepAliveTimeout = 120_000;
server.listen(0, "127.0.0.1", () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.once("disconnect", () => process.exit());
