import http from "node:http";
import { describe, expect, it } from "vitest";
import { lfsClient, messageOf, noise, sha256, sharedLfsWorld } from "../harness/lfs.ts";
import { plantedAwsKey } from "../harness/planted.ts";
import { basic } from "../harness/raw-push.ts";
import type { Person } from "../harness/world.ts";

const shared = sharedLfsWorld({
  connections: {},
  connection: {
    access: [
      { repositories: ["team/**"], read: ["eng", "readers"], write: ["eng", "writers"] },
      { repositories: ["hidden/**"], read: ["ops"], write: ["ops"] },
    ],
  },
});

const people = new Map<string, Promise<Person>>();
const person = (name: string, group = "eng"): Promise<Person> => {
  const known = people.get(name) ?? shared().world.person(`${name}@example.com`, [group]);
  people.set(name, known);
  return known;
};

const ana = async (repository = "team/app") => lfsClient(shared().world, await person("ana"), repository);

const objectOf = (content: Uint8Array) => ({ oid: sha256(content), size: content.length });

const recorded = async (oid: string): Promise<Record<string, unknown>[]> => {
  const { sql } = shared().world.database;
  return sql`select repository, bytes from lfs_objects where oid = ${oid}`;
};

const events = async (oid: string): Promise<{ kind: string; data: Record<string, unknown> }[]> => {
  const { sql } = shared().world.database;
  return sql`select kind, data from events where subject = ${oid} order by seq`;
};

