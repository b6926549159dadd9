/** A commit: who pushed it, and line by line which Copilot exchange suggested it, as far as the record shows. */
import type { AddedHunk } from "../../model/added-hunk.ts";
import type { CommitFileAnswer, CommitAnswer } from "../../store/commit-answer.ts";
import type { CommitRecord } from "../../store/commit-queries.ts";
import { Layout, type Shell } from "./layout.tsx";
import { Masked, MaskedPlain, NO_SIGHTINGS } from "./masked.tsx";
import { Badge, Facts, percent, shortOid, Time, Who } from "./parts.tsx";

/** A session that is linked to the commit; `title` only for whoever may read it. */
export interface LinkedSession {
  readonly id: string;
  readonly client: string;
  readonly confidence: number;
  readonly reason: "trailer" | "content";
  readonly title: string | null;
  readonly isReadable: boolean;
  /** The exchanges that its lines came from, with the prompt of each where it is known; none where it is not readable. */
  readonly exchanges: readonly LinkedExchange[];
}

export interface LinkedExchange {
  readonly id: string;
  /** Its first line. */
  readonly prompt: string | null;
}

/** Where the exchange stands in its session. */
const exchangeUrl = (session: string, exchange: string): string => `/sessions/${session}?at=${exchange}#x-${exchange}`;

const MAX_PROMPTS = 5;

const Prompts = ({ session }: { session: LinkedSession }) => (
  <ul class="plain">
    {session.exchanges.slice(0, MAX_PROMPTS).map(({ id, prompt }) => (
      <li>
        <a href={exchangeUrl(session.id, id)}>
          “<MaskedPlain text={prompt ?? "the exchange"} />”
        </a>
      </li>
    ))}
    {session.exchanges.length > MAX_PROMPTS && (
      <li class="soft">and {session.exchanges.length - MAX_PROMPTS} more exchanges</li>
    )}
  </ul>
);

const REASONS: Record<LinkedSession["reason"], string> = {
  trailer: "the commit's Copilot-Session trailer names it",
  content: "added lines match what it suggested",
};

