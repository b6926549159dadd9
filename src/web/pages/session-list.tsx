/** The list of sessions: at a glance who, with what, how it went, and what came of it. */
import type { ExchangeStatus } from "../../model/exchange.ts";
import type { SessionRecord } from "../../store/sessions.ts";
import type { SessionSummary } from "../../store/session-views.ts";
import { ListPage, type ListProps } from "./list-page.tsx";
import { MaskedPlain } from "./masked.tsx";
import { Badge, Time, tokens, Who } from "./parts.tsx";

/** A session with what the page says of it. `repositories`: only those that the reader may read. */
export interface ListedSession {
  readonly session: SessionRecord;
  readonly summary: SessionSummary | undefined;
  readonly repositories: readonly string[];
  readonly commits: number;
}

/** The ends that somebody may want to know of, the worst first. */
const NOTABLE: readonly ExchangeStatus[] = ["refused", "upstream_failed", "truncated", "client_gone", "open"];

const Statuses = ({ summary }: { summary: SessionSummary | undefined }) => {
  const counted = NOTABLE.flatMap((status) => {
    const count = summary?.statuses[status] ?? 0;
    return count > 0 ? [{ status, count }] : [];
  });
  if (counted.length === 0) return <Badge status="complete" />;
  return (
    <>
      {counted.map(({ status, count }) => (
        <Badge status={status} count={count} />
      ))}
    </>
  );
};

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;

const Row = ({ item, isBrief, now }: { item: ListedSession; isBrief: boolean; now: Date }) => {
  const { session, summary, repositories, commits } = item;
  return (
    <li class="row">
      <div class="what">
        <a class="title" href={`/sessions/${session.id}`}>
          <MaskedPlain text={session.title ?? "Untitled"} />
        </a>
        <p class="line">
          <span>
            <Who name={session.user} kind={session.userKind} />
          </span>
          <span>{session.client}</span>
          {!isBrief && (summary?.models ?? []).slice(0, 3).map((model) => <span class="model">{model}</span>)}
          {repositories.slice(0, 2).map((repository) => (
            <span class="repository">{repository}</span>
          ))}
        </p>
      </div>
      <div class="how">
        <Statuses summary={summary} />
        {(summary?.secrets ?? 0) > 0 && <span class="badge warn">{summary?.secrets} masked</span>}
        {commits > 0 && <span class="badge busy">{plural(commits, "commit")}</span>}
      </div>
      <p class="line when">
        <Time at={session.lastActiveAt} now={now} />
        {!isBrief && <span>{plural(session.exchanges, "exchange")}</span>}
        {!isBrief && summary !== undefined && summary.inputTokens > 0 && (
          <span title="Tokens that went to the models">{tokens(summary.inputTokens)} tokens</span>
        )}
      </p>
    </li>
  );
};

/** @param empty what is said where there is none */
export const SessionList = (props: {
  sessions: readonly ListedSession[];
  isBrief: boolean;
  now: Date;
  empty: string;
}) =>
  props.sessions.length === 0 ? (
    <p class="sheet empty">{props.empty}</p>
  ) : (
    <ul class="sheet list">
      {props.sessions.map((item) => (
        <Row item={item} isBrief={props.isBrief} now={props.now} />
      ))}
    </ul>
  );

/** @param props.total sessions that fit, as far as they were counted; null where they were not */
export const SessionsPage = (props: ListProps<ListedSession> & { readonly total: string | null }) => (
  <ListPage title="Sessions" {...props}>
    {props.total !== null && <p class="soft total">{props.total}</p>}
    <SessionList
      sessions={props.items}
      isBrief={false}
      now={props.shell.now}
      empty={
        [...props.query.keys()].length > 0
          ? "No session fits these filters."
          : "No session yet. Point a Copilot client here (see Connect), and what is said with it appears on this page."
      }
    />
  </ListPage>
);
