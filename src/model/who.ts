import type { Principal } from "./principal.ts";

/** Whether a list of group names, `user:EMAIL` and `*` names this person. E-mail addresses compare without case. */
export const isNamed = (principal: Principal, names: readonly string[]): boolean =>
  names.some(
    (name) =>
      name === "*" ||
      (name.startsWith("user:")
        ? name.slice("user:".length).toLowerCase() === principal.email.toLowerCase()
        : principal.groups.includes(name)),
  );
