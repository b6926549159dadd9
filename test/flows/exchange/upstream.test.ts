import { execFile } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { createUpstreams, type UpstreamRequest, type Upstreams } from "../../../src/flows/exchange/upstream.ts";
import { readAnswerBody, type UpstreamAnswer } from "../../../src/flows/exchange/upstream-answer.ts";
import { makeCertificate } from "../../harness/certificate.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Upstream {
  readonly url: string;
  readonly connections: Socket[];
  /** What has been asked on each connection, in order. */
  readonly asked: string[][];
}

/** Says whatever it is told to, once a request has come whole: no HTTP of its own, as an upstream may have none. */
async function listen(
  answer: (socket: Socket, at: { connection: number; request: number }) => void,
): Promise<Upstream> {
  const connections: Socket[] = [];
  const asked: string[][] = [];
  const server = createServer((socket) => {
    const connection = connections.push(socket) - 1;
    const own: string[] = [];
    asked.push(own);
    let came = "";
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      came += bytes.toString("latin1");
      const head = came.indexOf("\r\n\r\n");
      const size = Number(/content-length: (\d+)/.exec(came)?.[1] ?? 0);
      if (head === -1 || came.length < head + 4 + size) return;
      own.push(came.slice(0, head + 4 + size));
      came = came.slice(head + 4 + size);
      answer(socket, { connection, request: own.length - 1 });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => {
    for (const socket of connections) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, connections, asked };
}

function upstreams(): Upstreams {
  const made = createUpstreams();
  closing.push(() => made.close());
  return made;
}

const ask = (url: string, more: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  url: new URL(`${url}/chat?x=1`),
  method: "POST",
  headers: { host: "model", "x-two": ["a", "b"] },
  body: Buffer.from("{}"),
  signal: new AbortController().signal,
  idleMs: 60_000,
  ...more,
});

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

const bodyOf = async (answer: UpstreamAnswer): Promise<string | null> =>
  (await readAnswerBody(answer, 1_000_000, new AbortController().signal))?.toString() ?? null;

/** What a reader hears, in words; resolves at its end. */
const heard = (answer: UpstreamAnswer): Promise<readonly string[]> =>
  new Promise((resolve) => {
    const words: string[] = [];
    const over = (word: string) => (): void => resolve([...words, word]);
    answer.read({ take: (chunk) => void words.push(chunk.toString()), end: over("END"), cut: over("CUT") });
  });

test("a request goes out once, with its headers and its length, and the next one on the same connection", async () => {
  const { url, asked } = await listen((socket) => socket.write(OK));
  const pool = upstreams();
  expect(await bodyOf(await pool.send(ask(url)))).toBe("ok");
  expect(await bodyOf(await pool.send(ask(url, { body: null, method: "GET" })))).toBe("ok");
  expect(asked).toEqual([
    [
      "POST /chat?x=1 HTTP/1.1\r\nhost: model\r\nx-two: a\r\nx-two: b\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\n{}",
      "GET /chat?x=1 HTTP/1.1\r\nhost: model\r\nx-two: a\r\nx-two: b\r\nconnection: keep-alive\r\n\r\n",
    ],
  ]);
});

test("a POST without a body says so; a header that would be two is not sent", async () => {
  const { url, asked } = await listen((socket) => socket.write(OK));
  await bodyOf(await upstreams().send(ask(url, { body: null })));
  expect(asked[0]?.[0]).toContain("content-length: 0\r\n");
  for (const headers of [{ "x-a": "b\r\nc: d" }, { "x a": "b" }]) {
    await expect(upstreams().send(ask(url, { headers }))).rejects.toThrow(TypeError);
  }
  expect(asked.flat()).toHaveLength(1);
});

test("requests at one moment have a connection each, and what comes of them is not mixed", async () => {
  const { url, connections } = await listen((socket, { connection }) => {
    socket.write(`${CHUNKED}3\r\n<${connection}>\r\n`);
    socket.write("0\r\n\r\n");
  });
  const pool = upstreams();
  const bodies = await Promise.all([0, 1, 2].map(async () => bodyOf(await pool.send(ask(url)))));
  expect(new Set(bodies)).toEqual(new Set(["<0>", "<1>", "<2>"]));
  expect(connections).toHaveLength(3);
});

test.each([
  ["says so", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"],
  ["is of HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"],
  ["is to end within a second", "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok"],
  ["brings more than was asked for", `${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`],
])("a connection that %s takes no second request", async (_why, answer) => {
  const { url, connections } = await listen((socket, { connection }) => socket.write(connection === 0 ? answer : OK));
  const pool = upstreams();
  expect(await bodyOf(await pool.send(ask(url)))).toBe("ok");
  expect(await bodyOf(await pool.send(ask(url)))).toBe("ok");
  expect(connections).toHaveLength(2);
});

test("what comes on a connection that waits is nobody's answer", async () => {
  const { url, connections } = await listen((socket) => socket.write(OK));
  const pool = upstreams();
  expect(await bodyOf(await pool.send(ask(url)))).toBe("ok");
  const [first] = connections as [Socket];
  const closed = once(first, "close");
  first.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  await closed;
  expect(await bodyOf(await pool.send(ask(url)))).toBe("ok");
  expect(connections).toHaveLength(2);
});

test("a kept connection that closes at the next request: it is sent once more, on a new one", async () => {
  const { url, asked } = await listen((socket, { connection, request }) => {
    if (connection === 0 && request === 1) socket.destroy();
    else socket.write(OK);
  });
  const pool = upstreams();
  await bodyOf(await pool.send(ask(url)));
  expect(await bodyOf(await pool.send(ask(url)))).toBe("ok");
  expect(asked.map((own) => own.length)).toEqual([2, 1]);
});

test("it is not sent again where some of an answer has come, nor on a connection of its own", async () => {
  const { url, asked } = await listen((socket, { connection, request }) => {
    if (connection === 0 && request === 0) return void socket.write(OK);
    socket.end(request === 1 ? "HTTP/1.1 200 O" : "");
  });
  const pool = upstreams();
  await bodyOf(await pool.send(ask(url)));
  for (let time = 0; time < 2; time += 1) {
    await expect(pool.send(ask(url))).rejects.toMatchObject({ code: "upstream_unreachable" });
  }
  expect(asked.map((own) => own.length)).toEqual([2, 1]);
});

test.each([
  ["is cut within a chunk", `${CHUNKED}5\r\nabc`, ["abc", "CUT"]],
  ["is cut between chunks", `${CHUNKED}3\r\nabc\r\n`, ["abc", "CUT"]],
  ["is shorter than its length", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", ["abc", "CUT"]],
  ["breaks the protocol", `${CHUNKED}3\r\nabcX`, ["abc", "CUT"]],
  ["ends with its connection", "HTTP/1.1 200 OK\r\n\r\nabc", ["abc", "END"]],
])("an answer that %s", async (_what, bytes, words) => {
  const { url } = await listen((socket) => socket.end(bytes));
  expect(await heard(await upstreams().send(ask(url)))).toEqual(words);
});

test("what is no HTTP, and a door that is closed, cannot be reached", async () => {
  const { url, connections } = await listen((socket) => socket.write("220 mail.example ESMTP\r\n\r\n"));
  await expect(upstreams().send(ask(url))).rejects.toMatchObject({
    code: "upstream_unreachable",
    message: expect.stringContaining("does not begin as HTTP/1.1") as string,
  });
  await once(connections[0] as Socket, "close");
  await expect(upstreams().send(ask("http://127.0.0.1:9"))).rejects.toMatchObject({
    code: "upstream_unreachable",
    message: expect.stringContaining("ECONNREFUSED") as string,
  });
});

test("over TLS: on one connection where somebody vouches for its certificate and its name, else not at all", async () => {
  const pair = makeCertificate({ names: ["localhost"] });
  const server = createTlsServer({ cert: pair.certificate, key: pair.key });
  let connections = 0;
  server.on("secureConnection", (socket) => {
    connections += 1;
    socket.on("error", () => {});
    socket.on("data", () => socket.write(OK));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const url = `https://localhost:${port}`;
  await expect(upstreams().send(ask(url))).rejects.toMatchObject({ code: "upstream_unreachable" });
  expect(connections).toBe(0);

  const directory = await mkdtemp(path.join(tmpdir(), "sallyport-upstream-tls-"));
  closing.push(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, "ca.pem");
  await writeFile(file, pair.certificate);
  // Certificates of one's own are read when a process starts.
  const program = `
    import { createUpstreams } from ${JSON.stringify(new URL("../../../dist/src/flows/exchange/upstream.js", import.meta.url).href)};
    import { readAnswerBody } from ${JSON.stringify(new URL("../../../dist/src/flows/exchange/upstream-answer.js", import.meta.url).href)};
    const pool = createUpstreams();
    const never = new AbortController().signal;
    for (const url of ["https://localhost:${port}", "https://localhost:${port}", "https://127.0.0.1:${port}"]) {
      const request = { url: new URL(url), method: "GET", headers: { host: "x" }, body: null, signal: never, idleMs: 60000 };
      const body = await pool.send(request).then((answer) => readAnswerBody(answer, 100, never), (error) => error.code);
      console.log(String(body));
    }
    pool.close();`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: file },
  });
  expect(stdout.trim().split("\n")).toEqual(["ok", "ok", "upstream_unreachable"]);
  // The certificate names no address: the last one was left in the handshake, or just behind it.
  expect(connections).toBeGreaterThanOrEqual(1);
  expect(connections).toBeLessThanOrEqual(2);
});

test("an upstream that says nothing, or nothing more, is given up", async () => {
  const { url } = await listen((socket, { connection }) => {
    if (connection === 1) socket.write(`${CHUNKED}3\r\nabc\r\n`);
  });
  await expect(upstreams().send(ask(url, { idleMs: 80 }))).rejects.toMatchObject({
    message: expect.stringContaining("silent for 0.08 s") as string,
  });
  expect(await heard(await upstreams().send(ask(url, { idleMs: 80 })))).toEqual(["abc", "CUT"]);
});

test("a client that leaves before the answer takes its connection with it", async () => {
  const leaving = new AbortController();
  const { url, connections } = await listen(() => leaving.abort());
  const pool = upstreams();
  await expect(pool.send(ask(url, { signal: leaving.signal }))).rejects.toMatchObject({ code: "client_gone" });
  await once(connections[0] as Socket, "close");
  await expect(pool.send(ask(url, { signal: leaving.signal }))).rejects.toMatchObject({ code: "client_gone" });
  expect(connections).toHaveLength(1);
});

test("an answer that is given up is not read any more, and its connection is gone", async () => {
  const { url, connections } = await listen((socket) => socket.write(`${CHUNKED}3\r\nabc\r\n`));
  const answer = await upstreams().send(ask(url));
  const words: string[] = [];
  const first = new Promise<void>((resolve) => {
    answer.read({
      take: (chunk) => {
        words.push(chunk.toString());
        answer.destroy();
        resolve();
      },
      end: () => words.push("END"),
      cut: () => words.push("CUT"),
    });
  });
  await first;
  await once(connections[0] as Socket, "close");
  expect(words).toEqual(["abc"]);
});

test("an upstream is read no faster than its reader takes it, and nothing is lost", async () => {
  const size = 32 * 1024 * 1024;
  let isDone = false;
  const { url } = await listen((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
    socket.write(Buffer.alloc(size, "x"), () => (isDone = true));
  });
  const answer = await upstreams().send(ask(url));
  let bytes = 0;
  let whileHeld = 0;
  await new Promise<void>((resolve) => {
    answer.read({
      take: (chunk) => {
        bytes += chunk.length;
        if (bytes > chunk.length) return;
        answer.pause();
        // Longer than it takes to send what nobody holds back.
        setTimeout(() => {
          whileHeld = bytes;
          expect(isDone).toBe(false);
          answer.resume();
        }, 100);
      },
      end: resolve,
      cut: resolve,
    });
  });
  expect(whileHeld).toBeLessThan(1024 * 1024);
  expect(bytes).toBe(size);
});

test("an answer before the request has left whole ends its connection", async () => {
  const { url, connections } = await listen(() => {});
  const pool = upstreams();
  const sending = pool.send(ask(url, { body: Buffer.alloc(64 * 1024 * 1024) }));
  while (connections.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const [first] = connections as [Socket];
  first.pause();
  first.write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
  const answer = await sending;
  expect([answer.statusCode, await bodyOf(answer)]).toEqual([413, "no"]);
  first.resume();
  await once(first, "close");
});

test("bodies have a cap, and can be stopped", async () => {
  const { url, connections } = await listen((socket) => socket.write(`${CHUNKED}3\r\nabc\r\n`));
  const never = new AbortController().signal;
  expect(await readAnswerBody(await upstreams().send(ask(url)), 2, never)).toBeNull();
  await once(connections[0] as Socket, "close");
  const stop = new AbortController();
  const reading = readAnswerBody(await upstreams().send(ask(url)), 100, stop.signal);
  stop.abort();
  expect(await reading).toBeNull();
  await once(connections[1] as Socket, "close");
});
