import http from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { createLfsUpstream, type StorageRequest } from "../../../src/git/lfs/lfs-upstream.ts";
import type { GitConnection } from "../../../src/model/connection.ts";

interface Answer {
  readonly status: number;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string;
}

async function server(answer: (incoming: http.IncomingMessage) => Answer) {
  const seen: { url: string; headers: http.IncomingHttpHeaders }[] = [];
  const listening = http.createServer((incoming, outgoing) => {
    seen.push({ url: incoming.url ?? "", headers: incoming.headers });
    incoming.resume();
    const { status, headers = {}, body = "" } = answer(incoming);
    outgoing.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        listening.close(() => resolve());
        listening.closeAllConnections();
      }),
  );
  const { port } = listening.address() as AddressInfo;
  return { seen, port, url: `http://127.0.0.1:${port}/` };
}

function upstreamAt(url: string, credential: GitConnection["credential"] = { kind: "bearer", token: "gateways-own" }) {
  const connection: GitConnection = {
    kind: "git",
    name: "code",
    url,
    credential,
    allow: ["*"],
    access: null,
    dumb: "refuse",
  };
  const upstream = createLfsUpstream({ connection, version: "1", timeouts: { connectMs: 60_000, idleMs: 60_000 } });
  onTestFinished(() => upstream.close());
  return upstream;
}

const storageRequest = (href: string, more: Partial<StorageRequest> = {}): StorageRequest => ({
  method: "GET",
  action: { href, headers: {} },
  authenticated: false,
  headers: {},
  clientHeaders: { "user-agent": "git-lfs/3", authorization: "Basic Y2xpZW50", cookie: "a=b", "x-custom": "1" },
  signal: new AbortController().signal,
  ...more,
});

describe("the credential for an object", () => {
  const ask = async (request: (url: string) => StorageRequest, credential?: GitConnection["credential"]) => {
    const own = await server(() => ({ status: 200 }));
    const response = await upstreamAt(own.url, credential).fetchStorage(request(own.url));
    response.resume();
    return own.seen[0]?.headers;
  };

  it("is the gateway's at the upstream's own origin, where nothing else signs the request in", async () => {
    const headers = await ask((url) => storageRequest(`${url}object`));
    expect(headers).toMatchObject({ authorization: "Bearer gateways-own", "user-agent": "git-lfs/3" });
    expect(headers?.["x-custom"]).toBeUndefined();
    expect(headers?.cookie).toBeUndefined();
  });

  it("is the client's where the connection passes it on", async () => {
    const headers = await ask((url) => storageRequest(`${url}object`), { kind: "passthrough" });
    expect(headers).toMatchObject({ authorization: "Basic Y2xpZW50", cookie: "a=b" });
    expect(headers?.["x-custom"]).toBeUndefined();
  });

  it("is what the upstream gave for it, where it gave one", async () => {
    const action = (url: string) => ({ href: `${url}object`, headers: { authorization: "Bearer for-one-object" } });
    expect(await ask((url) => storageRequest("", { action: action(url) }))).toMatchObject({
      authorization: "Bearer for-one-object",
    });
    const signed = await ask((url) => storageRequest(`${url}object`, { authenticated: true }));
    expect(signed?.authorization).toBeUndefined();
  });

  it("goes to no other origin, whoever's it is", async () => {
    const own = await server(() => ({ status: 200 }));
    for (const credential of [{ kind: "bearer", token: "gateways-own" }, { kind: "passthrough" }] as const) {
      const other = await server(() => ({ status: 200 }));
      (await upstreamAt(own.url, credential).fetchStorage(storageRequest(other.url))).resume();
      expect(other.seen[0]?.headers).not.toHaveProperty("authorization");
      expect(other.seen[0]?.headers).not.toHaveProperty("cookie");
    }
  });
});

