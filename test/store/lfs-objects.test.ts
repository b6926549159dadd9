import { expect, test } from "vitest";
import { findLfsObjects, recordLfsObject } from "../../src/store/lfs-objects.ts";
import { lfsObjects } from "../../src/store/schema.ts";
import { addPerson, at } from "../attribution/record.ts";
import { testDatabase } from "../harness/database.ts";

const oidOf = (i: number): string => i.toString(16).padStart(64, "0");

test("objects are known by repository and name", async () => {
  const { db } = await testDatabase();
  const ana = await addPerson(db, "ana@example.com");
  const object = { bytes: 3, principalId: ana, policyVersion: "1", uploadedAt: at(0) };
  await recordLfsObject(db, { repository: "code/a", oid: oidOf(1), ...object });
  await recordLfsObject(db, { repository: "code/b", oid: oidOf(2), ...object, bytes: 5_000_000_000 });

  expect(await findLfsObjects(db, "code/a", [oidOf(1), oidOf(2)])).toEqual(new Map([[oidOf(1), 3]]));
  expect(await findLfsObjects(db, "code/b", [oidOf(1), oidOf(2)])).toEqual(new Map([[oidOf(2), 5_000_000_000]]));
  expect(await findLfsObjects(db, "code/a", [])).toEqual(new Map());
});

test("an object that comes again is looked through under the newer rules", async () => {
  const { db } = await testDatabase();
  const ana = await addPerson(db, "ana@example.com");
  const ben = await addPerson(db, "ben@example.com");
  const object = { repository: "code/a", oid: oidOf(1), bytes: 3 };
  await recordLfsObject(db, { ...object, principalId: ana, policyVersion: "1", uploadedAt: at(0) });
  await recordLfsObject(db, { ...object, principalId: ben, policyVersion: "2", uploadedAt: at(1) });
  expect(await db.select().from(lfsObjects)).toEqual([
    { ...object, principalId: ben, policyVersion: "2", uploadedAt: at(1) },
  ]);
});

test("more can be asked for than one query takes", async () => {
  const { db } = await testDatabase();
  const ana = await addPerson(db, "ana@example.com");
  const known = oidOf(69_999);
  const object = {
    repository: "code/a",
    oid: known,
    bytes: 3,
    principalId: ana,
    policyVersion: "1",
    uploadedAt: at(0),
  };
  await recordLfsObject(db, object);
  const asked = Array.from({ length: 70_000 }, (_, i) => oidOf(i));
  expect(await findLfsObjects(db, "code/a", asked)).toEqual(new Map([[known, 3]]));
});
