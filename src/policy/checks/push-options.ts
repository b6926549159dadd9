import type { Check } from "../check.ts";

const lets = (allowed: string, option: string): boolean =>
  allowed.endsWith("*") ? option.startsWith(allowed.slice(0, -1)) : option === allowed;

/**
 * Push options are orders to the host (`merge_request.create`, `ci.skip`), carried out under the gateway's credential. The
 * reason counts them instead of repeating them, since an option can hold a secret.
 */
export const pushOptions: Check = {
  name: "push-options",
  judge: ({ policy, facts }) => {
    const refused = facts.pushOptions.filter((option) => !policy.pushOptions.some((allowed) => lets(allowed, option)));
    if (refused.length === 0) return [];
    const what = refused.length === 1 ? "1 push option is" : `${refused.length} push options are`;
    const instead =
      policy.pushOptions.length === 0 ? "push without -o" : `these may be sent: ${policy.pushOptions.join(", ")}`;
    return [{ kind: "reject", reason: `${what} not let through here; ${instead}` }];
  },
};
