import { NotifyError } from "../../src/notify/notifier.ts";
import type { ApprovalRequested, OutboxMessage } from "../../src/notify/message.ts";

/** A request for approval, with what a test wants different. */
export const sampleRequest = (changes: Partial<ApprovalRequested> = {}): ApprovalRequested => ({
  kind: "approval_requested",
  approvalId: "01900000-0000-7000-8000-000000000001",
  pushId: "01900000-0000-7000-8000-000000000002",
  url: "https://gateway.example/approvals/01900000-0000-7000-8000-000000000001",
  repository: "code/team/app",
  pusher: "alice@example.com",
  pusherKind: "person",
  refs: [{ ref: "refs/heads/main", old: "a".repeat(40), new: "b".repeat(40) }],
  commitCount: 1,
  commits: [{ sha: "b".repeat(40), author: "Alice", subject: "Add the thing" }],
  reasons: ["refs/heads/main is protected"],
  approvers: ["release"],
  findingCount: 0,
  requestedAt: "2026-01-02T03:04:05.000Z",
  expiresAt: "2026-01-03T03:04:05.000Z",
  ...changes,
});

export const sampleMessage = (changes: Partial<ApprovalRequested> = {}): OutboxMessage => ({
  id: "01900000-0000-7000-8000-00000000000a",
  createdAt: new Date("2026-01-02T03:04:05.000Z"),
  notification: sampleRequest(changes),
});

/** The refusal that a send ends in. */
export async function refusal(send: Promise<void>): Promise<NotifyError> {
  try {
    await send;
  } catch (error) {
    if (error instanceof NotifyError) return error;
    throw error;
  }
  throw new Error("the message was sent, which this test did not expect");
}
