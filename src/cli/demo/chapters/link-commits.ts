import type { CommitAnswer } from "../../../store/commit-answer.ts";
import type { Cast, Telling } from "../cast.ts";
import { REPOSITORY, SUGGESTED_LINES } from "../script.ts";
import { waitUntil } from "../wait-until.ts";
import type { DeliveredPush } from "./hold-push.ts";
import type { RecordedSession } from "./record-session.ts";

interface Before {
  readonly session: RecordedSession;
  readonly delivered: DeliveredPush;
}

/** Which lines of the commits came from which exchange. */
export async function linkCommits(telling: Telling, cast: Cast, { session, delivered }: Before): Promise<void> {
  const { narrator } = telling;
  narrator.step("The commits are linked to the session, line by line");
  await cast.ana.git.run("log", "--oneline", "origin/main");

  narrator.say("", "Nobody said where slug.py came from. Its lines did:");
  const suggested = await show(telling, cast, delivered.suggested);
  const [link] = suggested.sessions;
  narrator.verify(
    "content: the commit is linked to the session and its exchange",
    suggested.sessions.length === 1 &&
      link?.id === session.id &&
      link.reason === "content" &&
      link.exchanges.includes(session.exchange) &&
      link.confidence > 0.5,
    () => JSON.stringify(suggested.sessions),
  );
  const runs = suggested.files.find(({ path }) => path === "slug.py")?.lines ?? [];
  const byCopilot = runs.filter(({ verdict }) => verdict === "ai").map(({ from, to }) => `${from}-${to}`);
  narrator.verify(
    `lines 1-${SUGGESTED_LINES} are Copilot's, and ana's own function is not`,
    byCopilot.join() === `1-${SUGGESTED_LINES}` &&
      runs.filter(({ verdict }) => verdict === "ai")[0]?.session === session.id,
    () => JSON.stringify(runs),
  );

  narrator.say("", "The other commit's message says where it came from, and ana's session is ana's to name:");
  const trailed = await show(telling, cast, delivered.trailed);
  narrator.verify(
    "trailer: the commit is linked to the session that it names",
    trailed.sessions.some(({ id, reason }) => id === session.id && reason === "trailer"),
    () => JSON.stringify(trailed.sessions),
  );
  const own = await findAttributed(telling, cast, delivered.own);
  narrator.verify(
    "settings.py is ana's own work: no link",
    own.sessions.length === 0 && own.files.every(({ lines }) => lines.every(({ verdict }) => verdict === "unknown")),
    () => JSON.stringify(own),
  );
}

const targetOf = (sha: string): string => `/api/v1/commits/${sha}`;

/** Commits are read after the push has been answered, so that nobody waits for it. */
const findAttributed = ({ io }: Telling, { ana }: Cast, sha: string): Promise<CommitAnswer> =>
  waitUntil(`commit ${sha.slice(0, 10)} is attributed`, io.stop, async () => {
    const found = await ana.client.get<CommitAnswer>(targetOf(sha));
    return found.attributed_at === null ? null : found;
  });

async function show(telling: Telling, cast: Cast, sha: string): Promise<CommitAnswer> {
  const { narrator, stage } = telling;
  const commit = await findAttributed(telling, cast, sha);
  narrator.request("ana", `GET ${targetOf(sha)}`);
  for (const { id, client, confidence, reason } of commit.sessions) {
    narrator.output(`session ${id} (${client})  reason: ${reason}  confidence: ${confidence}`);
  }
  for (const { path, lines } of commit.files) {
    const text = (await stage.git.git(REPOSITORY, "show", `${sha}:${path}`)).split("\n");
    for (const { from, to, verdict, exchange, score } of lines) {
      const origin = exchange === null ? "" : `  exchange ${exchange}  score ${score}`;
      narrator.output(`${path}:${from}-${to}  ${verdict}${origin}`, "quiet");
      const style = verdict === "ai" ? "copilot" : undefined;
      for (let at = from; at <= to; at += 1) {
        const line = `${String(at).padStart(4)} ${verdict === "ai" ? "┃" : "│"} ${text[at - 1] ?? ""}`;
        narrator.output(line, style);
      }
    }
  }
  narrator.blank();
  return commit;
}
