import type { Check } from "../check.ts";

/**
 * Secrets count against every ref of the push, since the pack carries them whichever ref they are reached from. The places are
 * told apart from the verdict, by the flow; `warn` findings are recorded and told, and let pass.
 */
export const secrets: Check = {
  name: "secrets",
  judge: ({ policy, facts }) => {
    const count = facts.findings.filter((finding) => finding.severity === "block").length;
    if (count === 0 || policy.secrets === "observe") return [];
    const found = `${count === 1 ? "1 secret" : `${count} secrets`} found in this push`;
    if (policy.secrets === "hold" && policy.secretsHold !== null) {
      return [
        {
          kind: "hold",
          reason: `${found}: ${policy.secretsHold.approvers.join(", ")} must agree`,
          requirement: policy.secretsHold,
        },
      ];
    }
    return [
      {
        kind: "reject",
        reason: `${found}; take ${count === 1 ? "it" : "them"} out of every commit, and replace what was real`,
      },
    ];
  },
};