describe("an object on its way up", () => {
  it("is hashed, recorded, and reaches the store whole, with the store's own headers and nothing of the client's", async () => {
    const { world, lfs } = shared();
    const client = await ana();
    const content = noise(100_000, "up");
    const { oid } = objectOf(content);

    const [object] = await client.batch("upload", [objectOf(content)]);
    const { upload, verify } = object?.actions ?? {};
    expect(upload?.href).toBe(`${world.url}/git/code/team/app.git/info/lfs/sallyport/upload/${oid}`);
    expect(JSON.stringify(object)).not.toContain(new URL(lfs.storageUrl).port);
    expect(object).not.toHaveProperty("authenticated");
    if (upload === undefined || verify === undefined) throw new Error("both actions are offered");
    expect(await recorded(oid)).toEqual([]);
    expect((await client.act("PUT", upload, content)).status).toBe(200);

    expect(lfs.objects.get(`team/app/${oid}`)).toMatchObject({ bytes: content.length, sha256: oid });
    const put = lfs.requests.find(({ method, url }) => method === "PUT" && url.endsWith(oid));
    expect(put?.headers).toMatchObject({ "content-length": "100000", "content-type": "application/octet-stream" });
    expect(put?.headers["authorization"]).toBeUndefined();
    expect(put?.headers["sallyport-ticket"]).toBeUndefined();
    expect(await recorded(oid)).toEqual([{ repository: "code/team/app", bytes: "100000" }]);

    expect((await client.act("POST", verify, Buffer.from(JSON.stringify(objectOf(content))))).status).toBe(200);
    expect(lfs.verified.has(oid)).toBe(true);
  });

  it("is not asked for again once the upstream has it", async () => {
    const client = await ana();
    const content = noise(500, "again");
    expect((await client.upload(content)).status).toBe(200);
    expect(await client.batch("upload", [objectOf(content)])).toEqual([objectOf(content)]);
  });

  it.each([
    ["in clear", Buffer.from(`nothing\nkey = ${plantedAwsKey}\n`), 2],
    [
      "between binary bytes",
      Buffer.concat([noise(300_000, "b"), Buffer.from(`\0${plantedAwsKey}\0`), noise(9, "c")]),
      null,
    ],
    ["in UTF-16", Buffer.from(`\ufeffkey = ${plantedAwsKey}\n`, "utf16le"), 1],
  ])("is refused with a secret in it, %s", async (_, content, line) => {
    const { world, lfs } = shared();
    const client = await ana();
    const { oid } = objectOf(content);

    const answer = await client.upload(content);

    expect(answer.status).toBe(403);
    expect(answer.headers["content-type"]).toBe("application/vnd.git-lfs+json");
    expect(messageOf(answer)).toContain("1 secret found (aws-access-key in line ");
    expect(lfs.objects.has(`team/app/${oid}`)).toBe(false);
    expect(lfs.requests.filter(({ method, url }) => method === "PUT" && url.includes(oid))).toEqual([]);
    expect(await recorded(oid)).toEqual([]);
    const [event] = await events(oid);
    expect(event).toMatchObject({
      kind: "lfs.rejected",
      data: { findings: [{ severity: "block", ...(line === null ? {} : { line }) }] },
    });
    expect(await world.dumpDatabase()).not.toContain(plantedAwsKey);
    expect(world.logText()).not.toContain(plantedAwsKey);

    // git-lfs asks again: the question itself is refused now, with the text that it shows.
    const [again] = await client.batch("upload", [objectOf(content)]);
    expect(again?.error).toEqual({ code: 403, message: messageOf(answer) });
    expect(again).not.toHaveProperty("actions");
  });

  it.each([
    ["with other content", (content: Buffer) => Buffer.from(content).fill(0, 0, 1), /another SHA-256/],
    ["cut short", (content: Buffer) => content.subarray(0, -1), /has 999 bytes instead of 1000/],
    [
      "with more behind it",
      (content: Buffer) => Buffer.concat([content, Buffer.from("x")]),
      /larger than was announced/,
    ],
  ])("is refused %s", async (name, change, message) => {
    const { lfs } = shared();
    const client = await ana();
    const content = noise(1000, name);
    const action = await client.actionFor("upload", objectOf(content));

    const answer = await client.act("PUT", action, change(content));

    expect(answer.status).toBe(400);
    expect(messageOf(answer)).toMatch(message);
    expect(lfs.objects.has(`team/app/${sha256(content)}`)).toBe(false);
    expect(await recorded(sha256(content))).toEqual([]);
  });

  it("is forgotten when its client breaks off", async () => {
    const { world, lfs } = shared();
    const client = await ana();
    const content = noise(200_000, "broken");
    const { href, header } = await client.actionFor("upload", objectOf(content));
    const request = http.request(href, {
      method: "PUT",
      headers: { authorization: basic(await person("ana")), ...header, "content-length": content.length },
      agent: false,
    });
    request.on("error", () => {});
    await new Promise<void>((resolve) => request.write(content.subarray(0, 150_000), () => resolve()));
    request.destroy();

    await expect.poll(() => world.logText()).toContain("the client broke off its request");
    expect(lfs.objects.has(`team/app/${sha256(content)}`)).toBe(false);
    expect(await recorded(sha256(content))).toEqual([]);
    // The same again, whole.
    expect((await client.upload(content)).status).toBe(200);
  });

  it("is recorded only if the store has taken it", async () => {
    const { lfs } = shared();
    const client = await ana();
    const content = noise(700, "down");
    const action = await client.actionFor("upload", objectOf(content));
    lfs.fail({ only: new RegExp(`PUT .*${sha256(content)}`), status: 503 });

    const answer = await client.act("PUT", action, content);

    lfs.fail(null);
    expect(answer.status).toBe(503);
    expect(messageOf(answer)).toContain("the LFS storage of “code” cannot take this object now (HTTP 503)");
    expect(await recorded(sha256(content))).toEqual([]);
    expect((await client.act("PUT", action, content)).status).toBe(200);
    expect(await recorded(sha256(content))).toHaveLength(1);
  });

  it("is not sent on where the store redirects", async () => {
    const { lfs } = shared();
    const client = await ana();
    const content = noise(700, "redirected");
    const action = await client.actionFor("upload", objectOf(content));
    const location = `${lfs.storageUrl}storage/elsewhere`;
    lfs.fail({ only: new RegExp(`PUT .*${sha256(content)}`), status: 307, headers: { location } });
    const answer = await client.act("PUT", action, content);
    lfs.fail(null);
    expect(answer.status).toBe(502);
    expect(lfs.requests.some(({ url }) => url.endsWith("elsewhere"))).toBe(false);
  });
});