describe("a redirect", () => {
  it("is followed on its origin with the headers, and elsewhere without", async () => {
    const other = await server(() => ({ status: 200, body: "content" }));
    const own = await server(({ url }) =>
      url === "/a"
        ? { status: 302, headers: { location: "/b" } }
        : { status: 307, headers: { location: `${other.url}c` } },
    );
    const action = { href: `${own.url}a`, headers: { "x-token": "t" } };
    const request = storageRequest("", { action, headers: { range: "bytes=1-" } });
    const response = await upstreamAt(own.url).fetchStorage(request);
    response.resume();
    expect(response.statusCode).toBe(200);
    expect(own.seen.map(({ url, headers }) => [url, headers["x-token"]])).toEqual([
      ["/a", "t"],
      ["/b", "t"],
    ]);
    expect(other.seen[0]?.headers).toMatchObject({ range: "bytes=1-" });
    expect(other.seen[0]?.headers).not.toHaveProperty("x-token");
    expect(other.seen[0]?.headers).not.toHaveProperty("authorization");
  });

  it.each([
    ["round and round", (url: string) => `${url}again`],
    ["to the link's own addresses", () => "http://169.254.169.254/"],
    ["to another scheme", () => "file:///etc/passwd"],
    ["to nowhere", () => "http://["],
  ])("is not followed %s", async (_, location) => {
    const own = await server(() => ({ status: 302, headers: { location: location(own.url) } }));
    const followed = upstreamAt(own.url).fetchStorage(storageRequest(own.url));
    await expect(followed).rejects.toMatchObject({ code: "upstream_misbehaved" });
    expect(own.seen.length).toBeLessThanOrEqual(4);
  });

  it("of a question is not followed", async () => {
    const own = await server(() => ({ status: 301, headers: { location: "/elsewhere" } }));
    const called = upstreamAt(own.url).call("team/app", { method: "GET", path: "locks", clientHeaders: {} });
    await expect(called).rejects.toMatchObject({ code: "upstream_misbehaved" });
    expect(own.seen).toHaveLength(1);
  });
});

describe("an address inside", () => {
  it("is not asked where the upstream is elsewhere, however it is written", async () => {
    const inside = await server(() => ({ status: 200 }));
    const upstream = upstreamAt("http://upstream.invalid/");
    const hosts = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"];
    for (const host of hosts) {
      const asked = upstream.fetchStorage(storageRequest(`http://${host}:${inside.port}/`));
      await expect(asked, host).rejects.toMatchObject({ code: "upstream_misbehaved" });
    }
    expect(inside.seen).toEqual([]);
  });

  it("is asked where the upstream itself is", async () => {
    const own = await server(() => ({ status: 200 }));
    const inside = await server(() => ({ status: 200 }));
    const response = await upstreamAt(own.url).fetchStorage(storageRequest(`http://localhost:${inside.port}/`));
    response.resume();
    expect(response.statusCode).toBe(200);
  });
});

describe("a question", () => {
  it("goes to the repository's LFS address, with .git as git-lfs adds it", async () => {
    const own = await server(() => ({ status: 200, headers: { "content-type": "application/json" }, body: "{}" }));
    const upstream = upstreamAt(`${own.url}base/`);
    for (const path of ["team/app", "team/app.git", "a b/ü"]) {
      await upstream.call(path, { method: "GET", path: "locks?limit=1", clientHeaders: {} });
    }
    expect(own.seen.map(({ url }) => url)).toEqual([
      "/base/team/app.git/info/lfs/locks?limit=1",
      "/base/team/app.git/info/lfs/locks?limit=1",
      "/base/a%20b/%C3%BC.git/info/lfs/locks?limit=1",
    ]);
  });

  it.each([
    ["a page", { "content-type": "text/html" }, "<html>", null],
    ["broken JSON", { "content-type": "application/vnd.git-lfs+json" }, "{", null],
    ["JSON", { "content-type": "application/vnd.git-lfs+json; charset=utf-8" }, '{"a":1}', { a: 1 }],
  ])("is answered with %s", async (_, headers, body, json) => {
    const own = await server(() => ({ status: 200, headers, body }));
    const answer = await upstreamAt(own.url).call("x", { method: "GET", path: "locks", clientHeaders: {} });
    expect(answer).toEqual({ status: 200, json, headers: {} });
  });

  it("is not read on without end", async () => {
    const own = await server(() => ({ status: 200, body: "x".repeat(17 * 1024 * 1024) }));
    const called = upstreamAt(own.url).call("x", { method: "GET", path: "locks", clientHeaders: {} });
    await expect(called).rejects.toMatchObject({ code: "upstream_misbehaved" });
  });
});
