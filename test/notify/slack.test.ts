import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebClient } from "@slack/web-api";
import { startSlackServer, type SlackServer } from "../../fixtures/slack-server.ts";
import { createSlackNotifier } from "../../src/notify/slack.ts";
import { refusal, sampleMessage } from "./sample-message.ts";

const TOKEN = "xoxb-test-token";

let slack: SlackServer;
beforeEach(async () => {
  slack = await startSlackServer({ token: TOKEN, channels: { pushes: "C0PUSHES" } });
});
afterEach(() => slack.close());

const notifier = (options: { token?: string; channel?: string; timeoutMs?: number } = {}) =>
  createSlackNotifier({
    name: "slack",
    token: options.token ?? TOKEN,
    channel: options.channel ?? "#pushes",
    apiUrl: slack.url,
    timeoutMs: options.timeoutMs ?? 60_000,
  });

const shownText = (): string => JSON.stringify(slack.posts[0]?.blocks);

describe("a request for approval in Slack", () => {
  it("says who, where, what and why, and links to the page that decides", async () => {
    await notifier().send(sampleMessage());
    const [post] = slack.posts;
    expect(post?.channel).toBe("C0PUSHES");
    for (const part of [
      "alice@example.com",
      "code/team/app",
      "refs/heads/main",
      "aaaaaaaaaaaa",
      "bbbbbbbbbbbb",
      "Add the thing",
      "refs/heads/main is protected",
      "<https://gateway.example/approvals/01900000-0000-7000-8000-000000000001|",
    ]) {
      expect(shownText()).toContain(part);
    }
    expect(post?.text).toContain("https://gateway.example/approvals/");
    expect(post?.unfurlLinks).toBe(false);
    expect(post?.unfurlMedia).toBe(false);
    expect(post?.metadata).toEqual({
      event_type: "sallyport_approval_requested",
      event_payload: { id: "01900000-0000-7000-8000-00000000000a" },
    });
  });

  it("takes the meaning out of mentions, links, formatting and control bytes", async () => {
    const hostile = "<!channel> @here <https://evil.example|Approve> `*bold*` & \u001b[31m\u202e\nsecond line";
    await notifier().send(
      sampleMessage({
        pusher: `<!here>${hostile}`,
        repository: hostile,
        refs: [{ ref: `refs/heads/${hostile}`, old: "0".repeat(40), new: "b".repeat(40) }],
        commits: [{ sha: "b".repeat(40), author: hostile, subject: hostile }],
        reasons: [hostile],
        approvers: [hostile],
      }),
    );
    const everything = JSON.stringify(slack.posts);
    expect(everything).toContain("&lt;!channel&gt;");
    // Left in clear: our own link and our own time, nothing else.
    const controls = everything.match(/<[^>]*>/g) ?? [];
    expect(controls.length).toBeGreaterThan(0);
    for (const control of controls) expect(control).toMatch(/^<(https:\/\/gateway\.example\/|!date\^\d+\^)/);
    expect(everything).not.toMatch(/@here|@channel/);
    // oxlint-disable-next-line no-control-regex -- the control bytes are what must not be there
    expect(everything).not.toMatch(/[\u001b\u202e]/);
    expect(everything).toContain("\\\\x1b[31m");
    expect(everything).toContain("\\\\u202e");
    // No back-tick of theirs ends a code span of ours.
    expect(everything).not.toContain("`*bold*`");
    expect(slack.posts[0]?.text).not.toMatch(/[*`~]/);
  });

  it("stays within Slack's limits whatever a push holds", async () => {
    const many = Array.from({ length: 300 }, (_, index) => index);
    await notifier().send(
      sampleMessage({
        pusher: "&".repeat(4_000),
        repository: "<".repeat(4_000),
        refs: many.map((index) => ({
          ref: `refs/heads/${index}${"&".repeat(4_000)}`,
          old: "0".repeat(40),
          new: "b".repeat(40),
        })),
        commitCount: 300,
        commits: many.map(() => ({ sha: "b".repeat(40), author: ">".repeat(4_000), subject: "&".repeat(4_000) })),
        reasons: many.map(() => "<".repeat(4_000)),
        approvers: many.map(() => "&".repeat(4_000)),
      }),
    );
    // The stand-in refuses what Slack would refuse, so that it arrived is the proof.
    expect(slack.posts).toHaveLength(1);
    expect(shownText()).toMatch(/… and \d+ more refs/);
  });

  it("tells of a deleted ref and of findings", async () => {
    await notifier().send(
      sampleMessage({
        refs: [{ ref: "refs/heads/old", old: "a".repeat(40), new: "0".repeat(40) }],
        commits: [],
        commitCount: 0,
        findingCount: 2,
      }),
    );
    expect(shownText()).toContain("deleted");
    expect(shownText()).toContain("2 findings");
  });

  it("tells software apart from people", async () => {
    await notifier().send(sampleMessage({ pusher: "ci@example.com", pusherKind: "service" }));
    expect(shownText()).toContain("`ci@example.com` (service)");
  });

  it("tells how it was decided", async () => {
    await notifier().send({
      ...sampleMessage(),
      notification: {
        kind: "approval_decided",
        approvalId: "a",
        pushId: "p",
        url: "https://gateway.example/pushes/p",
        repository: "code/app",
        pusher: "alice@example.com",
        pusherKind: "person",
        refs: [{ ref: "refs/heads/main", old: "a".repeat(40), new: "b".repeat(40) }],
        outcome: "denied",
        decidedBy: "bob@example.com",
        reason: "not <now>",
        decidedAt: "2026-01-02T03:04:05.000Z",
      },
    });
    expect(shownText()).toContain("not &lt;now&gt;");
    expect(shownText()).toContain("bob@example.com");
  });
});

describe("Slack's refusals", () => {
  it("passes on how long a rate limit lasts, and does not try again by itself", async () => {
    slack.trouble({ kind: "rate-limited", retryAfterSeconds: 7 });
    const error = await refusal(notifier().send(sampleMessage()));
    expect(error).toMatchObject({ retryAfterMs: 7_000, isPermanent: false });
    expect(slack.requestCount).toBe(1);
  });

  it.each(["invalid_auth", "channel_not_found", "not_in_channel"])(
    "takes %s as the operator's to mend",
    async (code) => {
      slack.trouble({ kind: "error", error: code });
      const error = await refusal(notifier().send(sampleMessage()));
      expect(error.isPermanent).toBe(true);
      expect(error.message).toContain(code);
    },
  );

  it("finds a wrong token and a wrong channel out by itself, and never names the token", async () => {
    const wrongToken = await refusal(notifier({ token: "xoxb-wrong" }).send(sampleMessage()));
    expect(wrongToken.message).toContain("invalid_auth");
    expect(wrongToken.message).not.toContain("xoxb");
    const wrongChannel = await refusal(notifier({ channel: "#nowhere" }).send(sampleMessage()));
    expect(wrongChannel.message).toContain("channel_not_found");
    expect(slack.posts).toHaveLength(0);
  });

  it.each([
    [{ kind: "outage", status: 503 }, /503/],
    [{ kind: "error", error: "internal_error" }, /internal_error/],
    [{ kind: "html" }, /not Slack's API/],
    [{ kind: "lost-answer" }, /could not be reached/],
  ] as const)("takes %j as a trouble that passes", async (trouble, text) => {
    slack.trouble(trouble);
    const error = await refusal(notifier().send(sampleMessage()));
    expect(error.isPermanent).toBe(false);
    expect(error.message).toMatch(text);
    expect(slack.requestCount).toBe(1);
  });

  it("gives up waiting for an answer that does not come", async () => {
    slack.trouble({ kind: "hang" });
    const error = await refusal(notifier({ timeoutMs: 100 }).send(sampleMessage()));
    expect(error).toMatchObject({ isPermanent: false, retryAfterMs: null });
  });

  it("says that nobody is there", async () => {
    const gone = createSlackNotifier({ name: "slack", token: TOKEN, channel: "#pushes", apiUrl: slack.url });
    await slack.close();
    expect((await refusal(gone.send(sampleMessage()))).message).toContain("ECONNREFUSED");
  });
});

describe("the stand-in", () => {
  const client = (token: string) => new WebClient(token, { slackApiUrl: slack.url, retryConfig: { retries: 0 } });

  it("answers the official client as Slack does", async () => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- Slack's method, not the browser's
    const answer = await client(TOKEN).chat.postMessage({ channel: "#pushes", text: "hello" });
    expect(answer).toMatchObject({ ok: true, channel: "C0PUSHES", message: { text: "hello" } });
    expect(answer.ts).toMatch(/^\d+\.\d{6}$/);
    expect(await client(TOKEN).auth.test()).toMatchObject({ ok: true, user_id: "U0BOT" });
  });

  it.each([
    [{ channel: "#pushes", text: "" }, "no_text"],
    [{ channel: "#pushes", text: "x".repeat(40_001) }, "msg_too_long"],
    [{ channel: "#other", text: "x" }, "channel_not_found"],
    [
      {
        channel: "#pushes",
        text: "x",
        blocks: [{ type: "section" as const, text: { type: "mrkdwn" as const, text: "x".repeat(3_001) } }],
      },
      "invalid_blocks",
    ],
  ])("refuses what Slack refuses (%#)", async (message, code) => {
    const silent = new WebClient(TOKEN, {
      slackApiUrl: slack.url,
      retryConfig: { retries: 0 },
      logger: {
        debug: () => {},
        info: () => {},
        warn: () => {},
        error: () => {},
        setLevel: () => {},
        setName: () => {},
        getLevel: () => "error" as never,
      },
    });
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- Slack's method, not the browser's
    await expect(silent.chat.postMessage(message)).rejects.toThrow(code);
    expect(slack.posts).toHaveLength(0);
  });
});
