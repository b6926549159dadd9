/** `/api/v1/commits`: pushed commits, and the Copilot sessions that their lines came from. */
import { Hono } from "hono";
import type { Principal } from "../model/principal.ts";
import type { Database } from "../store/database.ts";
import { findCommit } from "../store/commit-answer.ts";
import { findCommitRecords, listCommits, type CommitRecord } from "../store/commit-queries.ts";
import { answerList, iso, jsonError, notFound, type ApiEnv, type RecordDependencies } from "./api/context.ts";
import { LISTS } from "./api/list-kinds.ts";
import { parseListQuery } from "./api/list-query.ts";
import { mayReadPush, type ReadAccess } from "./read-access.ts";

const commitJson = (commit: CommitRecord, publicUrl: string) => ({
  id: commit.sha,
  sha: commit.sha,
  repository: commit.repository,
  pusher: commit.pusher,
  pusher_kind: commit.pusherKind,
  push: commit.pushId,
  push_status: commit.pushStatus,
  parents: commit.parents,
  author: { name: commit.authorName, email: commit.authorEmail, at: commit.authoredAt.toISOString() },
  committer: { name: commit.committerName, email: commit.committerEmail, at: commit.committedAt.toISOString() },
  message: commit.message,
  attributed_at: iso(commit.attributedAt),
  url: `${publicUrl}/commits/${commit.sha}?repository=${encodeURIComponent(commit.repository)}`,
});

/** A commit as the person who asks may see it, wherever it was pushed. */
export async function findReadableCommits(
  db: Database,
  access: ReadAccess,
  principal: Principal,
  sha: string,
  repository: string | null,
): Promise<readonly CommitRecord[]> {
  if (!/^[0-9a-f]{7,64}$/i.test(sha)) return [];
  const commits = await findCommitRecords(db, sha.toLowerCase(), repository);
  return commits.filter((commit) => mayReadPush(access, principal, commit));
}

export function createCommitRoutes({ db, publicUrl, access }: RecordDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();

  routes.get("/commits", (c) =>
    answerList(
      c,
      LISTS.commits,
      ({ filter, limit, after }) => listCommits(db, filter, { limit, after }),
      (commit) => (mayReadPush(access, c.var.principal, commit) ? commitJson(commit, publicUrl) : null),
    ),
  );

  routes.get("/commits/:sha", async (c) => {
    const query = parseListQuery(LISTS.commits, new URL(c.req.url).searchParams);
    if (!query.ok) return jsonError(c, "request_malformed", query.error.message);
    const repository = query.value.filter.repository ?? null;
    const found = await findReadableCommits(db, access, c.var.principal, c.req.param("sha"), repository);
    const [commit] = found;
    if (commit === undefined) return notFound(c, "commit");
    if (found.some((other) => other.sha !== commit.sha)) {
      return jsonError(c, "request_malformed", "several commits begin with these digits: give more of them");
    }
    // Only what got through is attributed; a commit that waits or was refused is told without.
    const origin = await findCommit(db, commit.sha, commit.repository);
    return c.json({
      ...commitJson(commit, publicUrl),
      sessions: origin?.sessions ?? [],
      files: origin?.files ?? [],
      also_in: found.slice(1).map((other) => other.repository),
    });
  });

  return routes;
}
