import { describe, expect, it, onTestFinished } from "vitest";
import { startLfsServer, type LfsServer } from "../../../fixtures/lfs-server.ts";
import {
  checkPointers,
  type CheckPointersDependencies,
  type PointersRequest,
  type PushedPointer,
} from "../../../src/flows/push/check-pointers.ts";
import { createLfsUpstream } from "../../../src/git/lfs/lfs-upstream.ts";
import type { GitConnection } from "../../../src/model/connection.ts";
import { recordLfsObject } from "../../../src/store/lfs-objects.ts";
import { addPerson, at } from "../../attribution/record.ts";
import { testDatabase } from "../../harness/database.ts";
import { noise, sha256 } from "../../harness/lfs.ts";

const COMMIT = "c".repeat(40);

const pointer = (path: string, content: Buffer, more: Partial<PushedPointer> = {}): PushedPointer => ({
  oid: sha256(content),
  bytes: content.length,
  path,
  commit: COMMIT,
  ...more,
});

interface Setting {
  readonly lfs: LfsServer;
  readonly deps: CheckPointersDependencies;
  readonly request: PointersRequest;
  readonly record: (repository: string, content: Buffer) => Promise<void>;
}

async function setting(credential: GitConnection["credential"]): Promise<Setting> {
  const lfs = await startLfsServer({ username: "gateway", password: "secret" });
  onTestFinished(() => lfs.stop());
  const { db } = await testDatabase();
  const connection: GitConnection = {
    kind: "git",
    name: "code",
    url: lfs.url,
    credential,
    allow: ["*"],
    access: null,
    dumb: "refuse",
  };
  const upstream = createLfsUpstream({ connection, version: "1" });
  onTestFinished(() => upstream.close());
  const ana = await addPerson(db, "ana@example.com");
  return {
    lfs,
    deps: { db, mask: (text) => text, lfs: upstream, now: () => at(0) },
    request: {
      connection,
      repository: "code/team/app",
      upstreamPath: "team/app",
      clientHeaders: { "user-agent": "git/9", authorization: "Basic Y2xpZW50OmNsaWVudA==" },
      signal: new AbortController().signal,
    },
    record: (repository, content) =>
      recordLfsObject(db, {
        repository,
        oid: sha256(content),
        bytes: content.length,
        principalId: ana,
        policyVersion: "1",
        uploadedAt: at(0),
      }),
  };
}

const shared = { kind: "basic", username: "gateway", password: "secret" } as const;

