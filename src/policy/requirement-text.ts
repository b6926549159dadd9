import type { ApprovalRequirement } from "../model/verdict.ts";

/** `needs 2 approvals by release or security` */
export const howMany = ({ approvals, approvers }: ApprovalRequirement): string =>
  `needs ${approvals === 1 ? "1 approval" : `${approvals} approvals`} by ${approvers.join(" or ")}`;
