/** `/pushes` and `/commits`. */
import { Hono } from "hono";
import { isId } from "../../model/id.ts";
import { findCommit } from "../../store/commit-answer.ts";
import { findAddedHunks } from "../../store/commit-links.ts";
import { findExchangeMessages } from "../../store/messages.ts";
import { findPushLinks } from "../../store/session-views.ts";
import { findPushDetail, listPushes } from "../../store/push-queries.ts";
import { findSession } from "../../store/sessions.ts";
import { LISTS } from "../api/list-kinds.ts";
import { findReadableCommits } from "../commits.ts";
import { isPushReadable } from "../pushes.ts";
import { mayReadOf } from "../read-access.ts";
import { CommitPage, type LinkedExchange, type LinkedSession } from "./commit-page.tsx";
import {
  listProps,
  PLACE_FIELDS,
  sendMissing,
  shellOf,
  statusField,
  type PagesContext,
  type PagesEnv,
} from "./context.tsx";
import { sendPage } from "./layout.tsx";
import { promptOf } from "./replay/prompt-of.ts";
import { PushesPage, PushPage } from "./push-pages.tsx";

/** Exchanges of one session that a commit's page names, and those of them whose prompts it looks up. */
const MAX_LINKED = 200;
const MAX_PROMPTS = 12;

export function createRecordPages(pages: PagesContext): Hono<PagesEnv> {
  const { db, access } = pages.deps;
  const routes = new Hono<PagesEnv>();

  /** The prompt that each exchange answers: the last thing that its person typed. */
  const findPrompts = (ids: readonly string[]): Promise<readonly LinkedExchange[]> =>
    Promise.all(
      ids.slice(0, MAX_LINKED).map(async (id, index) => {
        const { request } = index < MAX_PROMPTS ? await findExchangeMessages(db, id) : { request: [] };
        return { id, prompt: promptOf(request) };
      }),
    );

  // Pushes
  routes.get("/pushes", async (c) => {
    const fields = [statusField(LISTS.pushes), ...PLACE_FIELDS];
    const props = await listProps(pages, c, LISTS.pushes, fields, async ({ filter, limit, after }) => {
      const page = await listPushes(db, filter, { limit, after });
      return { ...page, items: page.items.filter((push) => isPushReadable(access, c.var.viewer.principal, push)) };
    });
    return sendPage(c, <PushesPage {...props} />, props.problem === null ? 200 : 400);
  });

  routes.get("/pushes/:id", async (c) => {
    const id = c.req.param("id");
    const push = isId(id) ? await findPushDetail(db, id) : null;
    if (push === null || !isPushReadable(access, c.var.viewer.principal, push)) return sendMissing(pages, c, "push");
    return sendPage(c, <PushPage shell={shellOf(pages, c)} push={push} links={await findPushLinks(db, push.id)} />);
  });

  // Commits
  routes.get("/commits/:sha", async (c) => {
    const principal = c.var.viewer.principal;
    const repository = c.req.query("repository") ?? null;
    const found = repository?.includes("\0")
      ? []
      : await findReadableCommits(db, access, principal, c.req.param("sha"), repository);
    const [commit] = found;
    if (commit === undefined) return sendMissing(pages, c, "commit");
    const [origin, hunks] = await Promise.all([
      findCommit(db, commit.sha, commit.repository),
      findAddedHunks(db, { pushId: commit.pushId, oid: commit.sha }),
    ]);
    const sessions = await Promise.all(
      (origin?.sessions ?? []).map(async ({ id, client, confidence, reason, exchanges }): Promise<LinkedSession> => {
        const session = await findSession(db, id);
        const isReadable = session !== null && mayReadOf(access, principal, session.principalId);
        return {
          id,
          client,
          confidence,
          reason,
          title: isReadable ? session.title : null,
          isReadable,
          exchanges: isReadable ? await findPrompts(exchanges) : [],
        };
      }),
    );
    const alsoIn = found.slice(1).map((other) => other.repository);
    return sendPage(
      c,
      <CommitPage
        shell={shellOf(pages, c)}
        commit={commit}
        alsoIn={alsoIn}
        origin={origin}
        sessions={sessions}
        hunks={hunks}
      />,
    );
  });

  return routes;
}
