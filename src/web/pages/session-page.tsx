/** One session: the replay, and beside it what it was and what came of it. */
import type { MaskToken } from "../../model/mask-token.ts";
import type { LinkedCommit, SessionSummary } from "../../store/session-views.ts";
import type { SessionRecord } from "../../store/sessions.ts";
import { REPLAY, REPLAY_HASH } from "./assets.ts";
import { Layout, type Shell } from "./layout.tsx";
import { MaskedPlain, type Sightings } from "./masked.tsx";
import { Badge, duration, Facts, Time, tokens, Who } from "./parts.tsx";
import { ExchangeView, type ExchangeContext } from "./replay/exchange-view.tsx";
import type { ReplayTurn } from "./replay/replay-model.ts";
import { SLIDER_STEP, type Timeline } from "./replay/timeline.ts";
import { Commits, Secrets, type Touched, TouchedCard } from "./session-cards.tsx";

/** Of a long session only some exchanges are on one page. */
export interface ReplayPage {
  readonly number: number;
  readonly count: number;
  /** Of the exchanges, from 1, both included. */
  readonly from: number;
  readonly to: number;
  readonly total: number;
}

export interface SessionPageProps {
  readonly shell: Shell;
  readonly session: SessionRecord;
  readonly summary: SessionSummary | undefined;
  readonly turns: readonly ReplayTurn[];
  readonly page: ReplayPage;
  readonly timeline: Timeline;
  readonly commits: readonly LinkedCommit[];
  /** Commits in repositories that the reader may not read. */
  readonly hiddenCommits: number;
  readonly secrets: readonly MaskToken[];
  readonly sightings: Sightings;
  readonly touched: Touched;
}

const pageUrl = (session: SessionRecord, number: number): string => `/sessions/${session.id}?page=${number}`;

