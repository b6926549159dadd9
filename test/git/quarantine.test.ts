import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test, vi } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { removeStaleQuarantines } from "../../src/git/quarantine.ts";
import { cpuTimeMs } from "../harness/cpu-time.ts";
import { BLOB, copyBomb, makePack, OFS_DELTA, packEntry, REF_DELTA, sign } from "./hostile-packs.ts";
import { collect, inChunks, startScene, ZERO, type Scene } from "./inspection.ts";

const sink = { write: async (): Promise<void> => {} };

/** What git children take at most while `work` runs, in bytes (Linux: their high-water mark of memory). */
async function peakOfChildren(work: () => Promise<unknown>): Promise<number> {
  let peak = 0;
  const done = new AbortController();
  const watch = async (): Promise<void> => {
    while (!done.signal.aborted) {
      for (const pid of await readdir("/proc").catch(() => [])) {
        const status = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/status`, "utf8").catch(() => "") : "";
        if (!new RegExp(`^PPid:\\s+${process.pid}$`, "m").test(status)) continue;
        peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const watching = watch();
  try {
    await work();
  } finally {
    done.abort();
    await watching;
  }
  return peak;
}

const MIB = 1024 * 1024;

async function refusalOf(scene: Scene, pack: Buffer, limits = {}): Promise<GatewayError> {
  const quarantine = await scene.open(limits);
  const error: unknown = await quarantine
    .receive({ pack: inChunks(pack), sink })
    .then(() => quarantine.objects())
    .then(
      () => null,
      (error: unknown) => error,
    );
  expect(error).toBeInstanceOf(GatewayError);
  await quarantine.remove();
  await expect(stat(quarantine.gitDir)).rejects.toThrow("ENOENT");
  return error as GatewayError;
}

test("the client's own bytes are spooled, byte for byte, while git reads along", async () => {
  const scene = await startScene();
  const one = await scene.commit("one", { "a.txt": "a\n" });
  const pack = await scene.pack([one], []);
  const quarantine = await scene.open();
  const spooled: Buffer[] = [];

  const received = await quarantine.receive({
    pack: inChunks(pack, 7),
    sink: { write: async (chunk) => void spooled.push(Buffer.from(chunk)) },
  });

  expect(Buffer.concat(spooled).equals(pack)).toBe(true);
  expect(received).toMatchObject({ packBytes: pack.length, objects: 3 });
});

test("no pack at all, and an empty pack", async () => {
  const scene = await startScene();
  const none = await (await scene.open()).receive({ pack: inChunks(Buffer.alloc(0)), sink });
  expect(none).toEqual({ packBytes: 0, objects: 0, inflatedBytes: 0 });
  const empty = await (await scene.open()).receive({ pack: inChunks(makePack([]), 5), sink });
  expect(empty).toEqual({ packBytes: 32, objects: 0, inflatedBytes: 0 });
  const wrong = makePack([]);
  wrong[20] = (wrong[20] ?? 0) ^ 1;
  expect((await refusalOf(scene, wrong)).message).toContain("checksum");
});

test("a 400 MB blob of zeros in a 400 KB pack is refused by its size, at once and in little memory", async () => {
  const scene = await startScene();
  const bomb = makePack([packEntry(BLOB, Buffer.alloc(400 * MIB))]);
  expect(bomb.length).toBeLessThan(MIB);

  const begun = cpuTimeMs();
  let error: GatewayError | null = null;
  const peak = await peakOfChildren(async () => {
    error = await refusalOf(scene, bomb);
  });

  expect(error).toMatchObject({ code: "limit_exceeded" });
  expect(String(error)).toMatch(/400 MiB.*limit.*100 MiB/);
  expect(cpuTimeMs() - begun).toBeLessThan(2000);
  expect(peak).toBeLessThan(50 * MIB);
});

test("bombs of other makes: a lying header, a delta that copies without end, many objects that are each small enough", async () => {
  const scene = await startScene();
  const lie = makePack([packEntry(BLOB, Buffer.alloc(400 * MIB), { declared: 10 })]);
  expect(await refusalOf(scene, lie)).toMatchObject({ code: "pack_invalid", message: expect.stringContaining("size") });

  const base = packEntry(BLOB, Buffer.alloc(0x10000, 1));
  expect(base.length).toBeLessThan(128);
  const delta = packEntry(OFS_DELTA, copyBomb(0x10000, 8000), { base: Buffer.from([base.length]) });
  const copies = makePack([base, delta]);
  expect(await refusalOf(scene, copies)).toMatchObject({
    code: "limit_exceeded",
    message: expect.stringMatching(/500 MiB unpacked, the limit of one object/),
  });

  const many = Array.from({ length: 60 }, (_, index) => packEntry(BLOB, Buffer.alloc(MIB, index)));
  expect(await refusalOf(scene, makePack(many), { inflatedFreeBytes: 20 * MIB, inflationRatio: 100 })).toMatchObject({
    code: "limit_exceeded",
    message: expect.stringContaining("100 bytes for each byte sent"),
  });
  expect(await refusalOf(scene, makePack(many), { inflatedBytes: 50 * MIB })).toMatchObject({
    code: "limit_exceeded",
    message: expect.stringContaining("50 MiB unpacked"),
  });
});

test("each bound has its own text", async () => {
  const scene = await startScene();
  const pack = makePack([packEntry(BLOB, Buffer.from("a")), packEntry(BLOB, Buffer.from("b"))]);
  expect((await refusalOf(scene, pack, { packBytes: 40 })).message).toContain("the pack is larger than 40 bytes");
  expect((await refusalOf(scene, pack, { objects: 1 })).message).toContain(
    "2 objects, the limit of one push (limits.objects) is 1",
  );
});

test.each([
  ["no pack", Buffer.from("<html>this is no pack at all</html>"), "PACK"],
  ["version 4", makePack([packEntry(BLOB, Buffer.from("a"))], { version: 4 }), "version is 4"],
  ["more objects announced than sent", makePack([packEntry(BLOB, Buffer.from("a"))], { count: 2 }), "damaged"],
  [
    "fewer objects announced than sent",
    makePack([packEntry(BLOB, Buffer.from("a")), packEntry(BLOB, Buffer.from("b"))], { count: 1 }),
    "more bytes follow",
  ],
  [
    "bytes behind the pack",
    Buffer.concat([makePack([packEntry(BLOB, Buffer.from("a"))]), Buffer.from("x")]),
    "more bytes",
  ],
  ["four thousand million objects announced", makePack([], { count: 0xffffffff }), "4294967295 objects"],
  ["an unknown type", makePack([packEntry(5, Buffer.from("a"))]), "type 5"],
  [
    "a size beyond all numbers",
    sign(Buffer.from("PACK\0\0\0\x02\0\0\0\x01\xbf\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "latin1")),
    "larger",
  ],
  [
    "a base that is nowhere",
    makePack([packEntry(REF_DELTA, copyBomb(3, 1), { base: Buffer.alloc(20, 1) })]),
    "old objects",
  ],
  ["a damaged stream", makePack([Buffer.from([0x33, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])]), "does not unpack"],
])("refused: %s", async (_, pack, text) => {
  const scene = await startScene();
  expect((await refusalOf(scene, pack)).message).toContain(text);
});

test("a pack that is cut off anywhere is refused, and one whose checksum is wrong", async () => {
  const scene = await startScene();
  const noise = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * index * 31) % 251));
  const one = await scene.commit("one", { "a.txt": "a\n", "b.bin": noise });
  const pack = await scene.pack([one], []);
  for (const at of [1, 11, 12, 13, 40, pack.length - 21, pack.length - 20, pack.length - 1]) {
    expect(await refusalOf(scene, pack.subarray(0, at)), `cut at ${at}`).toMatchObject({ code: "pack_invalid" });
  }
  const wrong = Buffer.from(pack);
  wrong[wrong.length - 1] = (wrong[wrong.length - 1] ?? 0) ^ 1;
  expect(await refusalOf(scene, wrong)).toMatchObject({
    code: "pack_invalid",
    message: expect.stringContaining("checksum is wrong"),
  });
});

test("after a refusal the source is still open: the caller drains it, or git shows a broken connection instead", async () => {
  const scene = await startScene();
  const ended = vi.fn<() => void>();
  const source = (async function* () {
    try {
      for (let chunk = 0; chunk < 100; chunk++) yield Buffer.alloc(64 * 1024, "no pack at all");
    } finally {
      ended();
    }
  })();
  const quarantine = await scene.open();
  await expect(quarantine.receive({ pack: source, sink })).rejects.toMatchObject({ code: "pack_invalid" });
  expect(ended).not.toHaveBeenCalled();
  // Some was read ahead; the rest is there.
  expect((await collect(source)).length).toBeGreaterThan(50);
  expect(ended).toHaveBeenCalledOnce();
});

test("a client that leaves, and a sink that fails, end git", async () => {
  const scene = await startScene();
  const noise = Buffer.from(Array.from({ length: 500_000 }, (_, index) => (index * index * 31 + (index >> 8)) % 251));
  const one = await scene.commit("one", { "b.bin": noise });
  const pack = await scene.pack([one], []);
  const controller = new AbortController();
  const quarantine = await scene.open();
  const stalled = (async function* () {
    yield pack.subarray(0, pack.length - 100);
    controller.abort(new GatewayError("client_gone", "gone"));
    yield pack.subarray(pack.length - 100);
  })();
  await expect(quarantine.receive({ pack: stalled, sink, signal: controller.signal })).rejects.toMatchObject({
    code: "client_gone",
  });
  const full = new GatewayError("storage_failed", "disk full");
  const other = await scene.open();
  await expect(other.receive({ pack: inChunks(pack), sink: { write: () => Promise.reject(full) } })).rejects.toBe(full);
});

test("objects that no ref of the push reaches are refused", async () => {
  const scene = await startScene();
  const one = await scene.commit("one", { "a.txt": "a\n" });
  const stowaway = await scene.must("hash-object", "-w", "--stdin", "--path=x");
  await writeFile(path.join(scene.work, "s"), "TOKEN");
  const blob = await scene.must("hash-object", "-w", "s");
  const pack = await scene.pack([one, blob], []);
  const updates = [{ ref: "refs/heads/main", oldOid: ZERO, newOid: one }];

  const refused = scene.inspect({ updates, pack });

  await expect(refused).rejects.toMatchObject({ code: "inspection_failed", message: expect.stringContaining(blob) });
  expect(stowaway).not.toBe(blob);
});

test("a commit that stands on nothing is refused, also where the upstream is empty", async () => {
  const scene = await startScene();
  const one = await scene.commit("one", { "a.txt": "a\n" });
  const two = await scene.commit("two", { "a.txt": "b\n" });
  const pack = await scene.pack([two], [one], []);
  await expect(
    scene.inspect({ updates: [{ ref: "refs/heads/main", oldOid: ZERO, newOid: two }], pack }),
  ).rejects.toMatchObject({ code: "inspection_failed", message: expect.stringContaining(one) });
});

test("what a killed gateway has left is removed, nothing else", async () => {
  const scene = await startScene();
  const quarantine = await scene.open();
  const root = path.join(scene.root, "quarantine");
  await writeFile(path.join(root, "mine"), "");
  expect(await removeStaleQuarantines(root)).toBe(1);
  expect(await readdir(root)).toEqual(["mine"]);
  await expect(stat(quarantine.gitDir)).rejects.toThrow("ENOENT");
});