describe("an object on its way down", () => {
  it("comes through the gateway, whole and in part, and is recorded", async () => {
    const { lfs } = shared();
    const client = await ana();
    const content = noise(50_000, "down-here");
    const oid = lfs.add("team/app", content);
    const action = await client.actionFor("download", objectOf(content));

    const whole = await client.act("GET", action);
    expect(whole.status).toBe(200);
    expect(whole.headers["content-length"]).toBe("50000");
    // Never a page of the gateway's own origin, whatever the store calls it.
    expect(whole.headers["content-type"]).toBe("application/octet-stream");
    expect(whole.headers["x-content-type-options"]).toBe("nosniff");

    const part = await client.act("GET", action, undefined, { range: "bytes=49990-" });
    expect(part.status).toBe(206);
    expect(part.headers["content-range"]).toBe("bytes 49990-49999/50000");
    expect(part.headers["content-length"]).toBe("10");
    await expect
      // Each is recorded when its answer has ended, whichever that is first.
      .poll(async () => (await events(oid)).toSorted((a, b) => Number(a.data["status"]) - Number(b.data["status"])))
      .toMatchObject([
        { kind: "lfs.downloaded", data: { status: 200, responseBytes: 50_000, complete: true } },
        { kind: "lfs.downloaded", data: { status: 206, responseBytes: 10, complete: true } },
      ]);
  });

  it("follows a redirect without what was meant for the host before", async () => {
    const { lfs } = shared();
    const client = await ana();
    const content = noise(50, "redirected-down");
    const oid = lfs.add("team/app", content);
    const seen: http.IncomingHttpHeaders[] = [];
    const other = http.createServer((incoming, outgoing) => {
      seen.push(incoming.headers);
      outgoing.end(content);
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    const action = await client.actionFor("download", objectOf(content));
    lfs.fail({ only: new RegExp(`GET .*${oid}`), status: 302, headers: { location: `http://127.0.0.1:${port}/x` } });

    const answer = await client.act("GET", action);

    lfs.fail(null);
    other.close();
    other.closeAllConnections();
    expect(answer.status).toBe(200);
    expect(answer.headers["content-length"] ?? "50").toBe("50");
    expect(seen).toHaveLength(1);
    expect(Object.keys(seen[0] ?? {})).not.toContain("x-storage-token");
    expect(Object.keys(seen[0] ?? {})).not.toContain("authorization");
  });

  it("is told as missing where the upstream does not have it", async () => {
    const client = await ana();
    const [object] = await client.batch("download", [objectOf(noise(5, "nowhere"))]);
    expect(object?.error).toEqual({ code: 404, message: "Object does not exist" });
  });
});

describe("a ticket", () => {
  it("opens for one person, one object, one action and one repository alone", async () => {
    const { lfs, world } = shared();
    const client = await ana();
    const content = noise(64, "ticket");
    const oid = lfs.add("team/app", content);
    lfs.add("team/other", content);
    const action = await client.actionFor("download", objectOf(content));
    const ticket = action.header["Sallyport-Ticket"] ?? "";
    const ben = lfsClient(world, await person("ben"), "team/app");
    const flip = (at: number): string => ticket.slice(0, at) + (ticket[at] === "A" ? "B" : "A") + ticket.slice(at + 1);
    const at = (repository: string, kind: string, id: string): string =>
      `/git/code/${repository}.git/info/lfs/sallyport/${kind}/${id}`;
    const download = at("team/app", "download", oid);
    const asAna = (method: string, path: string, shown: string) =>
      client.send(method, path, shown === "" ? {} : { "sallyport-ticket": shown });

    expect((await asAna("GET", download, ticket)).status).toBe(200);
    const refused = [
      await ben.send("GET", download, { "sallyport-ticket": ticket }),
      await asAna("GET", download, ""),
      await asAna("GET", download, "AAAA"),
      await asAna("GET", download, flip(3)),
      await asAna("GET", download, flip(40)),
      await asAna("GET", download, flip(ticket.length - 4)),
      await asAna("GET", at("team/other", "download", oid), ticket),
      await asAna(
        "GET",
        at(
          "team/app",
          "download",
          oid.replace(/^./, (c) => (c === "0" ? "1" : "0")),
        ),
        ticket,
      ),
      await asAna("PUT", at("team/app", "upload", oid), ticket),
      await asAna("POST", at("team/app", "verify", oid), ticket),
    ];
    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 403));
    expect(messageOf(refused[0]!)).toContain("no ticket of yours");
    const unsigned = await client.send("GET", download, { authorization: "", "sallyport-ticket": ticket });
    expect(unsigned.status).toBe(401);
  });
});