const Sessions = ({ sessions }: { sessions: readonly LinkedSession[] }) => (
  <div class="sheet">
    <table class="rows">
      <thead>
        <tr>
          <th>Session</th>
          <th>Prompts</th>
          <th>Client</th>
          <th>Why</th>
          <th>Confidence</th>
        </tr>
      </thead>
      <tbody>
        {sessions.map((session) => (
          <tr>
            <td data-label="Session">
              {session.isReadable ? (
                <a href={`/sessions/${session.id}`}>
                  <MaskedPlain text={session.title ?? "Untitled"} />
                </a>
              ) : (
                <span class="soft" title={session.id}>
                  somebody else's session
                </span>
              )}
            </td>
            <td data-label="Prompts">
              <Prompts session={session} />
            </td>
            <td data-label="Client">{session.client}</td>
            <td data-label="Why">{REASONS[session.reason]}</td>
            <td class="tight" data-label="Confidence">
              {percent(session.confidence)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);

interface ShownLine {
  readonly line: number;
  readonly text: string;
  readonly run: CommitFileAnswer["lines"][number] | null;
  /** The first shown line of its run. */
  readonly isFirst: boolean;
}

/** Enough to read; the API has the ranges of everything. */
const MAX_LINES = 4_000;

/** The added lines of each file with the run that each belongs to. */
function annotate(hunks: readonly AddedHunk[], files: readonly CommitFileAnswer[]): ReadonlyMap<string, ShownLine[]> {
  const runs = new Map(files.map((file) => [file.path, file.lines]));
  const shown = new Map<string, ShownLine[]>();
  let left = MAX_LINES;
  for (const hunk of hunks) {
    const lines = shown.get(hunk.path) ?? [];
    shown.set(hunk.path, lines);
    for (const [index, text] of hunk.text.split("\n").entries()) {
      if (left === 0) return shown;
      left -= 1;
      const line = hunk.startLine + index;
      const run = (runs.get(hunk.path) ?? []).find(({ from, to }) => from <= line && line <= to) ?? null;
      const before = lines.at(-1);
      lines.push({ line, text, run, isFirst: index === 0 || before === undefined || before.run !== run });
    }
  }
  return shown;
}

const isUnknown = (run: ShownLine["run"]): run is null | (NonNullable<ShownLine["run"]> & { verdict: "unknown" }) =>
  run === null || run.verdict === "unknown";

/** @param props.prompts by exchange */
const Origin = (props: {
  run: ShownLine["run"];
  readable: ReadonlySet<string>;
  prompts: ReadonlyMap<string, string | null>;
}) => {
  const { run, readable, prompts } = props;
  if (isUnknown(run)) return <span>–</span>;
  const label = `${run.verdict === "ai" ? "AI" : run.verdict === "moved" ? "moved" : "AI, edited"} ${percent(run.score)}`;
  if (run.session === null || !readable.has(run.session)) return <span>{label}</span>;
  const prompt = run.exchange === null ? null : (prompts.get(run.exchange) ?? null);
  return (
    <a
      href={run.exchange === null ? `/sessions/${run.session}` : exchangeUrl(run.session, run.exchange)}
      title={prompt === null ? "The exchange that suggested it" : `Suggested for: ${prompt}`}
    >
      {label}
      {prompt !== null && (
        <>
          {" · "}
          <MaskedPlain text={prompt} />
        </>
      )}
    </a>
  );
};

export const CommitPage = (props: {
  shell: Shell;
  commit: CommitRecord;
  alsoIn: readonly string[];
  origin: CommitAnswer | null;
  sessions: readonly LinkedSession[];
  hunks: readonly AddedHunk[];
}) => {
  const { commit, origin } = props;
  const subject = commit.message.split("\n", 1)[0] ?? "";
  const body = commit.message.split("\n").slice(1).join("\n").trim();
  const readable = new Set(props.sessions.filter(({ isReadable }) => isReadable).map(({ id }) => id));
  const prompts = new Map(
    props.sessions.flatMap(({ exchanges }) => exchanges.map(({ id, prompt }) => [id, prompt] as const)),
  );
  const files = [...annotate(props.hunks, origin?.files ?? [])];
  return (
    <Layout title={`${shortOid(commit.sha)} ${subject}`} shell={props.shell}>
      <h1>{subject === "" ? "(no message)" : subject}</h1>
      <Facts
        facts={[
          ["Commit", <code>{commit.sha}</code>],
          ["Repository", commit.repository],
          [
            "Pushed by",
            <>
              <Who name={commit.pusher} kind={commit.pusherKind} /> <span class="soft">(verified)</span>
            </>,
          ],
          [
            "Push",
            <>
              <a href={`/pushes/${commit.pushId}`}>{commit.pushId}</a> <Badge status={commit.pushStatus} />
            </>,
          ],
          [
            "Author",
            <>
              {commit.authorName} &lt;{commit.authorEmail}&gt;, <Time at={commit.authoredAt} />{" "}
              <span class="soft">(as the commit says)</span>
            </>,
          ],
          ["Also in", props.alsoIn.length === 0 ? null : props.alsoIn.join(", ")],
          [
            "Message",
            body === "" ? null : (
              <pre>
                <Masked text={body} sightings={NO_SIGHTINGS} />
              </pre>
            ),
          ],
        ]}
      />
      <h2>Copilot sessions</h2>
      {props.sessions.length > 0 ? (
        <Sessions sessions={props.sessions} />
      ) : (
        <p class="soft">
          {commit.attributedAt === null
            ? "Not looked at yet: commits are attributed after their push was delivered."
            : "No recorded session matches. That does not show that a human wrote it."}
        </p>
      )}
      {files.length > 0 && <h2>Added lines</h2>}
      <div class={files.length > 0 ? "sheet" : undefined}>
        {files.map(([path, lines]) => (
          <details class="file" open>
            <summary>
              <span class="count plus">+{lines.length}</span>
              {path}
            </summary>
            <table class="diff origins">
              <tbody>
                {lines.map(({ line, text, run, isFirst }) => (
                  <tr class={[run?.verdict ?? "", isFirst ? "run-start" : ""].join(" ").trim()}>
                    <td class="n">{line}</td>
                    <td class="t">
                      <Masked text={text} sightings={NO_SIGHTINGS} />
                    </td>
                    <td class={isUnknown(run) ? "v none" : "v"}>
                      {isFirst && <Origin run={run} readable={readable} prompts={prompts} />}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </details>
        ))}
      </div>
    </Layout>
  );
};
