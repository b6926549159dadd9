/**
 * The policy's answer to one push: facts in, verdict out. No I/O, no clock.
 *
 * The first entry whose repositories match decides; every check looks at every ref; the strictest opinion on a ref wins, and the
 * push is as strict as its strictest ref. A check that throws is a reject: what could not be judged is not let through.
 * What a check says that the entry only observes goes beside the verdict and does not count.
 */
import type { PushFacts, RefFacts } from "../model/push-facts.ts";
import type { Hold, Observation, Opinion, RefVerdict, Verdict } from "../model/verdict.ts";
import type { Check, CheckContext } from "./check.ts";
import { commitIdentity } from "./checks/commit-identity.ts";
import { commitMessage } from "./checks/commit-message.ts";
import { commitSignature } from "./checks/commit-signature.ts";
import { creation } from "./checks/creation.ts";
import { deletion } from "./checks/deletion.ts";
import { fileKinds } from "./checks/file-kinds.ts";
import { fileSize } from "./checks/file-size.ts";
import { forcePush } from "./checks/force-push.ts";
import { namespaces } from "./checks/namespaces.ts";
import { pathApprovals } from "./checks/path-approvals.ts";
import { protectedRefs } from "./checks/protected-refs.ts";
import { pushers } from "./checks/pushers.ts";
import { pushOptions } from "./checks/push-options.ts";
import { secrets } from "./checks/secrets.ts";
import { policyFor } from "./match.ts";
import type { PushPolicy } from "./schema.ts";

/** A new check is a new file, a line here, its name in `check-names.ts`, and its test. Refusals are told in this order. */
export const CHECKS: readonly Check[] = [
  namespaces,
  pushOptions,
  pushers,
  forcePush,
  deletion,
  creation,
  secrets,
  commitIdentity,
  commitSignature,
  commitMessage,
  fileSize,
  fileKinds,
  protectedRefs,
  pathApprovals,
];

export interface EvaluateOptions {
  readonly checks?: readonly Check[];
  /** Told of a check that threw, for the operator's log; the verdict itself only names the check. */
  readonly onFault?: (check: string, error: unknown) => void;
}

export function evaluatePush(
  policies: readonly PushPolicy[],
  facts: PushFacts,
  { checks = CHECKS, onFault = () => {} }: EvaluateOptions = {},
): Verdict {
  const context: CheckContext = { policy: policyFor(policies, facts.repository), facts };
  const isObserved = (check: Check): boolean => context.policy.observe.some((name) => name === check.name);
  const counted = checks.filter((check) => !isObserved(check));
  const observed = checks.filter(isObserved);
  const judged = facts.refs.map((facts) => {
    const ref = withLists(facts);
    return {
      update: ref.update,
      opinions: counted.flatMap((check) => judgeSafely(check, context, ref, onFault)),
      observed: observed.flatMap((check) => observe(check, context, ref, onFault)),
    };
  });
  const refs = judged.map(({ update, opinions, observed }): RefVerdict => ({
    update,
    opinion: strictest(opinions),
    observed,
  }));
  return {
    kind: refs.reduce<Opinion["kind"]>((kind, { opinion }) => stricter(kind, opinion.kind), "allow"),
    refs,
    holds: distinctHolds(
      judged.map(({ opinions }) => opinions).filter((opinions) => strictest(opinions).kind === "hold"),
    ),
  };
}

/** Lists of commits and files are made anew for whoever asks: here once for all checks of a ref, and for none that does not ask. */
function withLists(ref: RefFacts): RefFacts {
  let commits: RefFacts["commits"] | undefined;
  let files: RefFacts["files"] | undefined;
  return Object.create(ref, {
    commits: { get: () => (commits ??= ref.commits) },
    files: { get: () => (files ??= ref.files) },
  }) as RefFacts;
}

function judgeSafely(
  check: Check,
  context: CheckContext,
  ref: RefFacts,
  onFault: (check: string, error: unknown) => void,
): readonly Opinion[] {
  try {
    return check.judge(context, ref);
  } catch (error) {
    onFault(check.name, error);
    return [
      {
        kind: "reject",
        reason: `the gateway's check "${check.name}" failed, so nothing is let through; tell its operator`,
      },
    ];
  }
}

function observe(...judging: Parameters<typeof judgeSafely>): readonly Observation[] {
  const [{ name }] = judging;
  return judgeSafely(...judging).flatMap((opinion) => (opinion.kind === "allow" ? [] : [{ check: name, opinion }]));
}

const STRICTNESS = { allow: 0, hold: 1, reject: 2 } as const;

const stricter = (a: Opinion["kind"], b: Opinion["kind"]): Opinion["kind"] => (STRICTNESS[b] > STRICTNESS[a] ? b : a);

/** One opinion for one ref: the reasons of the strictest kind together, and under holds the requirement that asks most. */
function strictest(opinions: readonly Opinion[]): Opinion {
  const kind = opinions.reduce<Opinion["kind"]>((kind, opinion) => stricter(kind, opinion.kind), "allow");
  const reason = [
    ...new Set(
      opinions.flatMap((opinion) => (opinion.kind === kind && opinion.kind !== "allow" ? [opinion.reason] : [])),
    ),
  ].join("; ");
  if (kind === "reject") return { kind, reason };
  const [first, ...others] = opinions.flatMap((opinion) => (opinion.kind === "hold" ? [opinion.requirement] : []));
  if (first === undefined) return { kind: "allow" };
  const most = others.reduce((a, b) => (b.approvals > a.approvals ? b : a), first);
  return {
    kind: "hold",
    reason,
    requirement: {
      ...most,
      waitMs: others.reduce((ms, { waitMs }) => Math.min(ms, waitMs), first.waitMs),
      expiresMs: others.reduce((ms, { expiresMs }) => Math.min(ms, expiresMs), first.expiresMs),
    },
  };
}

/** The same rule holding two refs is one question, not two. */
function distinctHolds(opinionsByRef: readonly (readonly Opinion[])[]): readonly Hold[] {
  const holds = new Map<string, Hold>();
  for (const opinion of opinionsByRef.flat()) {
    if (opinion.kind !== "hold") continue;
    const hold = { reason: opinion.reason, requirement: opinion.requirement };
    holds.set(JSON.stringify([hold.reason, hold.requirement]), hold);
  }
  return [...holds.values()];
}
