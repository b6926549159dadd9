/** The checks by name, in the order in which refusals are told. `evaluate.ts` has the checks themselves. */
export const CHECK_NAMES = [
  "namespaces",
  "push-options",
  "pushers",
  "force-push",
  "deletion",
  "creation",
  "secrets",
  "commit-identity",
  "commit-signature",
  "commit-message",
  "file-size",
  "file-kinds",
  "protected-refs",
  "path-approvals",
] as const;

export type CheckName = (typeof CHECK_NAMES)[number];
