import { expect, test } from "vitest";
import { findForced } from "../../src/git/diff.ts";
import type { RefUpdate } from "../../src/model/ref-update.ts";
import { startScene, type Scene } from "./inspection.ts";

/** What each ref moves over that is upstream already, and whether it drops something. */
async function movesOf(scene: Scene, updates: readonly RefUpdate[]): Promise<Record<string, unknown>> {
  const objects = await scene.inspect({ updates });
  const forced = await findForced(objects, updates);
  return Object.fromEntries(
    updates.map(({ ref }) => [ref, { older: objects.olderOf.get(ref) ?? [], isForced: forced.has(ref) }]),
  );
}

test("of many refs that are set on one commit, each is told what it gains and whether it drops something, as if it came alone", async () => {
  const scene = await startScene();
  const one = await scene.commit("one", { "a.txt": "one\n" });
  const two = await scene.commit("two", { "a.txt": "two\n" });
  const three = await scene.commit("three", { "a.txt": "three\n" });
  const branchAt = async (name: string, base: string) => {
    await scene.must("checkout", "-q", "-b", name, base);
    return scene.commit(name, { [`${name}.txt`]: "x\n" });
  };
  const olds = {
    main: three,
    below: one,
    at: two,
    "beside-below": await branchAt("beside-below", one),
    "beside-at": await branchAt("beside-at", two),
    above: await branchAt("above", three),
  };
  for (const [name, oid] of Object.entries(olds)) await scene.land(`refs/heads/${name}`, oid);
  const next = await branchAt("next", two);
  const updates = Object.entries(olds).map(([name, oldOid]) => ({ ref: `refs/heads/${name}`, oldOid, newOid: next }));

  const together = await movesOf(scene, updates);

  const gainsTwo = [two];
  expect(together).toEqual({
    "refs/heads/main": { older: [], isForced: true },
    "refs/heads/below": { older: gainsTwo, isForced: false },
    "refs/heads/at": { older: [], isForced: false },
    "refs/heads/beside-below": { older: gainsTwo, isForced: true },
    "refs/heads/beside-at": { older: [], isForced: true },
    "refs/heads/above": { older: [], isForced: true },
  });
  for (const update of updates) expect(await movesOf(scene, [update])).toEqual({ [update.ref]: together[update.ref] });
});
