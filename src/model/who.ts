import { sameEmail } from "./email.ts";
import type { Principal } from "./principal.ts";

/** Whether a list of group names, `user:EMAIL` and `*` names this person. E-mail addresses compare by {@link sameEmail}. */
export const isNamed = (person: Pick<Principal, "email" | "groups">, names: readonly string[]): boolean =>
  names.some(
    (name) =>
      name === "*" ||
      (name.startsWith("user:") ? sameEmail(name.slice("user:".length), person.email) : person.groups.includes(name)),
  );
