/** Who decides about a hold, and how long: the fields that rules and whole entries share. */
import { z } from "zod";
import { parseDuration } from "../../model/duration.ts";
import type { ApprovalRequirement } from "../../model/verdict.ts";

const DEFAULT_APPROVALS = 1;
const DEFAULT_WAIT_MS = 60_000;
const DEFAULT_EXPIRES_MS = 86_400_000;

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

export const approvalFields = {
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

export type ApprovalInput = {
  readonly [K in "approvals" | "wait" | "expires"]?: number | undefined;
} & { readonly approvers?: readonly string[] | undefined };

export type Mistake = (path: readonly (string | number)[], message: string) => void;

/** Own fields first, then the entry's, then the defaults; what can never be met is a mistake. */
export function requirementOf(own: ApprovalInput, entry: ApprovalInput, mistake: Mistake): ApprovalRequirement {
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

/** Whoever decides anywhere may decide, with as many as the strictest rule asks for; null where nobody does. */
export function togetherOf(requirements: readonly ApprovalRequirement[]): ApprovalRequirement | null {
  if (requirements.length === 0) return null;
  return {
    approvers: [...new Set(requirements.flatMap(({ approvers }) => approvers))],
    approvals: Math.max(...requirements.map(({ approvals }) => approvals)),
    waitMs: Math.min(...requirements.map(({ waitMs }) => waitMs)),
    expiresMs: Math.min(...requirements.map(({ expiresMs }) => expiresMs)),
  };
}
