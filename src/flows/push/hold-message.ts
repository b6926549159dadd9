import type { PushRequest } from "../../git/push-exchange.ts";
import type { PushFacts } from "../../model/push-facts.ts";
import type { Hold } from "../../model/verdict.ts";
import type { ApprovalRequested } from "../../notify/message.ts";

/** The newest commits are named, the rest counted. */
const NAMED_COMMITS = 5;

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";

/** What approvers are told of a hold. Masked, and otherwise as it came: each notifier escapes it for where it is shown. */
export function holdMessage(hold: {
  readonly approvalId: string;
  readonly pushId: string;
  readonly url: string;
  readonly request: PushRequest;
  readonly facts: PushFacts;
  readonly holds: readonly Hold[];
  readonly requestedAt: Date;
  readonly expiresAt: Date;
  readonly mask: (text: string) => string;
}): ApprovalRequested {
  const { facts, mask } = hold;
  return {
    kind: "approval_requested",
    approvalId: hold.approvalId,
    pushId: hold.pushId,
    url: hold.url,
    repository: mask(hold.request.repository),
    pusher: hold.request.principal.email,
    pusherKind: hold.request.principal.kind,
    refs: facts.refs.map(({ update }) => ({ ref: mask(update.ref), old: update.oldOid, new: update.newOid })),
    commitCount: facts.commits.length,
    // They come parents first.
    commits: facts.commits
      .slice(-NAMED_COMMITS)
      .toReversed()
      .map((commit) => ({
        sha: commit.oid,
        author: mask(commit.authorName),
        subject: mask(firstLine(commit.message)),
      })),
    reasons: hold.holds.map(({ reason }) => mask(reason)),
    approvers: [...new Set(hold.holds.flatMap(({ requirement }) => requirement.approvers))],
    findingCount: facts.findings.length,
    requestedAt: hold.requestedAt.toISOString(),
    expiresAt: hold.expiresAt.toISOString(),
  };
}
