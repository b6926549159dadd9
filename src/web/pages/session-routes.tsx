/** `/sessions`, `/sessions/:id` and the plain text behind an exchange. */
import { Hono, type Context } from "hono";
import { isId } from "../../model/id.ts";
import { splitAtMasks, type MaskToken } from "../../model/mask-token.ts";
import type { Message, Part } from "../../model/exchange.ts";
import type { Principal } from "../../model/principal.ts";
import { findExchange } from "../../store/exchanges.ts";
import { countMaskSightings } from "../../store/mask-sightings.ts";
import { findExchangeMessages } from "../../store/messages.ts";
import { findReplay } from "../../store/replay.ts";
import {
  findSessionChoices,
  findSessionCommits,
  findSessionSummaries,
  type LinkedCommit,
} from "../../store/session-views.ts";
import { findSession, type SessionRecord } from "../../store/sessions.ts";
import { findToolUses, type RecordedToolUse } from "../../store/tool-uses.ts";
import { LISTS } from "../api/list-kinds.ts";
import { mayReadOf, mayReadPush } from "../read-access.ts";
import { countReadableSessions, listReadableSessions } from "../sessions.ts";
import { REPLAY_HASH } from "./assets.ts";
import { listProps, sendMissing, shellOf, statusField, type PagesContext, type PagesEnv } from "./context.tsx";
import { sendPage } from "./layout.tsx";
import type { FilterField } from "./filters.tsx";
import { buildReplay, textsOfReplay } from "./replay/build-replay.ts";
import type { ReplayTurn } from "./replay/replay-model.ts";
import { buildTimeline } from "./replay/timeline.ts";
import { SessionsPage, type ListedSession } from "./session-list.tsx";
import type { Touched } from "./session-cards.tsx";
import { SessionPage, type ReplayPage } from "./session-page.tsx";

/** Exchanges on one page of a session. */
const PAGE = 50;
/** Fingerprints that are looked up for one page. */
const MAX_SECRETS = 200;
const COUNTED = 1_000;

/** The sessions of a list with what is said of each. */
export async function describeSessions(
  { deps: { db, access } }: PagesContext,
  principal: Principal,
  sessions: readonly SessionRecord[],
): Promise<readonly ListedSession[]> {
  const summaries = await findSessionSummaries(
    db,
    sessions.map(({ id }) => id),
  );
  return sessions.map((session) => {
    const summary = summaries.get(session.id);
    // A repository's name is told to nobody who may not read it; one's own pushes are one's own.
    const mayRead = (repository: string): boolean =>
      access.isAuditor(principal) || access.mayReadRepository(principal, repository);
    const linked = Object.entries(summary?.commits ?? {}).filter(([repository]) => mayRead(repository));
    return {
      session,
      summary,
      repositories: linked.map(([repository]) => repository),
      commits: linked.reduce((sum, [, count]) => sum + count, 0),
    };
  });
}