describe("who may what", () => {
  const refusalTo = async (name: string, group: string, operation: "upload" | "download") => {
    const client = lfsClient(shared().world, await person(name, group), "team/app");
    const content = noise(10, `${name}${operation}`);
    shared().lfs.add("team/app", content);
    return client.post("objects/batch", { operation, objects: [objectOf(content)] });
  };

  it("reading takes the right to read, and sending the right to write", async () => {
    expect((await refusalTo("rea", "readers", "download")).status).toBe(200);
    expect((await refusalTo("rea", "readers", "upload")).status).toBe(403);
    expect((await refusalTo("wim", "writers", "upload")).status).toBe(200);
    expect((await refusalTo("wim", "writers", "download")).status).toBe(404);
    expect((await refusalTo("stranger", "nobody", "download")).status).toBe(404);
  });

  it("a repository that one may not see answers like none", async () => {
    const hidden = await (await ana("hidden/app")).post("objects/batch", { operation: "download", objects: [] });
    const none = await (await ana("team/../x".replace("..", "none"))).send("GET", "/git/nowhere/x.git/info/lfs/locks");
    expect(hidden.status).toBe(404);
    expect(none.status).toBe(404);
  });

  it("changing locks takes the right to write", async () => {
    const reader = lfsClient(shared().world, await person("rea", "readers"), "team/app");
    expect((await reader.send("GET", `${reader.base}/locks`)).status).toBe(200);
    expect((await reader.post("locks", { path: "a.bin" })).status).toBe(403);
    expect((await reader.post("locks/verify", {})).status).toBe(403);
    expect((await reader.post("locks/1/unlock", { force: true })).status).toBe(403);
  });
});

describe("locks", () => {
  it("are made, listed, verified and taken away, with the upstream's own answers", async () => {
    const { lfs } = shared();
    const client = await ana("team/locked");
    const made = await client.post("locks", { path: "art/logo.psd", ref: { name: "refs/heads/main" } });
    expect(made.status).toBe(201);
    const { lock } = JSON.parse(made.text) as { lock: { id: string; path: string } };
    expect(lock.path).toBe("art/logo.psd");

    const twice = await client.post("locks", { path: "art/logo.psd" });
    expect(twice.status).toBe(409);
    expect(JSON.parse(twice.text)).toEqual({ message: "already created lock", lock: expect.objectContaining(lock) });

    const query = "path=art%2Flogo.psd&limit=1&admin=true";
    const listed = await client.send("GET", `${client.base}/locks?${query}`);
    expect(JSON.parse(listed.text)).toEqual({ locks: [expect.objectContaining(lock)] });
    // Parameters that are none of the interface's stay here.
    expect(lfs.requests.at(-1)?.url).toBe("/team/locked.git/info/lfs/locks?path=art%2Flogo.psd&limit=1");

    const verified = await client.post("locks/verify", { ref: { name: "refs/heads/main" } });
    expect(JSON.parse(verified.text)).toEqual({ ours: [expect.objectContaining(lock)], theirs: [] });
    expect((await client.post(`locks/${lock.id}/unlock`, {})).status).toBe(200);
    expect((await client.post(`locks/${lock.id}/unlock`, {})).status).toBe(404);
  });
});

