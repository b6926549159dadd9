import { describe, expect, it, onTestFinished } from "vitest";
import { eq } from "drizzle-orm";
import { startSlackServer } from "../../fixtures/slack-server.ts";
import { startWebhookReceiver } from "../../fixtures/webhook-receiver.ts";
import { createOutboxJob, type OutboxTiming } from "../../src/jobs/outbox.ts";
import type { Logger } from "../../src/model/log.ts";
import { NotifyError, type Notifier } from "../../src/notify/notifier.ts";
import { createSlackNotifier } from "../../src/notify/slack.ts";
import { createWebhookNotifier } from "../../src/notify/webhook.ts";
import type { Database } from "../../src/store/database.ts";
import { claimDueMessages, findOutboxDepth, insertOutbox, markMessageRetry } from "../../src/store/outbox.ts";
import { outbox } from "../../src/store/schema.ts";
import { testDatabase } from "../harness/database.ts";
import { sampleRequest } from "../notify/sample-message.ts";

const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const FAST: Partial<OutboxTiming> = { poll: 20, firstRetry: 20, maxRetry: 40, permanentRetry: 60 };

const queue = (db: Database, notifier: string, count = 1, createdAt = new Date()) =>
  db.transaction((tx) => {
    const { kind, ...payload } = sampleRequest();
    return insertOutbox(
      tx,
      Array.from({ length: count }, () => ({ notifier, kind, payload, createdAt })),
    );
  });

function startJob(
  db: Database,
  notifiers: readonly Notifier[],
  options: { timing?: Partial<OutboxTiming>; log?: Logger } = {},
) {
  const job = createOutboxJob({
    db,
    notifiers,
    log: options.log ?? silent,
    now: () => new Date(),
    timing: { ...FAST, ...options.timing },
  });
  job.start();
  onTestFinished(() => job.stop());
  return job;
}

/** A notifier that keeps what it is given, and fails as often as it is told. */
function recording(name: string, failures: readonly Error[] = []) {
  const left = [...failures];
  const sent: string[] = [];
  const tried: string[] = [];
  const notifier: Notifier = {
    name,
    send: async (message) => {
      tried.push(message.id);
      const failure = left.shift();
      if (failure !== undefined) throw failure;
      sent.push(message.id);
    },
  };
  return { notifier, sent, tried };
}

const slackAt = (url: string, token = "xoxb-1") =>
  createSlackNotifier({ name: "slack", token, channel: "#pushes", apiUrl: url, timeoutMs: 60_000 });

async function slackServer() {
  const server = await startSlackServer({ token: "xoxb-1", channels: { pushes: "C1" } });
  onTestFinished(() => server.close());
  return server;
}

