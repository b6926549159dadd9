/**
 * Under a credential that many people share, an id that the upstream gave out (a response, a session, a file) works only for the person who
 * got it: whatever else it would open is somebody else's.
 */
import { createHmac } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { UpstreamReference } from "../../copilot/endpoints/endpoint.ts";
import { idsInPath } from "../../copilot/routes.ts";
import type { CopilotConnection, PathRule } from "../../model/connection.ts";
import type { Database } from "../../store/database.ts";
import { claimUpstreamIds, findOwnUpstreamIds } from "../../store/upstream-ids.ts";

export interface UpstreamIdsDependencies {
  readonly db: Database;
  readonly recordKey: Uint8Array;
  readonly now: () => Date;
}

/** Whose ids, and at which upstream. */
export interface IdHolder {
  readonly principalId: string;
  readonly connection: CopilotConnection;
}

export interface UpstreamIds {
  /** @returns the first reference to something that this person did not get; null where all are their own, or nobody shares */
  findForeign(holder: IdHolder, references: readonly UpstreamReference[]): Promise<UpstreamReference | null>;
  claim(holder: IdHolder, ids: readonly string[]): Promise<void>;
}

/** OpenAI keeps responses for 30 days, and other things longer; an id that is forgotten here is refused. */
const KEPT_MS = 90 * 86_400_000;
/** More than any answer gives out. */
const MOST_IDS = 2_000;

export function createUpstreamIds({ db, recordKey, now }: UpstreamIdsDependencies): UpstreamIds {
  const hashOf = (id: string): Buffer => createHmac("sha256", recordKey).update("upstream-id\0").update(id).digest();

  return {
    async findForeign({ principalId, connection }, references) {
      if (references.length === 0 || connection.credential.kind === "passthrough") return null;
      const hashes = references.map(({ id }) => hashOf(id));
      const own = await findOwnUpstreamIds(db, { connection: connection.name, principalId, hashes }, now());
      return references.find((_, index) => !own.has(hashes[index]?.toString("hex") ?? "")) ?? null;
    },
    async claim({ principalId, connection }, ids) {
      if (ids.length === 0 || connection.credential.kind === "passthrough") return;
      const at = now();
      const hashes = ids.slice(0, MOST_IDS).map(hashOf);
      const expiresAt = new Date(at.getTime() + KEPT_MS);
      await claimUpstreamIds(db, { connection: connection.name, principalId, hashes, expiresAt }, at);
    },
  };
}

/** Headers by which a client names what the upstream keeps for it. */
const ID_HEADERS = ["mcp-session-id", "copilot-session-token"];

/** Everything but the body by which a request points at something that the upstream keeps. */
export function referencesOutside(
  path: string,
  query: string,
  rule: PathRule | null,
  headers: IncomingHttpHeaders,
): readonly UpstreamReference[] {
  const named = ID_HEADERS.flatMap((name) => {
    const value = headers[name];
    return value === undefined ? [] : [{ field: name, id: String(value) }];
  });
  const inQuery =
    rule === null || rule.ids === "any"
      ? []
      : [...new URLSearchParams(query)]
          .filter(([name]) => name === "id" || name.endsWith("_id"))
          .map(([field, id]) => ({ field, id }));
  return [...named, ...inQuery, ...idsInPath(path, rule).map((id) => ({ field: "path", id }))];
}

/** Ids that an answer's headers give out. */
export const issuedInHeaders = (headers: IncomingHttpHeaders): readonly string[] =>
  ID_HEADERS.map((name) => headers[name]).filter((value) => typeof value === "string");