const Outline = ({ turns }: { turns: readonly ReplayTurn[] }) =>
  turns.length < 2 ? null : (
    <nav class="card" aria-label="Turns">
      <h2>Turns</h2>
      <ol class="plain outline">
        {turns.map((turn) => (
          <li>
            <a href={`#turn-${turn.number}`}>
              <MaskedPlain text={turn.title ?? "Before the first prompt"} />
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );

const Strip = ({ turns, timeline }: { turns: readonly ReplayTurn[]; timeline: Timeline }) => {
  const exchanges = turns.flatMap((turn) => turn.exchanges);
  if (timeline.length === 0) return null;
  const x = (at: number): number => Math.round((at / timeline.length) * 10_000) / 10;
  return (
    <svg class="strip" viewBox="0 0 1000 26" preserveAspectRatio="none" role="img" aria-label="The exchanges over time">
      {exchanges.map(({ record, depth, asked, number }) => {
        const slot = timeline.slots.get(record.id);
        if (slot === undefined) return null;
        const isPrompt = asked.some(({ kind }) => kind === "prompt") && depth === 0;
        return (
          <a href={`#x-${record.id}`} tabindex={-1} aria-hidden="true">
            <title>{`Exchange ${number}`}</title>
            {isPrompt && <rect class="ask" x={x(slot.at)} y={0} width={3} height={26} />}
            <rect class="wait" x={x(slot.at)} y={11} width={Math.max(1, x(slot.answerAt) - x(slot.at))} height={4} />
            <rect
              class={`run ${record.status}${depth > 0 ? " sub" : ""}`}
              x={x(slot.answerAt)}
              y={depth > 0 ? 8 : 5}
              width={Math.max(2, x(slot.end) - x(slot.answerAt))}
              height={depth > 0 ? 10 : 16}
            />
          </a>
        );
      })}
      <rect class="cursor" x={1_000} y={0} width={2} height={26} />
    </svg>
  );
};

/** Shown by its script alone: without one, everything stands there already. */
const ReplayBar = ({ turns, timeline }: { turns: readonly ReplayTurn[]; timeline: Timeline }) => (
  <section id="replay" class="replay" aria-label="Replay" hidden>
    <button class="main" type="button">
      Replay
    </button>
    <div class="track">
      <Strip turns={turns} timeline={timeline} />
      <input
        type="range"
        min={0}
        max={timeline.length}
        step={SLIDER_STEP}
        value={timeline.length}
        aria-label="Moment of the session"
      />
    </div>
    <label class="speed">
      <span class="unseen">Speed</span>
      <select>
        <option value="0.5">½×</option>
        <option value="1" selected>
          1×
        </option>
        <option value="2">2×</option>
        <option value="5">5×</option>
        <option value="20">20×</option>
      </select>
    </label>
    <output />
  </section>
);

const Pager = ({ session, page }: { session: SessionRecord; page: ReplayPage }) =>
  page.count < 2 ? null : (
    <nav class="pager" aria-label="Parts of this session">
      {page.number > 1 && (
        <a rel="prev" href={pageUrl(session, page.number - 1)}>
          ← Earlier
        </a>
      )}
      <span class="soft">
        Exchanges {page.from}–{page.to} of {page.total}
      </span>
      {page.number < page.count && (
        <a rel="next" href={pageUrl(session, page.number + 1)}>
          Later →
        </a>
      )}
    </nav>
  );

const statusWords = (summary: SessionSummary | undefined) =>
  Object.entries(summary?.statuses ?? {}).map(([status, count]) => (
    <>
      <Badge status={status} count={count} />{" "}
    </>
  ));

export const SessionPage = (props: SessionPageProps) => {
  const { session, summary, turns, page, timeline } = props;
  const title = session.title ?? "Untitled session";
  const lasted = session.lastActiveAt.getTime() - session.startedAt.getTime();
  const context: ExchangeContext = {
    sightings: props.sightings,
    rawUrl: (id) => `/sessions/${session.id}/raw/${id}`,
    timeline,
    startedAt: session.startedAt,
    commits: countByExchange(props.commits),
  };
  return (
    <Layout title={title} shell={props.shell} script={turns.length > 0 ? { file: REPLAY, hash: REPLAY_HASH } : null}>
      <div class="session">
        <header class="top">
          <p class="crumb">
            <a href="/sessions">Sessions</a>
          </p>
          <h1>
            <MaskedPlain text={title} />
          </h1>
          <p class="line">
            <span>
              <Who name={session.user} kind={session.userKind} />
            </span>
            <span>{session.client}</span>
            {(summary?.models ?? []).map((model) => (
              <span class="model">{model}</span>
            ))}
            <Time at={session.startedAt} />
            <span>{statusWords(summary)}</span>
            {props.commits.length > 0 && (
              <a href="#commits">
                {props.commits.length} {props.commits.length === 1 ? "commit" : "commits"} came of it
              </a>
            )}
          </p>
        </header>
        <div class="transcript">
          <Pager session={session} page={page} />
          {turns.length === 0 && <p class="sheet empty">Nothing was said.</p>}
          {turns.map((turn) => (
            <section class="turn" id={`turn-${turn.number}`} aria-label={`Turn ${turn.number}`}>
              <h2 data-at={timeline.slots.get(turn.exchanges[0]?.record.id ?? "")?.at}>
                {turn.number === 0 ? "Before the first prompt" : `Turn ${turn.number}`}
              </h2>
              {turn.exchanges.map((exchange) => (
                <ExchangeView exchange={exchange} context={context} />
              ))}
            </section>
          ))}
          <Pager session={session} page={page} />
          <p class="soft foot">
            Secrets were masked before any of this was stored. What a request repeats of the conversation is shown once,
            where it first came up.
          </p>
        </div>
        <aside class="rail" aria-label="About this session" tabindex={0}>
          <Facts
            facts={[
              ["Connection", session.connection],
              ["Began", <Time at={session.startedAt} />],
              ["Lasted", lasted < 1_000 ? null : duration(lasted)],
              ["Exchanges", String(session.exchanges)],
              [
                "Tokens",
                summary === undefined || summary.inputTokens + summary.outputTokens === 0
                  ? null
                  : `${tokens(summary.inputTokens)} in${cached(summary.cachedTokens)}, ${tokens(summary.outputTokens)} out`,
              ],
            ]}
          />
          <Commits commits={props.commits} hidden={props.hiddenCommits} />
          <Secrets secrets={props.secrets} sightings={props.sightings} />
          <TouchedCard touched={props.touched} />
          <Outline turns={turns} />
        </aside>
        {turns.length > 0 && <ReplayBar turns={turns} timeline={timeline} />}
      </div>
    </Layout>
  );
};

const cached = (count: number): string => (count === 0 ? "" : ` (${tokens(count)} cached)`);

function countByExchange(commits: readonly LinkedCommit[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const id of commits.flatMap(({ exchanges }) => exchanges)) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}
