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
    const found = `${count === 1 ? "1 secret" : `${count} secrets`} found`;
    if (policy.secrets === "hold" && policy.secretsHold !== null) {
      return [
        {
          kind: "hold",
          reason: `${found}: ${policy.secretsHold.approvers.join(", ")} must agree`,
          requirement: policy.secretsHold,
        },
      ];
    }
    // Short: git prints it in the brackets behind the ref, and what to do stands in the lines above.
    return [{ kind: "reject", reason: found }];
  },
};
