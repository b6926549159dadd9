import http from "node:http";
import type { AddressInfo } from "node:net";
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it, onTestFinished } from "vitest";
import { startLfsServer, type LfsServer } from "../../fixtures/lfs-server.ts";
import { createDiskBlobStore } from "../../src/blobs/disk-blob-store.ts";
import { createLfsFlow, type LfsFlow } from "../../src/flows/lfs.ts";
import { TICKET_HEADER } from "../../src/flows/lfs/batch.ts";
import type { LfsDependencies, LfsRequest } from "../../src/flows/lfs/dependencies.ts";
import { inspectObject } from "../../src/flows/lfs/inspect-object.ts";
import { createLfsRefusals } from "../../src/flows/lfs/refusals.ts";
import { createLfsUpstream } from "../../src/git/lfs/lfs-upstream.ts";
import { createLfsTickets } from "../../src/git/lfs/ticket.ts";
import type { GitConnection } from "../../src/model/connection.ts";
import type { Logger } from "../../src/model/log.ts";
import { UNMATCHED_POLICY, type PushPolicy } from "../../src/policy/schema.ts";
import { createScanner } from "../../src/secrets/scanner.ts";
import { createLfsHandler } from "../../src/web/lfs.ts";
import { insertBaseline } from "../../src/store/baseline.ts";
import { findLfsObjects } from "../../src/store/lfs-objects.ts";
import { addPerson, at } from "../attribution/record.ts";
import { testDatabase } from "../harness/database.ts";
import { temporaryDirectory } from "../harness/git.ts";
import { noise, sha256 } from "../harness/lfs.ts";
import { plantedAwsKey, plantedPem, plantedSlackToken } from "../harness/planted.ts";
import { builtin } from "../secrets/builtin-rules.ts";

const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const scanner = createScanner(builtin, new Uint8Array(32).fill(7));

interface Setting {
  readonly lfs: LfsServer;
  readonly flow: LfsFlow;
  readonly request: LfsRequest;
  readonly deps: Omit<LfsDependencies, "refusals">;
  readonly database: Awaited<ReturnType<typeof testDatabase>>;
  /** Files that stand in the blob store. */
  readonly kept: () => Promise<string[]>;
}