export function createSessionPages(pages: PagesContext): Hono<PagesEnv> {
  const { db, access } = pages.deps;
  const routes = new Hono<PagesEnv>();

  routes.get("/sessions", async (c) => {
    const { principal } = c.var.viewer;
    const isAuditor = access.isAuditor(principal);
    const choices = await findSessionChoices(db, isAuditor ? null : principal.id);
    const fields: readonly FilterField[] = [
      { name: "q", label: "Text", isWide: true },
      ...(isAuditor ? [{ name: "user", label: "Person" }] : []),
      { name: "client", label: "Client", options: choices.clients },
      { name: "model", label: "Model", options: choices.models },
      { name: "repository", label: "Repository" },
      { name: "since", label: "Since", type: "date" },
      { name: "until", label: "Until", type: "date" },
      statusField(LISTS.sessions),
    ];
    let total: string | null = null;
    const props = await listProps(pages, c, LISTS.sessions, fields, async (query) => {
      const [page, count] = await Promise.all([
        listReadableSessions(db, access, principal, query),
        countReadableSessions(db, access, principal, query, COUNTED),
      ]);
      total =
        count === null
          ? null
          : count >= COUNTED
            ? `${COUNTED} sessions or more`
            : `${count} session${count === 1 ? "" : "s"}`;
      return { items: await describeSessions(pages, principal, page.items), next: page.next };
    });
    return sendPage(c, <SessionsPage {...props} total={total} />, props.problem === null ? 200 : 400);
  });

  const findReadable = async (c: Context<PagesEnv>): Promise<SessionRecord | null> => {
    const session = await findSession(db, c.req.param("id") ?? "");
    return session !== null && mayReadOf(access, c.var.viewer.principal, session.principalId) ? session : null;
  };

  routes.get("/sessions/:id", async (c) => {
    const session = await findReadable(c);
    if (session === null) return sendMissing(pages, c, "session");
    const { principal } = c.var.viewer;
    const choose = (exchanges: readonly { readonly id: string }[]): ReplayPage =>
      choosePage(exchanges, c.req.query("page"), c.req.query("at"));
    const [{ exchanges, transcript }, linked, summaries, uses] = await Promise.all([
      findReplay(db, session.id, (all) => pageRange(choose(all))),
      findSessionCommits(db, session.id),
      findSessionSummaries(db, [session.id]),
      findToolUses(db, session.id),
    ]);
    const page = choose(exchanges);
    const turns = buildReplay(exchanges, transcript, pageRange(page));
    const secrets = secretsIn(turns);
    const sightings = await countMaskSightings(
      db,
      secrets.map(({ fingerprint }) => fingerprint),
      access.isAuditor(principal) ? null : principal.id,
    );
    const commits = linked.filter((commit) => mayReadPush(access, principal, commit));
    return sendPage(
      c,
      <SessionPage
        shell={shellOf(pages, c)}
        session={session}
        summary={summaries.get(session.id)}
        turns={turns}
        page={page}
        timeline={buildTimeline(turns)}
        commits={commits}
        hiddenCommits={countCommits(linked) - countCommits(commits)}
        secrets={secrets}
        sightings={sightings}
        touched={touchedBy(uses)}
      />,
      200,
      turns.length > 0 ? REPLAY_HASH : null,
    );
  });

  routes.get("/sessions/:id/raw/:exchange", async (c) => {
    const session = await findReadable(c);
    const id = c.req.param("exchange");
    const exchange = session !== null && isId(id) ? await findExchange(db, id) : null;
    if (session === null || exchange === null || exchange.sessionId !== session.id) {
      return sendMissing(pages, c, "exchange");
    }
    const { request, response } = await findExchangeMessages(db, exchange.id);
    const text = [...request.map(plainText("→")), ...response.map(plainText("←"))].join("\n");
    return c.body(text, 200, {
      "content-type": "text/plain; charset=utf-8",
      "x-content-type-options": "nosniff",
      // Whoever makes a browser take this for a page still gets none that can do anything.
      "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
      "cross-origin-resource-policy": "same-origin",
      "cache-control": "no-store",
    });
  });

  return routes;
}

const countCommits = (commits: readonly LinkedCommit[]): number => commits.length;

/** `page` as it was asked for, or the one that holds the exchange `at`. What makes no sense shows the first. */
function choosePage(
  exchanges: readonly { readonly id: string }[],
  asked: string | undefined,
  at: string | undefined,
): ReplayPage {
  const count = Math.max(1, Math.ceil(exchanges.length / PAGE));
  const index = at === undefined ? -1 : exchanges.findIndex(({ id }) => id === at);
  const wanted = index >= 0 ? Math.floor(index / PAGE) + 1 : /^\d{1,6}$/.test(asked ?? "") ? Number(asked) : 1;
  const number = Math.min(Math.max(wanted, 1), count);
  const from = (number - 1) * PAGE + 1;
  return { number, count, from, to: Math.min(number * PAGE, exchanges.length), total: exchanges.length };
}

const pageRange = ({ from, to }: ReplayPage) => ({ from: from - 1, to });

function secretsIn(turns: readonly ReplayTurn[]): readonly MaskToken[] {
  const found = new Map<string, MaskToken>();
  for (const text of textsOfReplay(turns)) {
    for (const piece of splitAtMasks(text)) {
      if (typeof piece === "string" || found.size >= MAX_SECRETS) continue;
      found.set(`${piece.kind}:${piece.fingerprint}`, piece);
    }
  }
  return [...found.values()];
}

function touchedBy(uses: readonly RecordedToolUse[]): Touched {
  const all = (names: (use: RecordedToolUse) => readonly string[]): readonly string[] => [
    ...new Set(uses.flatMap(names)),
  ];
  return {
    paths: all(({ paths }) => paths),
    services: all(({ services }) => services),
    commands: uses.reduce((sum, { commands }) => sum + commands.length, 0),
  };
}

const partText = (part: Part): string => {
  if (part.type === "tool_call") return `[tool_call ${part.name} ${part.id}]\n${part.arguments}`;
  if (part.type === "tool_result") return `[tool_result ${part.id}]\n${part.text}`;
  return part.type === "text" ? part.text : `[${part.type}]\n${part.text}`;
};

const plainText =
  (direction: string) =>
  ({ role, parts }: Message): string =>
    `${direction} ${role}\n${parts.map(partText).join("\n\n")}\n`;
