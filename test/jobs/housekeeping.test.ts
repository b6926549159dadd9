/** What housekeeping clears away of a gateway's disk: packs in clear that nobody needs any more. */
import { mkdtemp, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { createDiskBlobStore } from "../../src/blobs/disk-blob-store.ts";
import { createHousekeepingJob } from "../../src/jobs/housekeeping.ts";
import { newId } from "../../src/model/id.ts";
import { addHold, addPerson, silentLog } from "../web/api-fixtures.ts";
import { testDatabase } from "../harness/database.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

async function setUp() {
  const { db } = await testDatabase();
  const directory = await mkdtemp(join(tmpdir(), "sallyport-blobs-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const blobs = createDiskBlobStore(directory);
  let rounds = 0;

  return {
    db,
    keysThere: async () => {
      const keys: string[] = [];
      for await (const { key } of blobs.list()) keys.push(key);
      return keys.toSorted();
    },
    /** A pack that was written `ageMs` ago. */
    putAged: async (ageMs: number): Promise<string> => {
      const writer = await blobs.create();
      await writer.write(Buffer.from("PACK"));
      const key = await writer.commit();
      const at = (Date.now() - ageMs) / 1_000;
      await utimes(join(directory, key.slice(0, 2), key), at, at);
      return key;
    },
    /** One round of a gateway that has run for `upMs`. */
    clean: async (upMs: number): Promise<void> => {
      const now = new Date();
      const job = createHousekeepingJob({
        db,
        blobs,
        approvals: {
          expire: async () => {
            rounds += 1;
            return 0;
          },
        },
        gateway: { id: newId(), startedAt: new Date(now.getTime() - upMs) },
        keepMs: DAY,
        log: silentLog,
        now: () => now,
      });
      const before = rounds;
      job.start();
      await vi.waitFor(() => expect(rounds).toBeGreaterThan(before), { timeout: 30_000, interval: 10 });
      await job.stop();
    },
  };
}

test("the pack of a push that ended, or was never recorded, goes as soon as nobody can be about to record it", async () => {
  const { keysThere, putAged, clean } = await setUp();
  // Of a gateway that was killed between the end of a push and the deletion of its pack, or between a pack and its record.
  const left = await putAged(5 * 60_000);
  const young = await putAged(30_000);
  await putAged(2 * HOUR);

  await clean(10_000);
  expect(await keysThere()).toEqual([left, young].toSorted());

  await clean(2 * 60_000);
  expect(await keysThere()).toEqual([young]);
});

test("the pack of a push that waits stays, however old, and across any number of starts", async () => {
  const { db, keysThere, putAged, clean } = await setUp();
  const held = await putAged(5 * DAY);
  await addHold(db, await addPerson(db, "ana@example.com"), { push: { packBlob: held } });
  await clean(2 * 60_000);
  await clean(10 * DAY);
  expect(await keysThere()).toEqual([held]);
});