async function setting(
  changes: {
    readonly policy?: Partial<PushPolicy>;
    readonly server?: Parameters<typeof startLfsServer>[0];
    readonly deps?: Partial<LfsDependencies>;
  } = {},
): Promise<Setting> {
  const lfs = await startLfsServer({ username: "gateway", password: "secret", ...changes.server });
  onTestFinished(() => lfs.stop());
  const database = await testDatabase();
  const connection: GitConnection = {
    kind: "git",
    name: "code",
    url: lfs.url,
    credential: { kind: "basic", username: "gateway", password: "secret" },
    allow: ["*"],
    access: null,
    dumb: "refuse",
  };
  const upstream = createLfsUpstream({ connection, version: "1" });
  onTestFinished(() => upstream.close());
  const directory = await temporaryDirectory("lfs");
  const deps: Setting["deps"] = {
    db: database.db,
    blobs: createDiskBlobStore(directory),
    upstream: () => upstream,
    tickets: createLfsTickets(new Uint8Array(32).fill(1)),
    scanner,
    policies: changes.policy === undefined ? [] : [{ ...UNMATCHED_POLICY, ...changes.policy }],
    policyVersion: "p1",
    maxObjectBytes: () => 1024 ** 3,
    mostFindings: () => 10_000,
    publicUrl: "https://gateway.example",
    log: silent,
    now: () => at(0),
    ...changes.deps,
  };
  const request: LfsRequest = {
    principal: {
      id: await addPerson(database.db, "ana@example.com"),
      issuer: "sallyport",
      subject: "ana",
      email: "ana@example.com",
      kind: "person",
      groups: [],
      audiences: ["git"],
    },
    connection,
    repository: "code/team/app",
    upstreamPath: "team/app.git",
    prefix: "/u/gho_token",
    clientHeaders: {},
    userAgent: "test",
    signal: new AbortController().signal,
  };
  const kept = async (): Promise<string[]> =>
    (await readdir(directory, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map(({ name }) => path.basename(name));
  return { lfs, flow: createLfsFlow(deps), request, deps, database, kept };
}

async function ticketFor({ flow, request }: Pick<Setting, "flow" | "request">, oid: string, bytes: number) {
  const { body } = await flow.batch(request, { operation: "upload", ref: null, objects: [{ oid, bytes }] });
  const [object] = (body as { objects: { actions?: { upload: { href: string; header: Record<string, string> } } }[] })
    .objects;
  if (object?.actions === undefined) throw new Error(`there is nothing to upload: ${JSON.stringify(object)}`);
  const { href, header } = object.actions.upload;
  return { href, ticket: header[TICKET_HEADER] ?? "" };
}

async function* chunksOf(content: Buffer, size = 64 * 1024): AsyncGenerator<Buffer, void, undefined> {
  for (let from = 0; from < content.length; from += size) yield content.subarray(from, from + size);
  await Promise.resolve();
}

async function send(world: Setting, content: Buffer) {
  const oid = sha256(content);
  const { ticket } = await ticketFor(world, oid, content.length);
  return world.flow.upload(world.request, { oid, ticket, body: chunksOf(content) });
}

const eventsOf = async ({ database }: Setting): Promise<{ kind: string; data: Record<string, unknown> }[]> =>
  database.sql`select kind, data from events order by seq`;

describe("an upload", () => {
  it("is named by an address with the client's own prefix, and leaves nothing behind", async () => {
    const world = await setting();
    const content = noise(100_000);
    const { href } = await ticketFor(world, sha256(content), content.length);
    expect(href).toBe(
      `https://gateway.example/u/gho_token/git/code/team/app.git/info/lfs/sallyport/upload/${sha256(content)}`,
    );
    expect(await send(world, content)).toMatchObject({ status: 200 });
    expect(await world.kept()).toEqual([]);
    expect(await eventsOf(world)).toMatchObject([
      { kind: "lfs.accepted", data: { bytes: 100_000, policyVersion: "p1", findings: [] } },
    ]);
  });

  it("takes an empty object", async () => {
    const world = await setting();
    expect(await send(world, Buffer.alloc(0))).toMatchObject({ status: 200 });
    expect(world.lfs.objects.get(`team/app/${sha256(Buffer.alloc(0))}`)).toMatchObject({ bytes: 0 });
  });

  it("leaves nothing behind when it is refused or fails", async () => {
    const world = await setting();
    const secret = Buffer.from(`key = ${plantedAwsKey}\n`);
    expect(await send(world, secret)).toMatchObject({ status: 403 });
    world.lfs.fail({ only: /^PUT/, status: 500 });
    await expect(send(world, noise(10))).rejects.toMatchObject({ code: "upstream_unreachable" });
    await world.lfs.stopStorage();
    await expect(send(world, noise(10))).rejects.toMatchObject({ code: "upstream_unreachable" });
    const oid = sha256(noise(10));
    const { ticket } = await ticketFor(world, oid, 10);
    const broken = (async function* () {
      yield noise(5);
      await Promise.reject(new Error("the wire broke"));
    })();
    await expect(world.flow.upload(world.request, { oid, ticket, body: broken })).rejects.toThrow("the wire broke");
    expect(await world.kept()).toEqual([]);
    expect(await findLfsObjects(world.deps.db, "code/team/app", [oid, sha256(secret)])).toEqual(new Map());
  });

  it("goes where the upstream itself keeps objects, with the gateway's credential", async () => {
    const world = await setting({ server: { ownStorage: true, verify: false } });
    const content = noise(50);
    expect(await send(world, content)).toMatchObject({ status: 200 });
    const put = world.lfs.requests.find(({ method }) => method === "PUT");
    expect(put?.headers.authorization).toBe(`Basic ${Buffer.from("gateway:secret").toString("base64")}`);
  });

  it("goes without a length where the store wants it so", async () => {
    const world = await setting();
    world.lfs.tamper((answer) => {
      const { objects } = answer as { objects: { actions: { upload: { header: Record<string, string> } } }[] };
      for (const { actions } of objects) actions.upload.header["Transfer-Encoding"] = "chunked";
      return answer;
    });
    const content = noise(200_000);
    expect(await send(world, content)).toMatchObject({ status: 200 });
    const put = world.lfs.requests.find(({ method }) => method === "PUT");
    expect(put?.headers).toMatchObject({ "transfer-encoding": "chunked" });
    expect(put?.headers).not.toHaveProperty("content-length");
    expect(world.lfs.objects.get(`team/app/${sha256(content)}`)).toMatchObject({ bytes: 200_000 });
  });

  it("is not sent on without a record", async () => {
    const world = await setting();
    const content = noise(20);
    const { ticket } = await ticketFor(world, sha256(content), 20);
    await world.database.close();
    const upload = { oid: sha256(content), ticket, body: chunksOf(content) };
    await expect(world.flow.upload(world.request, upload)).rejects.toMatchObject({ code: "database_unavailable" });
    expect(world.lfs.requests.filter(({ method }) => method === "PUT")).toEqual([]);
    expect(await world.kept()).toEqual([]);
  });

  it("is over when its ticket is", async () => {
    let now = at(0);
    const world = await setting({ server: { expiresInS: 60 }, deps: { now: () => now } });
    const content = noise(20);
    const { ticket } = await ticketFor(world, sha256(content), 20);
    now = at(1);
    const upload = { oid: sha256(content), ticket, body: chunksOf(content) };
    await expect(world.flow.upload(world.request, upload)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining("the time to transfer this LFS object is over") as string,
    });
  });

  it("may be no larger than the limit", async () => {
    const world = await setting({ deps: { maxObjectBytes: () => 100 } });
    await expect(ticketFor(world, sha256(noise(101)), 101)).rejects.toThrow(
      "objects of up to 100 bytes may be pushed here",
    );
    expect(world.lfs.requests).toEqual([]);
    expect(await send(world, noise(100))).toMatchObject({ status: 200 });
  });
});

describe("a secret in an object", () => {
  const secret = Buffer.from(`nothing\nkey = ${plantedAwsKey}\n`);

  it.each([
    ["observed", { secrets: "observe" }],
    ["not enforced", { observe: ["secrets"] }],
  ] as const)("is recorded and let through where secrets are %s", async (_, policy) => {
    const world = await setting({ policy });
    expect(await send(world, secret)).toMatchObject({ status: 200 });
    const [event] = await eventsOf(world);
    expect(event).toMatchObject({
      kind: "lfs.accepted",
      data: { findings: [{ rule: "aws-access-key", severity: "block", line: 2, column: 7 }] },
    });
    expect(JSON.stringify(event)).not.toContain(plantedAwsKey);
  });

  it("is refused where pushes with secrets are held, and says that objects are not", async () => {
    const secretsHold = { approvers: ["ops"], approvals: 1, waitMs: 0, expiresMs: 1 };
    const world = await setting({ policy: { secrets: "hold", secretsHold } });
    expect(await send(world, secret)).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining("An LFS object cannot be held for approval") as string },
    });
    expect(world.lfs.objects.size).toBe(0);
  });

  it("is let through where the baseline accepts it, and refused anew where it does no longer", async () => {
    const world = await setting();
    expect(await send(world, secret)).toMatchObject({ status: 403 });
    const [refused] = await eventsOf(world);
    const { findings: [finding] = [] } = (refused?.data ?? {}) as { findings?: { fingerprint: string }[] };
    const fingerprint = finding?.fingerprint ?? "";
    await expect(send(world, secret)).rejects.toThrow(`sallyport baseline add ${fingerprint} --reason`);
    const entry = { fingerprint, repository: null, reason: "revoked", addedBy: "lee", addedAt: at(0), expiresAt: null };
    // Nobody knows what file it will be.
    await insertBaseline(world.deps.db, { ...entry, path: "docs/**" });
    await expect(send(world, secret)).rejects.toThrow("1 secret found");

    const { id } = await insertBaseline(world.deps.db, { ...entry, path: null, repository: "code/team/*" });
    expect(await send(world, secret)).toMatchObject({ status: 200 });
    expect(world.lfs.objects.size).toBe(1);
    const events = await eventsOf(world);
    expect(events.at(-1)).toMatchObject({
      kind: "lfs.accepted",
      data: { findings: [{ fingerprint, baseline: { id, reason: "revoked" } }] },
    });
    const others = Buffer.from(`${secret.toString()}other = ${plantedSlackToken}\n`);
    expect(await send(world, others)).toMatchObject({ status: 403 });
  });

  it("does not hide behind two hundred that are accepted", async () => {
    const world = await setting();
    const accepted = Array.from({ length: 300 }, (_, i) => `${"\n".repeat(i % 2)}key = ${plantedAwsKey}`).join("\n");
    const fingerprint = scanner.find(plantedAwsKey)[0]?.fingerprint ?? "";
    const entry = { repository: null, path: null, reason: "r", addedBy: "lee", addedAt: at(0), expiresAt: null };
    await insertBaseline(world.deps.db, { ...entry, fingerprint });
    expect(await send(world, Buffer.from(accepted))).toMatchObject({ status: 200 });
    expect(await send(world, Buffer.from(`${accepted}\ntoken = ${plantedSlackToken}\n`))).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining("1 secret found (slack-token in line") as string },
    });
  });

  it.each([
    ["pass", 200],
    ["hold", 403],
    ["ignore", 403],
  ] as const)(
    "under a comment that allows it, where such comments are told to %s, is answered %i",
    async (mode, status) => {
      const world = await setting({ policy: { allowComments: mode } });
      const content = Buffer.from(`key = ${plantedAwsKey} # sallyport:allow of the sandbox\n`);
      const answer = await send(world, content);
      expect(answer.status).toBe(status);
      const held = expect.stringContaining("An LFS object cannot be held for approval") as string;
      if (mode === "hold") expect(answer.body).toEqual({ message: held });
      if (mode === "ignore") expect(answer.body).not.toEqual({ message: held });
      expect((await eventsOf(world))[0]).toMatchObject({
        data: { findings: [{ allowed: { by: "sallyport:allow", reason: "of the sandbox" } }] },
      });
      const [bare] = [Buffer.from(`key = ${plantedAwsKey}\n`)];
      expect((await send(world, bare)).status).toBe(403);
    },
  );

  it("is refused again by another gateway, which has not seen it", async () => {
    const world = await setting();
    expect(await send(world, secret)).toMatchObject({ status: 403 });
    await expect(send(world, secret)).rejects.toThrow("1 secret found (aws-access-key in line 2)");
    expect(await send({ ...world, flow: createLfsFlow(world.deps) }, secret)).toMatchObject({ status: 403 });
  });

  it("is found however the object comes in pieces", async () => {
    const content = Buffer.concat([noise(50), Buffer.from(`\n${plantedPem}\nkey = ${plantedAwsKey}\n`), noise(50)]);
    const judge = () => Promise.resolve({ baseline: null, refuses: true });
    const whole = await inspectObject(chunksOf(content), scanner, 2, judge, () => Promise.resolve());
    expect(whole.secrets.map(({ rule }) => rule).toSorted()).toEqual(["aws-access-key", "private-key"]);
    for (let size = 1; size < 200; size += 1) {
      const inspected = await inspectObject(chunksOf(content, size), scanner, 2, judge, () => Promise.resolve());
      expect(inspected).toEqual(whole);
    }
  });
});

