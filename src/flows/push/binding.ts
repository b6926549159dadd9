import { createHash } from "node:crypto";
import type { RefUpdate } from "../../model/ref-update.ts";

/**
 * What an approval is for, as one value: connection, repository, every ref's old and new id, and the policy that asked for it.
 * SHA-256 over its JSON, hex. Anything else pushed, or the same pushed elsewhere, has another binding.
 */
export const bindPush = (push: {
  readonly connection: string;
  readonly repository: string;
  readonly updates: readonly RefUpdate[];
  readonly pushOptions: readonly string[];
  /** A signed push must not find the hold of an unsigned one, which would be delivered in its place. */
  readonly isSigned: boolean;
  readonly policyVersion: string;
}): string =>
  createHash("sha256")
    .update(
      JSON.stringify([
        push.connection,
        push.repository,
        push.updates
          .map((update) => [update.ref, update.oldOid, update.newOid])
          .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1)),
        push.pushOptions,
        push.policyVersion,
        ...(push.isSigned ? ["signed"] : []),
      ]),
    )
    .digest("hex");
