import type { SlackPost } from "../../../../fixtures/slack-server.ts";
import type { Cast, Telling } from "../cast.ts";
import type { RunningGit } from "../git-user.ts";
import type { Narrator } from "../narrator.ts";
import { CHANNEL, README_WITH_ADDRESSES, REPOSITORY, SETTINGS_WITHOUT_KEY, SLUG } from "../script.ts";
import { StoryError } from "../story-error.ts";
import { waitUntil } from "../wait-until.ts";
import { writeFiles } from "../write-files.ts";
import type { RecordedSession } from "./record-session.ts";

export interface DeliveredPush {
  /** The commit with nothing of Copilot's in it. */
  readonly own: string;
  /** The one with the suggested lines. */
  readonly suggested: string;
  /** The one whose message names the session. */
  readonly trailed: string;
  readonly approvalUrl: string;
}

/** A push to `main` waits for lee, and is delivered by the gateway. */
export async function holdPush(telling: Telling, cast: Cast, session: RecordedSession): Promise<DeliveredPush> {
  const { stage, narrator } = telling;
  const { git } = cast.ana;
  narrator.step("A push to main is held, approved and delivered");
  const commits = await commitAgain(telling, cast, session);

  const push = git.start("push", "origin", "main");
  const approvalUrl = await findLink(telling, push);
  const post = await waitUntil("a message in Slack", telling.io.stop, () => stage.slack.posts[0] ?? null);
  push.pause();
  narrator.say("", `git waits. Meanwhile, in Slack, #${CHANNEL}:`, "");
  showPost(narrator, post);
  narrator.blank();
  const held = await stage.git.ref(REPOSITORY, "refs/heads/main");
  narrator.verify("main has not moved", held === cast.mainBefore, () => `main at ${held ?? "nothing"}`);

  const target = `/api/v1/approvals/${approvalUrl.split("/").at(-1) ?? ""}/approve`;
  const reason = "Reads well, and the key is out.";
  narrator.say("", "A link carries no authority. lee decides as lee, on the page behind it or by the API:");
  narrator.request("lee", `POST ${target}  ${JSON.stringify({ reason })}`);
  const decision = await cast.lee.client.post(target, { reason });
  narrator.output(`${decision.status} ${statusOf(decision.text)}`);
  narrator.blank();
  narrator.verify("lee's approval counts", decision.status === 200, () => `${decision.status}: ${decision.text}`);
  narrator.say("", "The gateway delivers. In ana's terminal git goes on, to the Git server's own answer:", "");
  push.resume();
  const { code, output } = await push.ended;

  narrator.blank();
  narrator.verify(
    "git ends well",
    code === 0 && /main -> main$/m.test(output) && !output.includes("rejected"),
    () => `exit code ${code}\n${output}`,
  );
  const main = await stage.git.ref(REPOSITORY, "refs/heads/main");
  narrator.verify("main has moved to her commit", main === commits.trailed, () => `main at ${main ?? "nothing"}`);
  return { ...commits, approvalUrl };
}

async function commitAgain(
  { narrator }: Telling,
  { ana: { git } }: Cast,
  session: RecordedSession,
): Promise<Omit<DeliveredPush, "approvalUrl">> {
  const commit = async (files: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<string> => {
    await writeFiles(git.directory, files);
    await git.quietly("add", ...Object.keys(files));
    const { code, output } = await git.run("commit", ...args);
    if (code !== 0) throw new StoryError("git commits", output);
    return git.quietly("rev-parse", "HEAD");
  };
  narrator.say("ana takes the key out of the commit itself: each new commit is read, not just their sum.");
  const own = await commit(SETTINGS_WITHOUT_KEY, "--amend", "--no-edit");
  narrator.say("", "Copilot's function goes into slug.py, with one of her own below it:");
  const suggested = await commit(SLUG, "-m", "Turn titles into addresses");
  narrator.say("", "And a line in README.md. This message names the session, as the Copilot CLI can have it done:");
  const trailer = `Copilot-Session: ${session.conversation}`;
  const trailed = await commit(README_WITH_ADDRESSES, "-m", "Explain the addresses", "-m", trailer);
  return { own, suggested, trailed };
}

/** The link that git shows while it waits. */
async function findLink({ io }: Telling, push: RunningGit): Promise<string> {
  const expected = "git shows a link to the approval while it waits";
  const ended = push.ended.then(({ code, output }) => {
    throw new StoryError(expected, `git ended with ${code}\n${output}`);
  });
  const shown = waitUntil(
    expected,
    io.stop,
    () => /https?:\/\/\S+\/approvals\/[0-9a-f-]{36}/.exec(push.output())?.[0] ?? null,
  );
  return Promise.race([shown, ended]);
}

/** As the stand-in received it: Slack's own markup. */
function showPost(narrator: Narrator, { blocks }: SlackPost): void {
  for (const { type, text, elements } of blocks) {
    const texts = [text, ...(elements ?? [])].map((one) => (typeof one?.text === "string" ? one.text : ""));
    const lines = texts.filter((one) => one !== "").flatMap((one) => one.split("\n"));
    for (const line of lines) narrator.output(`│ ${line}`, type === "header" ? "command" : undefined);
  }
}

function statusOf(json: string): string {
  try {
    const { status, decisions } = JSON.parse(json) as { status?: string; decisions?: readonly { by: string }[] };
    return `${status ?? ""} by ${(decisions ?? []).map(({ by }) => by).join(", ")}`;
  } catch {
    return json;
  }
}