describe("what is no question of Git LFS", () => {
  it.each([
    ["GET", ""],
    ["GET", "objects/batch"],
    ["POST", "objects"],
    ["POST", "objects/batch/more"],
    ["POST", "objects/batch?x=1"],
    ["DELETE", "locks"],
    ["PUT", "locks"],
    ["POST", "locks/1"],
    ["POST", "locks/1/unlock/2"],
    ["POST", "locks/1/unlock?force=true"],
    ["GET", `objects/${"a".repeat(64)}`],
    ["POST", "sallyport/upload/../../objects"],
    ["GET", `sallyport/download/${"A".repeat(64)}`],
    ["GET", "media/x"],
  ])("%s %s never reaches the upstream", async (method, path) => {
    const client = await ana("team/unasked");
    const answer = await client.send(
      method,
      `${client.base}/${path}`,
      {},
      method === "GET" ? undefined : Buffer.from("{}"),
    );
    expect([400, 404]).toContain(answer.status);
    expect(shared().lfs.requests.filter(({ url }) => url.includes("unasked"))).toEqual([]);
  });

  it.each([
    ["no JSON", "{", 400],
    ["no batch", "[]", 400],
    ["another operation", { operation: "delete", objects: [] }, 400],
    ["an id that is a path", { operation: "upload", objects: [{ oid: "../../x", size: 1 }] }, 400],
    ["a negative size", { operation: "upload", objects: [{ oid: "a".repeat(64), size: -1 }] }, 400],
    ["an object twice", { operation: "upload", objects: [0, 1].map((size) => ({ oid: "a".repeat(64), size })) }, 400],
    ["another hash", { operation: "upload", hash_algo: "md5", objects: [] }, 409],
    ["another transfer alone", { operation: "upload", transfers: ["tus"], objects: [] }, 400],
    [
      "too many objects",
      {
        operation: "upload",
        objects: Array.from({ length: 1001 }, (_, i) => ({ oid: sha256(Buffer.from([i & 255, i >> 8])), size: 1 })),
      },
      413,
    ],
    ["too many bytes", `{"operation":"upload","objects":[],"x":"${"x".repeat(1_100_000)}"}`, 413],
  ])("a batch with %s is refused here", async (_, body, status) => {
    const client = await ana("team/unasked");
    const answer = await client.post("objects/batch", body);
    expect(answer.status).toBe(status);
    expect(messageOf(answer)).not.toBe("");
    expect(shared().lfs.requests.filter(({ url }) => url.includes("unasked"))).toEqual([]);
  });

  it("an object over the limit is refused before it is sent", async () => {
    const [object] = await (await ana()).batch("upload", [{ oid: "b".repeat(64), size: 3 * 1024 ** 3 }]);
    expect(object?.error).toMatchObject({ code: 403, message: expect.stringContaining("2147483648 bytes") as string });
  });
});

