import { createHash } from "node:crypto";
import { parseCertificate } from "../../git/push-certificate.ts";
import { deliveryCapabilities, encodePushRequest } from "../../git/receive-pack.ts";
import type { NewEvent } from "../../store/events.ts";
import type { NewPush, NewRefDiff } from "../../store/pushes.ts";
import { bindPush } from "./binding.ts";
import type { PushDependencies, PushPart } from "./dependencies.ts";
import { leaseEnd } from "./lease.ts";
import type { PartPack } from "./parts.ts";
import { rememberAnswers } from "./remember.ts";

export interface PartState {
  readonly status: "rejected" | "delivering" | "held";
  /** What it is delivered with; null where it is not, or needs none. */
  readonly pack: PartPack | null;
  /** For the approver's view; none where nobody is asked. */
  readonly diffs?: readonly NewRefDiff[];
}

/** The row of a judged push. Every text that somebody outside chose is masked here, before the first write. */
export function pushRow(deps: PushDependencies, part: PushPart, state: PartState): NewPush {
  const { head, facts, verdict, push } = part;
  const { request, reading } = push;
  const mask = (text: string): string => deps.scanner.maskName(text);
  const maskName = rememberAnswers(mask);
  const now = deps.now();
  const isOver = state.status === "rejected";
  const forced = new Map(facts.refs.map((ref) => [ref.update.ref, ref.forced]));
  return {
    id: part.id,
    partOf: part.partOf,
    principalId: request.principal.id,
    connection: request.connection.name,
    repository: mask(request.repository),
    upstreamPath: mask(request.upstreamPath),
    status: state.status,
    policyVersion: deps.policyVersion,
    binding: bindingOf(part, deps.policyVersion),
    certificate: isOver ? null : digestOf(head),
    objectFormat: head.objectFormat,
    // A refused push is never sent, and its command section may be what holds the secret.
    head: isOver
      ? Buffer.alloc(0)
      : deps.seal.seal(part.id, {
          head: encodePushRequest(head, { capabilities: deliveryCapabilities(head) }),
          updates: head.updates,
          upstreamPath: request.upstreamPath,
        }),
    pushOptions: head.pushOptions.map(mask),
    packBlob: state.pack?.key ?? null,
    packBytes: state.pack?.bytes ?? facts.packBytes,
    linesTruncated: reading.linesTruncated,
    userAgent: mask(request.userAgent),
    receivedAt: push.receivedAt,
    finishedAt: isOver ? now : null,
    leaseUntil: isOver ? null : leaseEnd(now),
    error: null,
    refs: verdict.refs.map(({ update, opinion, observed = [] }) => ({
      ref: mask(update.ref),
      oldOid: update.oldOid,
      newOid: update.newOid,
      forced: forced.get(update.ref) ?? false,
      verdict: opinion.kind,
      reason: opinion.kind === "allow" ? null : mask(opinion.reason),
      observed: observed.map(({ check, opinion: { kind, reason } }) => ({
        check,
        verdict: kind,
        reason: mask(reason),
      })),
    })),
    findings: facts.findings,
    commits: facts.commits.map((commit) => ({
      ...commit,
      authorName: maskName(commit.authorName),
      authorEmail: maskName(commit.authorEmail),
      committerName: maskName(commit.committerName),
      committerEmail: maskName(commit.committerEmail),
      message: deps.scanner.mask(commit.message).text,
    })),
    hunks: part.hunks,
    diffs: state.diffs ?? [],
  };
}

/** Over what is signed alone: the signature's armour can be written in many ways. */
const digestOf = ({ certificate, objectFormat }: PushPart["head"]): string | null =>
  certificate === null
    ? null
    : createHash("sha256").update(parseCertificate(certificate, objectFormat).signedText).digest("hex");

export const bindingOf = ({ head, push: { request } }: PushPart, policyVersion: string): string =>
  bindPush({
    connection: request.connection.name,
    repository: request.repository,
    updates: head.updates,
    pushOptions: head.pushOptions,
    isSigned: head.certificate !== null,
    policyVersion,
  });

export const eventOf = (
  { scanner }: Pick<PushDependencies, "scanner">,
  { id, facts, verdict, push }: PushPart,
  kind: string,
): NewEvent => ({
  kind,
  principalId: push.request.principal.id,
  repository: scanner.maskName(push.request.repository),
  subject: id,
  data: { refs: verdict.refs.map(({ opinion }) => opinion.kind), findings: facts.findings.length },
});
