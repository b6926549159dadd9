/** Held pushes: the list, and the page that decides. */
import { isApprover, whyNotDecide, type Decider, type SignInRule } from "../../flows/approval/decider.ts";
import type { ApprovalRecord } from "../../store/approval-queries.ts";
import type { PushDetail } from "../../store/push-queries.ts";
import { MAX_REASON } from "../approvals.ts";
import { signInPath } from "../auth/pages.tsx";
import { CommitList, UNLINKED } from "./commit-list.tsx";
import { Diff } from "./diff.tsx";
import { Layout, type Shell } from "./layout.tsx";
import { ListPage, type ListProps } from "./list-page.tsx";
import { Badge, Facts, FindingsTable, RefName, RefsTable, relativeTime, Time, Who } from "./parts.tsx";

export const ApprovalsTable = (props: { approvals: readonly ApprovalRecord[]; now: Date; empty: string }) => (
  <div class="sheet">
    {props.approvals.length === 0 ? (
      <div class="empty">{props.empty}</div>
    ) : (
      <table class="rows">
        <thead>
          <tr>
            <th>Push</th>
            <th>Who</th>
            <th>Refs</th>
            <th>Status</th>
            <th class="tight">Requested</th>
          </tr>
        </thead>
        <tbody>
          {props.approvals.map((approval) => (
            <tr>
              <td>
                <a href={`/approvals/${approval.id}`}>{approval.repository}</a>
              </td>
              <td>
                <Who name={approval.pusher} kind={approval.pusherKind} />
              </td>
              <td>
                {approval.refs.slice(0, 3).map((ref) => (
                  <div>
                    <RefName name={ref.ref} />
                  </div>
                ))}
                {approval.refs.length > 3 && <div class="soft">and {approval.refs.length - 3} more</div>}
              </td>
              <td class="tight">
                <Badge status={standing(approval, props.now)} />
              </td>
              <td class="tight">
                <Time at={approval.requestedAt} />
                {standing(approval, props.now) === "pending" && (
                  <div class="soft">ends {relativeTime(approval.expiresAt, props.now)}</div>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    )}
  </div>
);

/** A request whose time is up is over, also before the job that closes it has come round. */
const standing = (approval: ApprovalRecord, now: Date): string =>
  approval.status === "pending" && approval.expiresAt <= now ? "expired" : approval.status;

export const ApprovalsPage = (props: ListProps<ApprovalRecord>) => (
  <ListPage title="Approvals" {...props}>
    <ApprovalsTable approvals={props.items} now={props.shell.now} empty="No approvals fit." />
  </ListPage>
);

type Standing =
  | { readonly kind: "may" }
  /** They could, once they have signed in again. */
  | { readonly kind: "later"; readonly why: string }
  | { readonly kind: "may not"; readonly why: string };

/** Whether this person may decide now, and if not, why, in words for them. The flow that decides asks again. */
function standingOf(decider: Decider, approval: ApprovalRecord, rule: SignInRule | null, now: Date): Standing {
  const status = standing(approval, now);
  if (status === "expired") {
    return { kind: "may not", why: "Nobody decided in time. Its author can push again to ask anew." };
  }
  if (status !== "pending") return { kind: "may not", why: "This has been decided." };
  const made = approval.decisions.find((decision) => decision.deciderId === decider.principal.id);
  if (made !== undefined) {
    return { kind: "may not", why: "You have decided on this push. More approvals are needed, from other people." };
  }
  const reason = whyNotDecide(decider, approval, rule, now);
  if (reason === null) return { kind: "may" };
  return { kind: reason.mustSignIn ? "later" : "may not", why: `You may not decide: ${reason.message}.` };
}

/** Distinct people other than the pusher whose approval counts for this requirement. */
const countApprovals = (approval: ApprovalRecord, approvers: readonly string[]): number =>
  approval.decisions.filter(
    ({ decision, deciderId, by, groups, kind }) =>
      decision === "approve" && deciderId !== approval.pusherId && isApprover({ email: by, groups, kind }, approvers),
  ).length;

const Requirements = ({ approval }: { approval: ApprovalRecord }) => (
  <>
    {approval.requirements.map(({ approvers, approvals, reason }) => (
      <div>
        {reason} <span class="soft">·</span> {countApprovals(approval, approvers)} of {approvals}{" "}
        {approvals === 1 ? "approval" : "approvals"}{" "}
        <span class="soft">
          from {approvers.length === 0 ? "nobody (the policy names nobody)" : approvers.join(", ")}
        </span>
      </div>
    ))}
  </>
);

const DecideForm = ({ approval, token, reason }: { approval: ApprovalRecord; token: string; reason: string }) => (
  <div class="sheet pad">
    <form class="decide" method="post" action={`/approvals/${approval.id}`}>
      <input type="hidden" name="form" value={token} />
      <label>
        Reason, shown to the author and kept on record
        <textarea name="reason" maxlength={MAX_REASON}>
          {reason}
        </textarea>
      </label>
      <div class="actions">
        <button class="approve" type="submit" name="decision" value="approve">
          Approve and deliver
        </button>
        <button class="deny" type="submit" name="decision" value="deny">
          Deny
        </button>
      </div>
    </form>
  </div>
);

const Decisions = ({ approval }: { approval: ApprovalRecord }) => (
  <>
    <h2>Decisions</h2>
    <div class="sheet">
      <table class="rows">
        <tbody>
          {approval.decisions.map((made) => (
            <tr>
              <td class="tight">
                <Badge status={made.decision} />
              </td>
              <td>
                <Who name={made.by} kind={made.kind} />
              </td>
              <td>{made.reason === "" ? <span class="soft">no reason given</span> : made.reason}</td>
              <td class="tight">
                <Time at={made.decidedAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  </>
);

export const ApprovalPage = (props: {
  shell: Shell;
  decider: Decider;
  /** Null: there is no identity provider. */
  signIns: SignInRule | null;
  approval: ApprovalRecord;
  push: PushDetail;
  token: string;
  /** Why the last attempt to decide failed, and what was written in its form. */
  problem: string | null;
  reason: string;
}) => {
  const { approval, push, shell } = props;
  const may = standingOf(props.decider, approval, props.signIns, shell.now);
  return (
    <Layout title={`Approval: ${approval.repository}`} shell={shell}>
      <h1>
        <Who name={approval.pusher} kind={approval.pusherKind} /> wants to push to {approval.repository}
        <Badge status={standing(approval, shell.now)} />
      </h1>
      {props.problem !== null && <div class="note bad">{props.problem}</div>}
      <Facts
        facts={[
          ["Held because", <Requirements approval={approval} />],
          ["Requested", <Time at={approval.requestedAt} />],
          [
            approval.closedAt === null ? "Open until" : "Closed",
            approval.closedAt === null ? (
              <>
                <Time at={approval.expiresAt} />{" "}
                <span class="soft">({relativeTime(approval.expiresAt, shell.now)})</span>
              </>
            ) : (
              <Time at={approval.closedAt} />
            ),
          ],
          [
            "Push",
            <>
              <a href={`/pushes/${push.id}`}>{push.id}</a> <Badge status={push.status} />
              {push.error !== null && <div class="soft">{push.error}</div>}
            </>,
          ],
          ["Push options", push.pushOptions.length === 0 ? null : <code>{push.pushOptions.join(" ")}</code>],
        ]}
      />
      <h2>What it changes</h2>
      <RefsTable refs={push.refs} />
      {may.kind === "may" ? (
        <>
          <h2>Your decision</h2>
          <DecideForm approval={approval} token={props.token} reason={props.reason} />
        </>
      ) : (
        <div class="note">
          {may.why}
          {may.kind === "later" && (
            <div>
              <a href={signInPath(`/approvals/${approval.id}`, { isFresh: true })}>Sign in again</a>
            </div>
          )}
        </div>
      )}
      {approval.decisions.length > 0 && <Decisions approval={approval} />}
      {push.findings.length > 0 && (
        <>
          <h2>Findings</h2>
          <FindingsTable findings={push.findings} total={push.findingCount} />
        </>
      )}
      <h2>Commits</h2>
      <CommitList commits={push.commits} total={push.commitCount} repository={push.repository} links={UNLINKED} />
      {push.diffs.map((diff) => (
        <Diff diff={diff} />
      ))}
    </Layout>
  );
};