/** Bytes that are in use, without those that only wait to be collected. */
function liveBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

describe("an object that holds very many secrets", () => {
  const withSecrets = (count: number): Buffer => Buffer.from(`key = ${plantedAwsKey}\n`.repeat(count));

  it("is denied beyond the limit, whatever policy says of secrets, and leaves nothing behind", async () => {
    const world = await setting({ policy: { secrets: "observe" }, deps: { mostFindings: () => 3 } });
    expect(await send(world, withSecrets(3))).toMatchObject({ status: 200 });
    const over = withSecrets(4);
    const refused = { status: 403, body: { message: expect.stringContaining("(limits.findings)") as string } };
    expect(await send(world, over)).toMatchObject(refused);
    expect(await world.kept()).toEqual([]);
    expect(world.lfs.objects.has(`team/app/${sha256(over)}`)).toBe(false);
    expect((await eventsOf(world)).map(({ kind }) => kind)).toEqual(["lfs.accepted", "lfs.rejected"]);
  });

  it("is not read to its end", async () => {
    let taken = 0;
    const endless = (async function* () {
      for (; taken < 1000; taken += 1) yield Buffer.from(withSecrets(100));
      await Promise.resolve();
    })();
    const judge = () => Promise.resolve({ baseline: null, refuses: false });
    const { isOverLimit } = await inspectObject(endless, scanner, 50, judge, () => Promise.resolve());
    expect(isOverLimit).toBe(true);
    expect(taken).toBeLessThan(900);
  });
});

