/** `/api/v1/approvals`: held pushes, and deciding on them. */
import { Hono, type Context } from "hono";
import { isId } from "../model/id.ts";
import { findApprovalRecord, listApprovals, type ApprovalRecord } from "../store/approval-queries.ts";
import {
  answerList,
  iso,
  jsonError,
  notFound,
  type ApiEnv,
  type Decide,
  type RecordDependencies,
} from "./api/context.ts";
import { LISTS } from "./api/list-kinds.ts";
import { mayReadPush } from "./read-access.ts";

export interface ApprovalDependencies extends RecordDependencies {
  readonly decide: Decide;
}

export const MAX_REASON = 2_000;

/** The contract's shape of an approval. */
const approvalJson = (approval: ApprovalRecord, publicUrl: string) => ({
  id: approval.id,
  status: approval.status,
  repository: approval.repository,
  refs: approval.refs.map((ref) => ({ ref: ref.ref, old: ref.oldOid, new: ref.newOid })),
  pusher: approval.pusher,
  pusher_kind: approval.pusherKind,
  requested_at: approval.requestedAt.toISOString(),
  expires_at: approval.expiresAt.toISOString(),
  closed_at: iso(approval.closedAt),
  url: `${publicUrl}/approvals/${approval.id}`,
  push: approval.pushId,
  requirements: approval.requirements,
  decisions: approval.decisions.map((decision) => ({
    by: decision.by,
    kind: decision.kind,
    decision: decision.decision,
    reason: decision.reason,
    decided_at: decision.decidedAt.toISOString(),
  })),
});

/** The body of a decision is `{"reason": text}`, or nothing. @returns the reason, or null when it is something else */
async function readReason(c: Context): Promise<string | null> {
  const text = await c.req.text();
  if (text.trim() === "") return "";
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== "object" || body === null || Array.isArray(body)) return null;
    const reason: unknown = "reason" in body ? body.reason : "";
    return typeof reason === "string" && reason.length <= MAX_REASON && !reason.includes("\0") ? reason : null;
  } catch {
    return null;
  }
}

/**
 * The token comes in a header that no other site's page can set; only Basic credentials that a browser remembers would go along
 * by themselves, and then the browser says where the request comes from.
 */
const isCrossSite = (c: Context): boolean => {
  const site = c.req.header("sec-fetch-site");
  return site !== undefined && site !== "same-origin" && site !== "none";
};

export function createApprovalRoutes(deps: ApprovalDependencies): Hono<ApiEnv> {
  const { db, publicUrl, access } = deps;
  const routes = new Hono<ApiEnv>();

  routes.get("/approvals", (c) =>
    answerList(
      c,
      LISTS.approvals,
      ({ filter, limit, after }) => listApprovals(db, filter, { limit, after }),
      (approval) => (mayReadPush(access, c.var.principal, approval) ? approvalJson(approval, publicUrl) : null),
    ),
  );

  const findReadable = async (c: Context<ApiEnv>, id: string): Promise<ApprovalRecord | null> => {
    const approval = isId(id) ? await findApprovalRecord(db, id) : null;
    return approval !== null && mayReadPush(access, c.var.principal, approval) ? approval : null;
  };

  routes.get("/approvals/:id", async (c) => {
    const approval = await findReadable(c, c.req.param("id"));
    return approval === null ? notFound(c, "approval") : c.json(approvalJson(approval, publicUrl));
  });

  const decide = async (c: Context<ApiEnv>, id: string, decision: "approve" | "deny"): Promise<Response> => {
    if (isCrossSite(c)) return jsonError(c, "forbidden", "a decision cannot be sent from another site's page");
    const reason = await readReason(c);
    if (reason === null) {
      const message = `the body is not {"reason": text} with at most ${MAX_REASON} characters`;
      return jsonError(c, "request_malformed", message);
    }
    const approval = await findReadable(c, id);
    if (approval === null) return notFound(c, "approval");
    // Cookies count for nothing here: whoever asks has a token.
    const decider = { principal: c.var.principal, session: null };
    const decided = await deps.decide({ approvalId: approval.id, decider, decision, reason });
    if (!decided.ok) {
      const { kind, message } = decided.error;
      return jsonError(c, kind === "not_pending" ? "conflict" : kind, message);
    }
    const after = await findApprovalRecord(db, approval.id);
    return after === null ? notFound(c, "approval") : c.json(approvalJson(after, publicUrl));
  };
  routes.post("/approvals/:id/approve", (c) => decide(c, c.req.param("id"), "approve"));
  routes.post("/approvals/:id/deny", (c) => decide(c, c.req.param("id"), "deny"));

  return routes;
}