describe("the outbox's drain", () => {
  it("delivers once Slack is back after an outage, exactly one message", async () => {
    const { db } = await testDatabase();
    const slack = await slackServer();
    slack.setOutage({ kind: "outage", status: 503 });
    startJob(db, [slackAt(slack.url)]);
    await queue(db, "slack");
    await expect.poll(() => slack.requestCount).toBeGreaterThanOrEqual(3);
    const [waiting] = await db.select().from(outbox);
    expect(waiting).toMatchObject({ sentAt: null, failedAt: null, lastError: expect.stringContaining("503") });
    expect(await findOutboxDepth(db)).toMatchObject({ pending: 1, failed: 0, oldestPendingAt: waiting?.createdAt });

    slack.setOutage(null);
    await expect.poll(() => findOutboxDepth(db)).toMatchObject({ pending: 0 });
    expect(slack.posts).toHaveLength(1);
    const [row] = await db.select().from(outbox);
    expect(row?.sentAt).toBeInstanceOf(Date);
    expect(row?.lastError).toBeNull();
  });

  it("leaves Slack alone for as long as a rate limit asks, all messages of the lane", async () => {
    const { db } = await testDatabase();
    const slack = await slackServer();
    await queue(db, "slack", 3);
    slack.trouble({ kind: "rate-limited", retryAfterSeconds: 1 });
    const begun = Date.now();
    startJob(db, [slackAt(slack.url)]);
    await expect.poll(() => slack.posts).toHaveLength(3);
    expect(Date.now() - begun).toBeGreaterThanOrEqual(1_000);
    expect(slack.requestCount).toBe(4);
  });

  it("keeps trying what an operator has to mend, shows why, and never shows the token", async () => {
    const { db } = await testDatabase();
    const slack = await slackServer();
    slack.setToken("xoxb-2");
    startJob(db, [slackAt(slack.url)]);
    await queue(db, "slack");
    await expect.poll(async () => (await db.select().from(outbox))[0]?.lastError).toContain("invalid_auth");
    const [row] = await db.select().from(outbox);
    expect(row?.lastError).not.toContain("xoxb");
    expect(row?.failedAt).toBeNull();
    slack.setToken("xoxb-1");
    await expect.poll(() => slack.posts).toHaveLength(1);
  });

  it("sends again what a stopped gateway had claimed, with the same id, so that a receiver can drop the repetition", async () => {
    const { db } = await testDatabase();
    const receiver = await startWebhookReceiver({ secret: "s" });
    onTestFinished(() => receiver.close());
    await queue(db, "hook");
    const hook = createWebhookNotifier({ name: "hook", url: receiver.url, secret: "s" });
    // The first gateway sends, and is killed before it can say so.
    const now = new Date();
    const [claim] = await claimDueMessages(db, {
      notifier: "hook",
      now,
      leaseUntil: new Date(now.getTime() + 300),
      limit: 8,
    });
    await hook.send({ id: claim?.id ?? "", createdAt: now, notification: sampleRequest() });
    startJob(db, [hook]);
    await expect.poll(() => findOutboxDepth(db)).toMatchObject({ pending: 0 });
    expect(receiver.requestCount).toBe(2);
    expect(receiver.deliveries).toHaveLength(1);
  });

  it("shares the work between gateways: every message is sent by one of them", async () => {
    const { db } = await testDatabase();
    await queue(db, "slack", 40);
    const gateways = [recording("slack"), recording("slack"), recording("slack")];
    for (const gateway of gateways) startJob(db, [gateway.notifier]);
    await expect.poll(() => findOutboxDepth(db)).toMatchObject({ pending: 0 });
    const sent = gateways.flatMap((gateway) => gateway.sent);
    expect(sent).toHaveLength(40);
    expect(new Set(sent).size).toBe(40);
  });

  it("does not let one notifier that hangs delay another", async () => {
    const { db } = await testDatabase();
    let letGo = (): void => {};
    const hanging: Notifier = {
      name: "hanging",
      send: () =>
        new Promise((resolve) => {
          letGo = resolve;
        }),
    };
    const quick = recording("quick");
    startJob(db, [hanging, quick.notifier]);
    await queue(db, "hanging");
    await queue(db, "quick", 2);
    await expect.poll(() => quick.sent).toHaveLength(2);
    letGo();
  });

  it("goes on to the next message when one can never be sent", async () => {
    const { db } = await testDatabase();
    const refusing = recording("slack", [new NotifyError("too long", { isPermanent: true })]);
    await queue(db, "slack", 2);
    startJob(db, [refusing.notifier], { timing: { permanentRetry: 60_000 } });
    await expect.poll(() => refusing.sent).toHaveLength(1);
    expect(refusing.tried).toHaveLength(2);
  });

  it("keeps a message that an unknown version wrote, with the reason, and sends the rest", async () => {
    const { db } = await testDatabase();
    const plain = recording("slack");
    await db.transaction((tx) =>
      insertOutbox(tx, [{ notifier: "slack", kind: "from_the_future", payload: { a: 1 }, createdAt: new Date() }]),
    );
    await queue(db, "slack");
    startJob(db, [plain.notifier], { timing: { permanentRetry: 60_000 } });
    await expect.poll(() => plain.sent).toHaveLength(1);
    const [odd] = await db.select().from(outbox).where(eq(outbox.kind, "from_the_future"));
    expect(odd?.lastError).toContain("does not have the expected shape");
  });

  it("gives up after the expiry, and says so", async () => {
    const { db } = await testDatabase();
    const warnings: string[] = [];
    await queue(db, "nobody", 1, new Date(Date.now() - 25 * 60 * 60_000));
    startJob(db, [], { log: { ...silent, error: (_fields, message) => warnings.push(message) } });
    await expect.poll(() => findOutboxDepth(db)).toMatchObject({ pending: 0, failed: 1 });
    const [row] = await db.select().from(outbox);
    expect(row?.lastError).toContain("no gateway has a notifier of this name");
    await expect.poll(() => warnings).toContain("messages were given up: see outbox.last_error");
  });

  it("sends at once when woken, and not at all once stopped", async () => {
    const { db } = await testDatabase();
    const plain = recording("slack");
    const job = startJob(db, [plain.notifier], { timing: { poll: 60_000 } });
    await queue(db, "slack");
    job.wake();
    await expect.poll(() => plain.sent).toHaveLength(1);
    await job.stop();
    await queue(db, "slack");
    job.wake();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(plain.sent).toHaveLength(1);
  });

  it("outlives a database that goes away", async () => {
    const handle = await testDatabase();
    const errors: string[] = [];
    const job = startJob(handle.db, [recording("slack").notifier], {
      log: { ...silent, error: (_fields, message) => errors.push(message) },
    });
    await handle.close();
    job.wake();
    await expect.poll(() => errors).toContain("a job's round failed; it will be tried again");
  });
});

describe("a claim", () => {
  it("that lapsed can no longer change what its successor decided", async () => {
    const { db } = await testDatabase();
    await queue(db, "slack");
    const now = new Date();
    const claim = (leaseUntil: Date) => claimDueMessages(db, { notifier: "slack", now, leaseUntil, limit: 1 });
    const [first] = await claim(now);
    const [second] = await claim(new Date(now.getTime() + 60_000));
    if (first === undefined || second === undefined) throw new Error("nothing was claimed");
    expect([first.attempts, second.attempts]).toEqual([1, 2]);
    await markMessageRetry(db, first, now, "late news");
    expect((await db.select().from(outbox))[0]?.lastError).toBeNull();
    expect(await claim(now)).toEqual([]);
  });

  it("is undone with the transaction that wrote the message", async () => {
    const { db } = await testDatabase();
    const { kind, ...payload } = sampleRequest();
    await expect(
      db.transaction(async (tx) => {
        await insertOutbox(tx, [{ notifier: "slack", kind, payload, createdAt: new Date() }]);
        throw new Error("the approval could not be written");
      }),
    ).rejects.toThrow("the approval could not be written");
    expect(await db.select().from(outbox)).toEqual([]);
  });
});
