import { expect, test } from "vitest";
import { ReadAhead } from "../../src/git/read-ahead.ts";

/** A source that gives what it is told to, when it is told to. */
function createSource() {
  const asked: ((result: IteratorResult<Uint8Array>) => void)[] = [];
  let wake = (): void => {};
  const source: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () =>
        new Promise((resolve) => {
          asked.push(resolve);
          wake();
        }),
    }),
  };
  const answer = async (result: IteratorResult<Uint8Array>): Promise<void> => {
    while (asked.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    asked.shift()?.(result);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    source,
    give: (text: string) => answer({ done: false, value: Buffer.from(text) }),
    end: () => answer({ done: true, value: undefined }),
    waiting: () => asked.length,
  };
}

test("what comes while its consumer is busy is one piece", async () => {
  const { source, give, end } = createSource();
  const ahead = new ReadAhead(source, 100);
  await give("one ");
  await give("");
  await give("two");
  expect((await ahead.take())?.toString()).toBe("one two");
  const next = ahead.take();
  await give("three");
  expect((await next)?.toString()).toBe("three");
  const last = ahead.take();
  await end();
  expect(await last).toBeNull();
  expect(await ahead.take()).toBeNull();
});

test("asks for no more while much is held, and goes on once it was taken", async () => {
  const { source, give, waiting } = createSource();
  const ahead = new ReadAhead(source, 4);
  await give("12");
  expect(waiting()).toBe(1);
  await give("34");
  expect(waiting()).toBe(0);
  expect((await ahead.take())?.toString()).toBe("1234");
  await give("5");
  expect((await ahead.take())?.toString()).toBe("5");
});

test("stopped, it asks for no more, and closes nothing", async () => {
  let isClosed = false;
  const numbers = (async function* () {
    try {
      for (let at = 0; at < 1000; at++) yield Buffer.alloc(10);
    } finally {
      isClosed = true;
    }
  })();
  const ahead = new ReadAhead(numbers, 20);
  await ahead.take();
  ahead.stop();
  await new Promise((resolve) => setImmediate(resolve));
  expect(isClosed).toBe(false);
  expect((await numbers.next()).done).toBe(false);
});

test("what the source throws is thrown to who takes", async () => {
  const broken = (async function* () {
    yield Buffer.from("some");
    throw new Error("gone");
  })();
  const ahead = new ReadAhead(broken, 1);
  expect((await ahead.take())?.toString()).toBe("some");
  await expect(ahead.take()).rejects.toThrow("gone");
});
