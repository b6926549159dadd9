/** `/approvals`: held pushes, and the form that decides on one. */
import { Hono, type Context } from "hono";
import type { Decider } from "../../flows/approval/decider.ts";
import { isId } from "../../model/id.ts";
import { findApprovalRecord, listApprovals } from "../../store/approval-queries.ts";
import { findPushDetail } from "../../store/push-queries.ts";
import { LISTS } from "../api/list-kinds.ts";
import { MAX_REASON } from "../approvals.ts";
import { mayReadPush } from "../read-access.ts";
import type { Viewer } from "../sign-in.ts";
import { ApprovalPage, ApprovalsPage } from "./approval-pages.tsx";
import {
  listProps,
  PLACE_FIELDS,
  sendMissing,
  shellOf,
  statusField,
  type PagesContext,
  type PagesEnv,
} from "./context.tsx";
import { readForm } from "../form.ts";
import { sendPage } from "./layout.tsx";

const deciderOf = ({ principal, by }: Viewer): Decider => ({ principal, session: by.kind === "provider" ? by : null });

export const FORGED = "This form is from another page or an earlier visit. Please try again from here.";

export function createApprovalPages(pages: PagesContext): Hono<PagesEnv> {
  const { deps, signIn } = pages;
  const { db, access } = deps;
  const routes = new Hono<PagesEnv>();

  routes.get("/approvals", async (c) => {
    const fields = [statusField(LISTS.approvals), ...PLACE_FIELDS];
    const props = await listProps(pages, c, LISTS.approvals, fields, async ({ filter, limit, after }) => {
      const page = await listApprovals(db, filter, { limit, after });
      return { ...page, items: page.items.filter((approval) => mayReadPush(access, c.var.viewer.principal, approval)) };
    });
    return sendPage(c, <ApprovalsPage {...props} />, props.problem === null ? 200 : 400);
  });

  const sendApproval = async (
    c: Context<PagesEnv>,
    approvalId: string,
    attempt: { readonly problem: string; readonly reason: string; readonly status: 400 | 403 | 409 } | null,
  ): Promise<Response> => {
    const approval = isId(approvalId) ? await findApprovalRecord(db, approvalId) : null;
    const push = approval === null ? null : await findPushDetail(db, approval.pushId);
    if (approval === null || push === null || !mayReadPush(access, c.var.viewer.principal, approval)) {
      return sendMissing(pages, c, "approval");
    }
    return sendPage(
      c,
      <ApprovalPage
        shell={shellOf(pages, c)}
        decider={deciderOf(c.var.viewer)}
        signIns={deps.signIns}
        approval={approval}
        push={push}
        token={signIn.formToken(c, `/approvals/${approval.id}`)}
        problem={attempt?.problem ?? null}
        reason={attempt?.reason ?? ""}
      />,
      attempt?.status ?? 200,
    );
  };

  routes.get("/approvals/:id", (c) => sendApproval(c, c.req.param("id"), null));

  routes.post("/approvals/:id", async (c) => {
    const id = c.req.param("id");
    const form = await readForm(c);
    const { decision } = form;
    const reason = typeof form["reason"] === "string" ? form["reason"].replaceAll("\r\n", "\n") : "";
    if (!signIn.isOwnForm(c, form["form"])) return sendApproval(c, id, { problem: FORGED, reason, status: 403 });
    if (decision !== "approve" && decision !== "deny") {
      return sendApproval(c, id, { problem: "Choose whether to approve or to deny.", reason, status: 400 });
    }
    if (reason.length > MAX_REASON || reason.includes("\0")) {
      const problem = `The reason has to be shorter than ${MAX_REASON} characters, and text.`;
      return sendApproval(c, id, { problem, reason: reason.slice(0, MAX_REASON).replaceAll("\0", ""), status: 400 });
    }
    const approval = isId(id) ? await findApprovalRecord(db, id) : null;
    if (approval === null || !mayReadPush(access, c.var.viewer.principal, approval)) {
      return sendMissing(pages, c, "approval");
    }
    const decided = await deps.decide({ approvalId: id, decider: deciderOf(c.var.viewer), decision, reason });
    if (decided.ok) return c.redirect(`/approvals/${id}`, 303);
    const status = decided.error.kind === "forbidden" ? 403 : 409;
    return sendApproval(c, id, { problem: `Not decided: ${decided.error.message}.`, reason, status });
  });

  return routes;
}