describe("an object of any size", () => {
  it("costs no more memory than a small one", async () => {
    const world = await setting({ server: { verify: false } });
    const MiB = 1024 * 1024;
    const total = 200;
    const block = noise(MiB);
    async function* blocks(): AsyncGenerator<Buffer, void, undefined> {
      for (let i = 0; i < total; i++) {
        const copy = Buffer.from(block);
        copy.writeUInt32BE(i, 0);
        yield copy;
        await Promise.resolve();
      }
    }
    const hash = createHash("sha256");
    for await (const part of blocks()) hash.update(part);
    const oid = hash.digest("hex");
    const { ticket } = await ticketFor(world, oid, total * MiB);
    const before = liveBytes();
    const samples: number[] = [];
    const watch = setInterval(() => samples.push(liveBytes() - before), 200);

    const answer = await world.flow.upload(world.request, { oid, ticket, body: blocks() });

    clearInterval(watch);
    expect(answer.status).toBe(200);
    expect(world.lfs.objects.get(`team/app/${oid}`)).toMatchObject({ bytes: total * MiB, sha256: oid });
    // The store, in this process too, keeps 32 MiB of it for a while.
    expect(samples.length).toBeGreaterThan(2);
    expect(Math.max(...samples)).toBeLessThan(100 * MiB);
  });
});

