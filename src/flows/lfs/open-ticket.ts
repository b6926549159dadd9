import { GatewayError } from "../../errors.ts";
import type { LfsActionName } from "../../git/lfs/batch-answer.ts";
import type { LfsTicket } from "../../git/lfs/ticket.ts";
import type { LfsDependencies, LfsRequest } from "./dependencies.ts";

/** What a client shows when it comes to transfer an object. */
export interface ShownTicket {
  readonly oid: string;
  readonly ticket: string;
}

/** @throws GatewayError `forbidden`, upon which git-lfs asks for the object's address anew */
export function openTicket(
  deps: LfsDependencies,
  { principal, repository }: LfsRequest,
  action: LfsActionName,
  { oid, ticket }: ShownTicket,
): LfsTicket {
  const binding = { principal: principal.id, repository, action, oid };
  const opened = deps.tickets.open(ticket, binding, deps.now().getTime());
  if (opened.ok) return opened.value;
  throw new GatewayError(
    "forbidden",
    opened.error === "expired"
      ? "the time to transfer this LFS object is over; run the command again"
      : "this is no ticket of yours for this LFS object here; run the command again",
  );
}
