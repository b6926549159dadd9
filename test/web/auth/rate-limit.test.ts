import { describe, expect, test } from "vitest";
import { deleteOldAttempts } from "../../../src/store/attempts.ts";
import { attempts } from "../../../src/store/schema.ts";
import { createRateLimit, keyOfAddress } from "../../../src/web/auth/rate-limit.ts";
import { testDatabase } from "../../harness/database.ts";

async function setUp() {
  const { db } = await testDatabase();
  let at = new Date("2026-03-01T12:00:00Z");
  const now = () => at;
  const gateway = (name = "guess") => createRateLimit({ db, name, limit: 3, windowMs: 60_000, now });
  return { db, now, gateway, wait: (ms: number) => void (at = new Date(at.getTime() + ms)) };
}

describe("a limit", () => {
  test("is one for all gateways, whose count is the database's", async () => {
    const { gateway } = await setUp();
    const [first, second] = [gateway(), gateway()];
    expect([await first.take("ana"), await second.take("ana"), await first.take("ana")]).toEqual([
      "taken",
      "taken",
      "last",
    ]);
    expect([await second.take("ana"), await first.take("ana")]).toEqual(["refused", "refused"]);
    // Somebody else, and something else.
    expect([await first.take("ben"), await gateway("begun").take("ana")]).toEqual(["taken", "taken"]);
  });

  test("lets no more through where all come at once", async () => {
    const { gateway } = await setUp();
    const [first, second] = [gateway(), gateway()];
    const taken = await Promise.all(Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? first : second).take("ana")));
    expect(taken.filter((each) => each !== "refused")).toHaveLength(3);
  });

  test("begins anew after its time, for who was refused as well, and its rows go", async () => {
    const { db, gateway, now, wait } = await setUp();
    const limit = gateway();
    for (let count = 0; count < 5; count += 1) await limit.take("ana");
    wait(59_000);
    expect(await limit.take("ana")).toBe("refused");
    await deleteOldAttempts(db, now());
    expect(await db.select().from(attempts)).toHaveLength(1);
    wait(1_000);
    expect(await limit.take("ana")).toBe("taken");
    wait(60_000);
    await deleteOldAttempts(db, now());
    expect(await db.select().from(attempts)).toEqual([]);
  });

  test("does not count what was given back", async () => {
    const { gateway } = await setUp();
    const limit = gateway();
    for (let count = 0; count < 10; count += 1) {
      expect(await limit.take("ana")).toBe("taken");
      await limit.giveBack("ana");
    }
  });
});

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:db8:0:0:ffff:1:2:3", "2001:db8:0:0::/64"],
  ["2001:DB8:1:2::", "2001:db8:1:2::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  [null, "unknown"],
])("a machine at %s counts as %s", (address, key) => expect(keyOfAddress(address)).toBe(key));