describe("what was refused", () => {
  it("is remembered by repository and object, the latest thousand", () => {
    const refusals = createLfsRefusals();
    const refusal = (message: string) => ({ message, fingerprints: ["0a1b2c3d4e5f6071"] });
    for (let i = 0; i < 1001; i++) refusals.add("code/a", `oid-${i}`, refusal(`text ${i}`));
    expect(refusals.find("code/a", "oid-0")).toBeNull();
    expect(refusals.find("code/a", "oid-1")).toEqual(refusal("text 1"));
    expect(refusals.find("code/b", "oid-1")).toBeNull();
    refusals.add("code/a", "oid-1", refusal("another"));
    expect(refusals.find("code/a", "oid-1")).toEqual(refusal("another"));
    refusals.forget("code/a", "oid-1");
    expect(refusals.find("code/a", "oid-1")).toBeNull();
  });
});

describe("a client that waits for its upload to be sent on", () => {
  /** The interim answers that a client with this name gets while the flow does not answer. */
  async function interimAnswers(userAgent: string): Promise<{ interim: number[]; status: number }> {
    let begun = (): void => {};
    const asked = new Promise<void>((resolve) => (begun = resolve));
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const world = await setting();
    const flow: LfsFlow = {
      ...world.flow,
      upload: async (_, { body }) => {
        for await (const _chunk of body);
        begun();
        await released;
        return { status: 200, headers: {}, body: {} };
      },
    };
    const handler = createLfsHandler({ flow, mask: (text) => text, log: silent, companyMs: 1 });
    const { request } = world;
    const target = {
      connection: "code",
      path: "team/app",
      repository: "code/team/app",
      upstreamPath: "team/app.git",
      operation: { kind: "lfs", path: "" },
      pathToken: null,
      prefix: "",
    } as const;
    const server = http.createServer((incoming, outgoing) => {
      const admitted = { principal: request.principal, connection: request.connection, target };
      void handler({ incoming, outgoing, signal: request.signal }, admitted, `sallyport/upload/${"a".repeat(64)}`);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const interim: number[] = [];
    return new Promise((resolve, reject) => {
      const sent = http.request({
        port,
        host: "127.0.0.1",
        method: "PUT",
        agent: false,
        headers: { "user-agent": userAgent },
      });
      sent.on("information", ({ statusCode }) => {
        interim.push(statusCode);
        if (interim.length === 5) release();
      });
      sent.on("response", (response) => {
        response.resume();
        response.on("end", () => resolve({ interim, status: response.statusCode ?? 0 }));
      });
      sent.on("error", reject);
      sent.end("x");
      if (!userAgent.startsWith("git-lfs/")) void asked.then(release);
    });
  }

  it("is kept company if it is git-lfs, as often as Go allows", async () => {
    expect(await interimAnswers("git-lfs/3.3.0 (GitHub; linux amd64; go 1.19.8)")).toEqual({
      interim: [102, 102, 102, 102, 102],
      status: 200,
    });
  });

  it("is sent nothing that it may not know otherwise", async () => {
    expect(await interimAnswers("JGit/6.7")).toEqual({ interim: [], status: 200 });
  });
});