describe("an upstream that answers badly", () => {
  const content = noise(30, "hostile");
  const answered = async (
    operation: "upload" | "download",
    object: Record<string, unknown> | null,
    more: Record<string, unknown> = {},
  ) => {
    const { lfs } = shared();
    const client = await ana("team/hostile");
    lfs.tamper(() => ({
      transfer: "basic",
      objects: object === null ? [] : [{ ...objectOf(content), ...object }],
      ...more,
    }));
    try {
      return await client.post("objects/batch", { operation, objects: [objectOf(content)] });
    } finally {
      lfs.tamper(null);
    }
  };
  const download = (href: string, header = {}) => ({ actions: { download: { href, header } } });

  it.each([
    ["an address that is not of HTTP", download("file:///etc/passwd")],
    ["an address with a password", download("http://a:b@127.0.0.1/")],
    ["a header with a line feed", download("http://store.example/", { "X-A": "b\r\nX-C: d" })],
    ["a header whose name is none", download("http://store.example/", { "X A": "b" })],
    ["an address longer than any", download(`http://store.example/${"x".repeat(9_000)}`)],
    ["a download without an address", {}],
    ["another size", { size: 31, ...download("http://store.example/") }],
    ["nothing about the object", null],
  ])("with %s: the object is an error", async (_, object) => {
    const answer = await answered("download", object);
    expect(answer.status).toBe(200);
    const { objects } = JSON.parse(answer.text) as { objects: { error?: { code: number } }[] };
    expect(objects).toEqual([{ ...objectOf(content), error: { code: 502, message: expect.any(String) as string } }]);
  });

  it.each([
    ["another transfer", { transfer: "tus" }],
    ["another hash", { hash_algo: "md5" }],
    ["no list of objects", { objects: "none" }],
  ])("with %s: the batch is refused", async (_, more) => {
    const answer = await answered("download", {}, more);
    expect(answer.status).toBe(502);
    expect(messageOf(answer)).toContain("the upstream of “code” answers");
  });

  it("never tells git-lfs 422, which would let the push go on, nor obeys terminal codes", async () => {
    const answer = await answered("upload", { error: { code: 422, message: "\u001b[2Jgone" } });
    const { objects } = JSON.parse(answer.text) as { objects: { error?: unknown }[] };
    expect(objects[0]?.error).toEqual({ code: 403, message: "\\x1b[2Jgone" });
    const { lfs } = shared();
    lfs.fail({ only: /hostile.*batch/, status: 422 });
    const whole = await (
      await ana("team/hostile")
    ).post("objects/batch", { operation: "upload", objects: [objectOf(content)] });
    lfs.fail(null);
    expect(whole.status).toBe(400);
  });

  it.each([
    ["the metadata service of a cloud", "http://169.254.169.254/latest/meta-data/"],
    ["the same in IPv6", "http://[::ffff:169.254.169.254]/"],
    ["the same as a number", "http://2852039166/"],
  ])("is not followed to %s", async (_, href) => {
    const { lfs } = shared();
    const client = await ana("team/hostile");
    lfs.tamper(() => ({ objects: [{ ...objectOf(content), ...download(href) }] }));
    const action = await client.actionFor("download", objectOf(content));
    lfs.tamper(null);
    const answer = await client.act("GET", action);
    expect(answer.status).toBe(502);
    expect(messageOf(answer)).toContain("inside the gateway's own machine or network");
  });

  it("with 401 is the operator's to mend: the client is not asked for another password", async () => {
    const { lfs } = shared();
    lfs.fail({ only: /hostile.*batch/, status: 401, headers: { "www-authenticate": "Basic" } });
    const answer = await (
      await ana("team/hostile")
    ).post("objects/batch", { operation: "download", objects: [objectOf(content)] });
    lfs.fail(null);
    expect(answer.status).toBe(502);
    expect(answer.headers["www-authenticate"]).toBeUndefined();
    expect(messageOf(answer)).toContain("refused the gateway's credential of connection “code”");
  });

  it("with 429 says when to come again", async () => {
    const { lfs } = shared();
    lfs.fail({ only: /hostile.*batch/, status: 429 });
    const answer = await (
      await ana("team/hostile")
    ).post("objects/batch", { operation: "download", objects: [objectOf(content)] });
    lfs.fail(null);
    expect(answer.status).toBe(429);
    expect(answer.headers["retry-after"]).toBe("10");
  });
});
