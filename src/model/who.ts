import type { Principal } from "./principal.ts";

/** Whether a list of group names, `user:EMAIL` and `*` names this person. E-mail addresses compare without case. */
export const isNamed = (person: Pick<Principal, "email" | "groups">, names: readonly string[]): boolean =>
  names.some(
    (name) =>
      name === "*" ||
      (name.startsWith("user:")
        ? name.slice("user:".length).toLowerCase() === person.email.toLowerCase()
        : person.groups.includes(name)),
  );
