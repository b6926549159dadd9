/** Who may read and write which repository of a connection. Pure. */
import type { GitConnection } from "../model/connection.ts";
import { matchesGlob } from "../model/glob.ts";
import type { Principal } from "../model/principal.ts";
import { isNamed } from "../model/who.ts";

/**
 * Nothing is allowed that is not named: first the connection's `allow`, then, where there are `access` rules, one of them.
 * The globs are of the path below the connection. Writing does not imply reading, nor the other way round.
 */
export const mayAccess = (
  principal: Principal,
  connection: GitConnection,
  path: string,
  right: "read" | "write",
): boolean =>
  isNamed(principal, connection.allow) &&
  (connection.access === null ||
    connection.access.some(
      (rule) => rule.repositories.some((glob) => matchesGlob(glob, path)) && isNamed(principal, rule[right]),
    ));
