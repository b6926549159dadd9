/**
 * What the gateway tells the outside, in the form the outbox keeps it. Texts are masked by whoever writes the message and
 * are otherwise as they came from outside: each notifier escapes them for the place where it shows them.
 */
import { z } from "zod";
import { err, ok, type Result } from "../errors.ts";

const refChange = z.object({ ref: z.string(), old: z.string(), new: z.string() });

/** Absent in messages of before it was told. */
const pusherKind = z.enum(["person", "service"]).default("person");

const approvalRequested = z.object({
  kind: z.literal("approval_requested"),
  approvalId: z.string(),
  pushId: z.string(),
  /** The page that decides; it asks for a sign-in, so it is no secret. */
  url: z.string(),
  /** `<connection>/<path>` */
  repository: z.string(),
  /** The pusher's e-mail address. */
  pusher: z.string(),
  pusherKind,
  refs: z.array(refChange),
  /** How many commits are new. */
  commitCount: z.number().int().nonnegative(),
  /** The newest of them, first line of the message only. */
  commits: z.array(z.object({ sha: z.string(), author: z.string(), subject: z.string() })),
  /** Why the push is held, one line a rule. */
  reasons: z.array(z.string()),
  /** Who may decide, as the policy names them. */
  approvers: z.array(z.string()),
  /** How many secrets or suspicions the inspection found. */
  findingCount: z.number().int().nonnegative(),
  /** ISO 8601 */
  requestedAt: z.string(),
  expiresAt: z.string(),
});

const approvalDecided = z.object({
  kind: z.literal("approval_decided"),
  approvalId: z.string(),
  pushId: z.string(),
  url: z.string(),
  repository: z.string(),
  pusher: z.string(),
  pusherKind,
  refs: z.array(refChange),
  outcome: z.enum(["approved", "denied", "expired"]),
  /** The decider's e-mail address; null when nobody decided in time. */
  decidedBy: z.string().nullable(),
  reason: z.string(),
  /** ISO 8601 */
  decidedAt: z.string(),
});

const notification = z.discriminatedUnion("kind", [approvalRequested, approvalDecided]);

export type ApprovalRequested = z.infer<typeof approvalRequested>;
export type ApprovalDecided = z.infer<typeof approvalDecided>;
export type Notification = z.infer<typeof notification>;

/** A notification on its way. `id` is the same at every attempt: a receiver that has seen it may drop it. */
export interface OutboxMessage {
  readonly id: string;
  readonly createdAt: Date;
  readonly notification: Notification;
}

/**
 * Reads a stored payload, which an older or a newer gateway may have written.
 * @returns the notification, or which fields do not fit
 */
export function parseNotification(payload: unknown): Result<Notification, string> {
  const parsed = notification.safeParse(payload);
  if (parsed.success) return ok(parsed.data);
  const places = parsed.error.issues.map((issue) => issue.path.join(".") || "kind");
  return err(`the stored message does not have the expected shape (${[...new Set(places)].join(", ")})`);
}
