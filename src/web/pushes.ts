/** `/api/v1/pushes` */
import { Hono } from "hono";
import { isId } from "../model/id.ts";
import { findPushDetail, listPushes, type PushRecord } from "../store/push-queries.ts";
import { answerList, iso, notFound, type ApiEnv, type RecordDependencies } from "./api/context.ts";
import { LISTS } from "./api/list-kinds.ts";
import { mayReadPush, type ReadAccess } from "./read-access.ts";
import type { Principal } from "../model/principal.ts";

const pushJson = (push: PushRecord, publicUrl: string) => ({
  id: push.id,
  status: push.status,
  connection: push.connection,
  repository: push.repository,
  pusher: push.pusher,
  pusher_kind: push.pusherKind,
  received_at: push.receivedAt.toISOString(),
  finished_at: iso(push.finishedAt),
  error: push.error,
  user_agent: push.userAgent,
  part_of: push.partOf,
  pack_bytes: push.packBytes,
  refs: push.refs.map((ref) => ({
    ref: ref.ref,
    old: ref.oldOid,
    new: ref.newOid,
    forced: ref.forced,
    verdict: ref.verdict,
    reason: ref.reason,
    observed: ref.observed,
    upstream: ref.upstreamStatus,
  })),
  commit_count: push.commitCount,
  finding_count: push.findingCount,
  approval: push.approval?.id ?? null,
  url: `${publicUrl}/pushes/${push.id}`,
});

export const isPushReadable = (access: ReadAccess, principal: Principal, push: PushRecord): boolean =>
  mayReadPush(access, principal, { ...push, requirements: push.approval?.requirements ?? null });

export function createPushRoutes({ db, publicUrl, access }: RecordDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();

  routes.get("/pushes", (c) =>
    answerList(
      c,
      LISTS.pushes,
      ({ filter, limit, after }) => listPushes(db, filter, { limit, after }),
      (push) => (isPushReadable(access, c.var.principal, push) ? pushJson(push, publicUrl) : null),
    ),
  );

  routes.get("/pushes/:id", async (c) => {
    const id = c.req.param("id");
    const push = isId(id) ? await findPushDetail(db, id) : null;
    if (push === null || !isPushReadable(access, c.var.principal, push)) return notFound(c, "push");
    return c.json({
      ...pushJson(push, publicUrl),
      push_options: push.pushOptions,
      commits: push.commits.map((commit) => ({
        sha: commit.oid,
        parents: commit.parents,
        author: { name: commit.authorName, email: commit.authorEmail, at: commit.authoredAt.toISOString() },
        committer: { name: commit.committerName, email: commit.committerEmail, at: commit.committedAt.toISOString() },
        message: commit.message,
      })),
      findings: push.findings.map((finding) => ({
        id: finding.id,
        rule: finding.rule,
        description: finding.description,
        severity: finding.severity,
        source: finding.source,
        sha: finding.oid,
        path: finding.path,
        line: finding.line,
        column: finding.column,
        end_column: finding.endColumn,
        fingerprint: finding.fingerprint,
        known: finding.known,
        allowed: finding.allowed,
        baseline: finding.baseline,
      })),
      diffs: push.diffs,
      parts: push.parts,
    });
  });

  return routes;
}
