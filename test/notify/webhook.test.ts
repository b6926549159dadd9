import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startWebhookReceiver, type WebhookReceiver } from "../../fixtures/webhook-receiver.ts";
import { createWebhookNotifier, parseRetryAfter, signWebhook } from "../../src/notify/webhook.ts";
import { refusal, sampleMessage } from "./sample-message.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

let receiver: WebhookReceiver;
beforeEach(async () => {
  receiver = await startWebhookReceiver({ secret: SECRET });
});
afterEach(() => receiver.close());

const notifier = (secret: string | null = SECRET, timeoutMs = 60_000) =>
  createWebhookNotifier({ name: "hook", url: receiver.url, secret, timeoutMs });

describe("a webhook", () => {
  it("signs as the specification's own example does", () => {
    // The example of the reference libraries' tests (standard-webhooks/libraries).
    expect(signWebhook(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')).toBe(
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    );
  });

  it("arrives once, signed, with its kind, its time and its data", async () => {
    await notifier().send(sampleMessage());
    await notifier().send(sampleMessage());
    expect(receiver.requestCount).toBe(2);
    expect(receiver.deliveries).toHaveLength(1);
    expect(receiver.deliveries[0]).toMatchObject({
      id: "01900000-0000-7000-8000-00000000000a",
      body: {
        type: "approval_requested",
        timestamp: "2026-01-02T03:04:05.000Z",
        data: { repository: "code/team/app", refs: [{ ref: "refs/heads/main" }] },
      },
    });
  });

  it("is refused by the receiver under another secret, or none", async () => {
    expect(await refusal(notifier("another").send(sampleMessage()))).toMatchObject({ isPermanent: true });
    expect((await refusal(notifier(null).send(sampleMessage()))).message).toContain("401");
    expect(receiver.deliveries).toHaveLength(0);
  });

  it("passes on how long the receiver wants to be left alone", async () => {
    receiver.trouble({ status: 503, headers: { "retry-after": "3" } });
    expect(await refusal(notifier().send(sampleMessage()))).toMatchObject({ retryAfterMs: 3_000, isPermanent: false });
  });

  it("follows no redirect", async () => {
    receiver.trouble({ status: 307, headers: { location: receiver.url } });
    expect((await refusal(notifier().send(sampleMessage()))).message).toContain("307");
    expect(receiver.requestCount).toBe(1);
  });

  it("gives up waiting for an answer, and for a receiver that is gone", async () => {
    receiver.trouble("hang");
    expect((await refusal(notifier(SECRET, 100).send(sampleMessage()))).isPermanent).toBe(false);
    const gone = notifier();
    await receiver.close();
    expect((await refusal(gone.send(sampleMessage()))).message).toContain("ECONNREFUSED");
  });
});

describe("Retry-After", () => {
  const now = new Date("2026-01-02T03:04:05.000Z");
  it.each([
    ["120", 120_000],
    [" 0 ", 0],
    ["Fri, 02 Jan 2026 03:04:35 GMT", 30_000],
    ["Fri, 02 Jan 2026 03:04:00 GMT", 0],
    ["soon", null],
    [null, null],
  ])("reads %j", (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });
});
