import { isNamed } from "../../model/who.ts";
import type { Check } from "../check.ts";
import { matchesAny, matchesAnyFolded } from "../match.ts";

/**
 * Who may create, move and delete a ref. Where rules match, one of them has to name the person. A ref that is a rule's in
 * another spelling is restricted by it and opened to nobody: on a host that ignores case it may be the very same ref.
 */
export const pushers: Check = {
  name: "pushers",
  judge: ({ policy, facts }, { update }) => {
    const rules = policy.pushers.filter((rule) => matchesAnyFolded(rule.refs, update.ref));
    if (rules.length === 0) return [];
    const own = rules.filter((rule) => matchesAny(rule.refs, update.ref));
    if (own.some((rule) => isNamed(facts.principal, rule.allow))) return [];
    const names = [...new Set(own.flatMap((rule) => rule.allow))];
    const who = names.length === 0 ? "nobody may push to this ref" : `only ${names.join(", ")} may push to this ref`;
    return [{ kind: "reject", reason: `${who}; push to another one` }];
  },
};
