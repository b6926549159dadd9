import { expect, onTestFinished, test, vi } from "vitest";
import { createAttributionJob } from "../../src/jobs/attribution.ts";

test("links wait while a push is on its way, but not for ever", async () => {
  let isBusy = true;
  let clock = 1_000_000;
  const attributePending = vi.fn<() => Promise<number>>().mockResolvedValue(0);
  const asked = vi.fn<() => void>();
  const job = createAttributionJob({
    attribution: { attributePending, attributePush: async () => 0 },
    isBusy: () => {
      asked();
      return isBusy;
    },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    now: () => new Date(clock),
  });
  onTestFinished(() => job.stop());
  /** Resolves when one more round is over. */
  const round = async (): Promise<void> => {
    const before = asked.mock.calls.length;
    job.wake();
    await expect.poll(() => asked.mock.calls.length).toBeGreaterThan(before);
  };
  job.start();
  await round();
  await round();
  expect(attributePending).not.toHaveBeenCalled();

  clock += 31_000;
  await round();
  await expect.poll(() => attributePending).toHaveBeenCalledTimes(1);
  await round();
  expect(attributePending).toHaveBeenCalledTimes(1);

  isBusy = false;
  await round();
  await expect.poll(() => attributePending).toHaveBeenCalledTimes(2);
});
