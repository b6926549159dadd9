import { deliveryCapabilities, encodePushRequest } from "../../git/receive-pack.ts";
import type { PushRequest } from "../../git/push-exchange.ts";
import { insertEvent, type NewEvent } from "../../store/events.ts";
import { insertPush, type NewPush, type NewRefDiff } from "../../store/pushes.ts";
import { LEASE_MS } from "../delivery.ts";
import { bindPush } from "./binding.ts";
import type { JudgedPush, PushDependencies } from "./dependencies.ts";
import { rememberAnswers } from "./remember.ts";

export interface PushState {
  readonly status: "rejected" | "delivering" | "held";
  readonly packBlob: string | null;
  /** For the approver's view; none where nobody is asked. */
  readonly diffs?: readonly NewRefDiff[];
}

/** The row of a judged push. Every text that somebody outside chose is masked here, before the first write. */
export function pushRow(deps: PushDependencies, push: JudgedPush, state: PushState): NewPush {
  const { request, reading, verdict } = push;
  const { head } = request;
  const mask = (text: string): string => deps.scanner.mask(text).text;
  const maskName = rememberAnswers(mask);
  const now = deps.now();
  const isOver = state.status === "rejected";
  const forced = new Map(reading.facts.refs.map((ref) => [ref.update.ref, ref.forced]));
  return {
    id: push.id,
    principalId: request.principal.id,
    connection: request.connection.name,
    repository: request.repository,
    upstreamPath: request.upstreamPath,
    status: state.status,
    policyVersion: deps.policyVersion,
    binding: bindingOf(request, deps.policyVersion),
    objectFormat: head.objectFormat,
    // A refused push is never sent, and its command section may be what holds the secret.
    head: isOver ? Buffer.alloc(0) : encodePushRequest(head, { capabilities: deliveryCapabilities(head) }),
    pushOptions: head.pushOptions.map(mask),
    packBlob: state.packBlob,
    packBytes: reading.facts.packBytes,
    linesTruncated: reading.linesTruncated,
    userAgent: mask(request.userAgent),
    receivedAt: push.receivedAt,
    finishedAt: isOver ? now : null,
    leaseUntil: isOver ? null : new Date(now.getTime() + LEASE_MS),
    error: null,
    refs: verdict.refs.map(({ update, opinion }) => ({
      ref: mask(update.ref),
      oldOid: update.oldOid,
      newOid: update.newOid,
      forced: forced.get(update.ref) ?? false,
      verdict: opinion.kind,
      reason: opinion.kind === "allow" ? null : mask(opinion.reason),
    })),
    findings: reading.facts.findings,
    commits: reading.facts.commits.map((commit) => ({
      ...commit,
      authorName: maskName(commit.authorName),
      authorEmail: maskName(commit.authorEmail),
      committerName: maskName(commit.committerName),
      committerEmail: maskName(commit.committerEmail),
      message: mask(commit.message),
    })),
    hunks: reading.hunks,
    diffs: state.diffs ?? [],
  };
}

export const bindingOf = (request: PushRequest, policyVersion: string): string =>
  bindPush({
    connection: request.connection.name,
    repository: request.repository,
    updates: request.head.updates,
    pushOptions: request.head.pushOptions,
    policyVersion,
  });

export const eventOf = (push: JudgedPush, kind: string): NewEvent => ({
  kind,
  principalId: push.request.principal.id,
  repository: push.request.repository,
  subject: push.id,
  data: { refs: push.verdict.refs.map(({ opinion }) => opinion.kind), findings: push.reading.facts.findings.length },
});

/** The record comes before anything else that can be seen from outside. */
export async function recordVerdict(deps: PushDependencies, push: JudgedPush, state: PushState): Promise<void> {
  await deps.db.transaction(async (tx) => {
    await insertPush(tx, pushRow(deps, push, state));
    await insertEvent(tx, eventOf(push, state.status === "rejected" ? "push.rejected" : "push.allowed"));
  });
}
