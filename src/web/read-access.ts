/**
 * Who may read what of the record. The gateway's configuration answers; pages and API ask here, so that neither forgets to.
 * What a person may not read is told as not found: that something exists is already something.
 */
import type { Principal } from "../model/principal.ts";
import { isNamed } from "../model/who.ts";

export interface ReadAccess {
  /** May read other people's sessions, exchanges and events. Everybody reads their own. */
  readonly isAuditor: (principal: Principal) => boolean;
  /** May read what was pushed to this repository (`<connection>/<path>`). */
  readonly mayReadRepository: (principal: Principal, repository: string) => boolean;
}

/** The pusher, whoever may read the repository, whoever is asked to decide, and auditors. */
export const mayReadPush = (
  access: ReadAccess,
  principal: Principal,
  push: {
    readonly repository: string;
    readonly pusherId: string;
    readonly requirements: readonly { readonly approvers: readonly string[] }[] | null;
  },
): boolean =>
  push.pusherId === principal.id ||
  (push.requirements ?? []).some((requirement) => isNamed(principal, requirement.approvers)) ||
  access.mayReadRepository(principal, push.repository) ||
  access.isAuditor(principal);

export const mayReadOf = (access: ReadAccess, principal: Principal, ownerId: string): boolean =>
  ownerId === principal.id || access.isAuditor(principal);