describe("the pointers of a push", () => {
  it("pass where their objects did, or were upstream before; no other does", async () => {
    const { lfs, deps, request, record } = await setting(shared);
    const [passed, before, elsewhere, never] = ["p", "b", "e", "n"].map((seed) => noise(100, seed)) as [
      Buffer,
      Buffer,
      Buffer,
      Buffer,
    ];
    await record("code/team/app", passed);
    await record("code/team/other", elsewhere);
    lfs.add("team/app", before);
    const pointers = [pointer("a", passed), pointer("b", before), pointer("c", elsewhere), pointer("d", never)];

    expect(await checkPointers(deps, request, pointers)).toEqual([pointers[2], pointers[3]]);

    expect(lfs.requests).toHaveLength(1);
    expect(lfs.requests[0]).toMatchObject({ method: "POST", url: "/team/app.git/info/lfs/objects/batch" });
    // Its own question: with the gateway's name and credential.
    expect(lfs.requests[0]?.headers).toMatchObject({
      "user-agent": "sallyport/1 (gateway-internal)",
      authorization: `Basic ${Buffer.from("gateway:secret").toString("base64")}`,
    });
  });

  it("are no question to the upstream where all passed, or there is none", async () => {
    const { lfs, deps, request, record } = await setting(shared);
    const content = noise(10);
    await record("code/team/app", content);
    expect(await checkPointers(deps, request, [pointer("a", content), pointer("empty", Buffer.alloc(0))])).toEqual([]);
    expect(await checkPointers(deps, request, [])).toEqual([]);
    expect(lfs.requests).toEqual([]);
  });

  it("count by name and size together", async () => {
    const { lfs, deps, request, record } = await setting(shared);
    const [passed, before] = [noise(100, "p"), noise(100, "b")];
    await record("code/team/app", passed);
    lfs.add("team/app", before);
    const wrong = [
      pointer("a", passed, { bytes: 99 }),
      pointer("b", passed, { bytes: 2 ** 60 }),
      pointer("c", Buffer.alloc(0), { bytes: 1 }),
    ];
    expect(await checkPointers(deps, request, wrong)).toEqual(wrong);
    const both = [pointer("a", before), pointer("b", before, { bytes: 1 })];
    expect(await checkPointers(deps, request, both)).toEqual([both[1]]);
  });

  it("are asked for a hundred at a time", async () => {
    const { lfs, deps, request } = await setting(shared);
    const contents = Array.from({ length: 205 }, (_, i) => noise(40, `many ${i}`));
    for (const content of contents.slice(0, 204)) lfs.add("team/app", content);
    const pointers = contents.map((content, i) => pointer(`file-${i}`, content));
    expect(await checkPointers(deps, request, [...pointers, ...pointers])).toEqual([pointers[204], pointers[204]]);
    expect(lfs.requests).toHaveLength(3);
  });

  it("are asked for with the client's own credential where the connection passes it on", async () => {
    const { lfs, deps, request } = await setting({ kind: "passthrough" });
    const before = noise(10, "before");
    lfs.add("team/app", before);
    await expect(checkPointers(deps, request, [pointer("a", before)])).rejects.toMatchObject({
      code: "upstream_unauthorized",
    });
    const authorization = `Basic ${Buffer.from("gateway:secret").toString("base64")}`;
    const signedIn = { ...request, clientHeaders: { authorization, "user-agent": "git/9" } };
    expect(await checkPointers(deps, signedIn, [pointer("a", before)])).toEqual([]);
    expect(lfs.requests.at(-1)?.headers["user-agent"]).toBe("sallyport/1 (gateway-internal)");
  });

  it.each([404, 405, 410, 501])("are all unseen at an upstream without LFS (HTTP %i)", async (status) => {
    const { lfs, deps, request } = await setting(shared);
    lfs.fail({ only: /batch/, status });
    const unseen = [pointer("a", noise(5))];
    expect(await checkPointers(deps, request, unseen)).toEqual(unseen);
  });

  it.each([
    [401, "upstream_unauthorized"],
    [403, "upstream_unauthorized"],
    [429, "upstream_unreachable"],
    [500, "upstream_unreachable"],
    [302, "upstream_misbehaved"],
  ])("refuse the push where the upstream cannot be asked (HTTP %i)", async (status, code) => {
    const { lfs, deps, request } = await setting(shared);
    lfs.fail({ only: /batch/, status });
    await expect(checkPointers(deps, request, [pointer("a", noise(5))])).rejects.toMatchObject({ code });
  });

  it("refuse the push where the upstream answers something else, or not at all", async () => {
    const { lfs, deps, request } = await setting(shared);
    lfs.tamper(() => ({ objects: "all of them" }));
    const asked = [pointer("a", noise(5))];
    await expect(checkPointers(deps, request, asked)).rejects.toMatchObject({ code: "upstream_misbehaved" });
    await lfs.stop();
    await expect(checkPointers(deps, request, asked)).rejects.toMatchObject({ code: "upstream_unreachable" });
  });

  it("are unseen where the upstream does not say where the object is", async () => {
    const { lfs, deps, request } = await setting(shared);
    const content = noise(5);
    const { oid } = pointer("a", content);
    lfs.tamper(() => ({ objects: [{ oid, size: 5 }] }));
    expect(await checkPointers(deps, request, [pointer("a", content)])).toHaveLength(1);
    lfs.tamper(() => ({ objects: [{ oid, size: 5, error: { code: 410, message: "removed" } }] }));
    expect(await checkPointers(deps, request, [pointer("a", content)])).toHaveLength(1);
  });
});
