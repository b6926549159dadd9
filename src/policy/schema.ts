/**
 * What an operator may say about pushes: one entry of `pushes:` in the configuration, its shape and its meaning.
 * The first entry whose `repositories` match decides about a push; see `evaluate.ts`.
 */
import { z } from "zod";
import { parseDuration } from "../model/duration.ts";
import type { ApprovalRequirement } from "../model/verdict.ts";

/** What happens to a push with secrets whose severity is `block`. `observe` records them and lets the push pass. */
export type SecretsMode = "reject" | "hold" | "observe";

/** What is never let through on a protected ref, whoever would approve it. */
export type Refusal = "force-push" | "delete";

/** Refs (globs) that move only with approval. */
export interface ProtectRule extends ApprovalRequirement {
  readonly refs: readonly string[];
}

export interface PushPolicy {
  /** Globs over `<connection>/<path>`. */
  readonly repositories: readonly string[];
  readonly secrets: SecretsMode;
  /** Who decides under `secrets: hold`; null under the other modes. */
  readonly secretsHold: ApprovalRequirement | null;
  /** Globs; refs outside are refused. */
  readonly namespaces: readonly string[];
  /** Options let through: exact, or a prefix where it ends in `*`. */
  readonly pushOptions: readonly string[];
  readonly protect: readonly ProtectRule[];
  readonly refuse: readonly Refusal[];
}

const DEFAULT_NAMESPACES = ["refs/heads/**", "refs/tags/**", "refs/notes/**"];
const DEFAULT_APPROVALS = 1;
const DEFAULT_WAIT_MS = 60_000;
const DEFAULT_EXPIRES_MS = 86_400_000;

/** What stands where no entry matches: secrets are still refused, nothing is protected. */
export const UNMATCHED_POLICY: PushPolicy = {
  repositories: ["**"],
  secrets: "reject",
  secretsHold: null,
  namespaces: DEFAULT_NAMESPACES,
  pushOptions: [],
  protect: [],
  refuse: [],
};

/** A duration in the configuration's form, as milliseconds. */
export const durationSchema = z
  .string({ error: "expected a duration such as 60s, 5m, 24h or 400d" })
  .regex(/^\d{1,9}[smhd]$/, { error: "expected a duration such as 60s, 5m, 24h or 400d", abort: true })
  .transform((text) => parseDuration(text) ?? 0);

/** A group's name, `user:EMAIL`, or `*` for every signed-in person. */
export const personNameSchema = z
  .string()
  .min(1, { error: 'expected a group name, user:EMAIL, or "*"' })
  .refine((name) => !name.startsWith("user:") || /^user:[^\s@]+@[^\s@]+$/.test(name), {
    error: "after user: comes an e-mail address, as in user:ada@example.com",
  });

/** A pattern that no ref can match would protect nothing and say nothing about it. */
const refGlobSchema = z.string().regex(/^(?:refs\/|\*\*)/, {
  error: "expected the full name of a ref or a glob over it, as in refs/heads/main or refs/heads/release/*",
});

const repositoryGlobSchema = z.string().regex(/^(?:\*\*|[^/]+\/.)/, {
  error: "expected <connection>/<path> or a glob over it, as in code/team/app, code/** or **",
});

const approvalFields = {
  approvers: z
    .array(personNameSchema)
    .min(1, { error: "at least one approver is needed, or nobody can ever approve" })
    .optional()
    .describe('Group names, user:EMAIL, or "*"; the pusher never counts.'),
  approvals: z
    .int({ error: "expected a whole number of approvers" })
    .min(1, { error: "at least 1 approval is needed; take the rule out to need none" })
    .optional()
    .describe("How many distinct approvers. Default 1."),
  wait: durationSchema.optional().describe("How long the client is kept waiting; 0s answers at once. Default 60s."),
  expires: durationSchema.optional().describe("How long the question stays open. Default 24h."),
};

const protectSchema = z.strictObject({
  refs: z.array(refGlobSchema).min(1, { error: "name at least one ref" }).describe("Globs over full ref names."),
  ...approvalFields,
});

type ApprovalInput = {
  readonly [K in "approvals" | "wait" | "expires"]?: number | undefined;
} & { readonly approvers?: readonly string[] | undefined };

type Mistake = (path: readonly string[], message: string) => void;

/** Own fields first, then the entry's, then the defaults; what can never be met is a mistake. */
function requirementOf(own: ApprovalInput, entry: ApprovalInput, mistake: Mistake): ApprovalRequirement {
  const approvers = own.approvers ?? entry.approvers ?? [];
  const approvals = own.approvals ?? entry.approvals ?? DEFAULT_APPROVALS;
  const waitMs = own.wait ?? entry.wait ?? DEFAULT_WAIT_MS;
  const expiresMs = own.expires ?? entry.expires ?? DEFAULT_EXPIRES_MS;
  if (approvers.length === 0) {
    mistake([], "a hold needs approvers: name them here, or for the whole entry");
  } else if (approvers.every((name) => name.startsWith("user:")) && new Set(approvers).size < approvals) {
    mistake(["approvals"], "more approvals are asked for than there are approvers");
  }
  if (expiresMs === 0) mistake(["expires"], "a question that expires at once can never be answered");
  else if (waitMs > expiresMs) mistake(["wait"], "the client would wait longer than the question stays open (expires)");
  return { approvers, approvals, waitMs, expiresMs };
}

/** One entry of `pushes:`. */
export const pushPolicySchema = z
  .strictObject({
    repositories: z
      .array(repositoryGlobSchema)
      .min(1, { error: "name at least one repository" })
      .describe("Globs over <connection>/<path>; the first entry that matches decides. Case does not count."),
    secrets: z
      .enum(["reject", "hold", "observe"])
      .default("reject")
      .describe("What happens to a push that holds a secret. Default reject."),
    namespaces: z.array(refGlobSchema).default(DEFAULT_NAMESPACES).describe("Refs outside are refused."),
    pushOptions: z
      .array(z.string().min(1))
      .default([])
      .describe('Options let through: exact, or a prefix where it ends in *. "*" is all. Default none.'),
    protect: z.array(protectSchema).default([]).describe("Refs that move only with approval."),
    refuse: z
      .array(z.enum(["force-push", "delete"]))
      .default(["force-push", "delete"])
      .describe("Never let through on protected refs. Default both."),
    ...approvalFields,
  })
  .transform((entry, context): PushPolicy => {
    const mistakeAt =
      (...at: (string | number)[]): Mistake =>
      (path, message) =>
        context.addIssue({ code: "custom", path: [...at, ...path], message });
    return {
      repositories: entry.repositories,
      secrets: entry.secrets,
      secretsHold: entry.secrets === "hold" ? requirementOf({}, entry, mistakeAt()) : null,
      namespaces: entry.namespaces,
      pushOptions: entry.pushOptions,
      protect: entry.protect.map((rule, index) => ({
        refs: rule.refs,
        ...requirementOf(rule, entry, mistakeAt("protect", index)),
      })),
      refuse: entry.refuse,
    };
  });
