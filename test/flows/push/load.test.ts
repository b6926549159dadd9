import { expect, test } from "vitest";
import { createPushLoad } from "../../../src/flows/push/load.ts";

/** Work that ends when it is told to. */
function controlled<T>(value: T) {
  let end: (value: T) => void = () => {};
  const ended = new Promise<T>((resolve) => (end = resolve));
  return { work: () => ended, end: () => end(value) };
}

test("so many are read at once, the others in the order of asking", async () => {
  const load = createPushLoad(2);
  const begun: string[] = [];
  const works = ["a", "b", "c", "d"].map((name) => ({ name, ...controlled(name) }));
  const reads = works.map(({ name, work }) =>
    load.read(() => {
      begun.push(name);
      return work();
    }),
  );
  await Promise.resolve();
  expect(begun).toEqual(["a", "b"]);
  works[1]?.end();
  expect(await reads[1]).toBe("b");
  await Promise.resolve();
  expect(begun).toEqual(["a", "b", "c"]);
  for (const { end } of works) end();
  expect(await Promise.all(reads)).toEqual(["a", "b", "c", "d"]);
  expect(begun).toEqual(["a", "b", "c", "d"]);
});

test("one that fails gives its slot on", async () => {
  const load = createPushLoad(1);
  const failing = load.read(() => Promise.reject(new Error("no")));
  const next = load.read(async () => "next");
  await expect(failing).rejects.toThrow("no");
  expect(await next).toBe("next");
  expect(await load.read(async () => "free again")).toBe("free again");
});

test("busy is from the first push that enters to the last one that leaves", () => {
  const load = createPushLoad(1);
  expect(load.isBusy()).toBe(false);
  const leaveFirst = load.enter();
  const leaveSecond = load.enter();
  leaveFirst();
  leaveFirst();
  expect(load.isBusy()).toBe(true);
  leaveSecond();
  expect(load.isBusy()).toBe(false);
});
