/** The whole story, chapter by chapter. */
import { holdPush } from "./chapters/hold-push.ts";
import { introduce } from "./chapters/introduce.ts";
import { linkCommits } from "./chapters/link-commits.ts";
import { recordSession } from "./chapters/record-session.ts";
import { refuseSecret } from "./chapters/refuse-secret.ts";
import type { Telling } from "./cast.ts";
import { REPOSITORY } from "./script.ts";

export interface Told {
  readonly authorToken: string;
  readonly approverToken: string;
  /** Pages that have something on them now, and what. */
  readonly pages: readonly (readonly [string, string])[];
}

/** @throws StoryError, and what the stop signal was aborted with */
export async function tellStory(telling: Telling): Promise<Told> {
  const cast = await introduce(telling);
  const session = await recordSession(telling, cast);
  const refused = await refuseSecret(telling, cast);
  const delivered = await holdPush(telling, cast, session);
  await linkCommits(telling, cast, { session, delivered });
  return {
    authorToken: cast.ana.token,
    approverToken: cast.lee.token,
    pages: [
      [session.url, "the conversation, as recorded"],
      [refused.url, "the push that was refused, and why"],
      [delivered.approvalUrl, "the approval: who asked, who decided, what was in it"],
      [`${telling.stage.address}/commits/${delivered.suggested}`, "the commit, line by line"],
      [`${telling.stage.address}/pushes`, "everything that was pushed"],
      [`${telling.stage.address}/connect`, "how to point git and every Copilot client here"],
    ],
  };
}

/** Leaves everything running until somebody stops it. */
export async function lookAround({ stage, narrator, io: { stop } }: Telling, told: Told): Promise<void> {
  narrator.step("Look around");
  narrator.say(`Sign in at ${stage.address}/ as lee, with this token:`, "");
  narrator.output(told.approverToken, "command");
  narrator.blank();
  narrator.table(told.pages);
  narrator.say(
    "",
    "Or be ana. Her token is the password for git, and a push to main then waits for lee on /approvals:",
    "",
  );
  narrator.output(told.authorToken, "command");
  narrator.output(`git clone ${stage.address}/git/code/${REPOSITORY}.git`, "command");
  narrator.say("", "The API behind all of it is described at:", "");
  narrator.output(`${stage.address}/api/v1/openapi.json`);
  narrator.say("", "Ctrl-C ends it, and nothing stays behind.");
  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    else stop.addEventListener("abort", () => resolve(), { once: true });
  });
  narrator.blank();
}
