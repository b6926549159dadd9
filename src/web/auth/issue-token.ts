/** A gateway token that somebody makes for themselves while signed in: for git, a terminal, a Copilot client. */
import { err, ok, type Result } from "../../errors.ts";
import { hashToken, mintToken } from "../../identity/tokens.ts";
import type { Audience } from "../../model/principal.ts";
import type { Queryable } from "../../store/database.ts";
import { insertEvent } from "../../store/events.ts";
import { insertMadeToken, insertToken, type TokenRow } from "../../store/tokens.ts";
import type { Viewer } from "../sign-in.ts";

export interface TokenRequest {
  /** Shown in lists, so that the person knows which is which. */
  readonly name: string;
  readonly audiences: readonly Audience[];
  /** Null: it never expires by itself. Where a provider is configured it stops counting without sign-ins anyway. */
  readonly expiresAt: Date | null;
}

export interface IssuedToken {
  /** Secret; shown this once. */
  readonly token: string;
  readonly row: TokenRow;
}

/**
 * Makes a token of the viewer's own. Whoever is signed in with a token cannot make one that may more than theirs, or lives longer.
 * @returns or why not, for the person to read
 */
export function issueToken(db: Queryable, viewer: Viewer, request: TokenRequest): Promise<Result<IssuedToken, string>> {
  return db.transaction(async (tx) => {
    const token = mintToken();
    const row = await insertFor(tx, viewer, { ...request, hash: hashToken(token) });
    if (!row.ok) return row;
    await insertEvent(tx, {
      kind: "token.created",
      principalId: viewer.principal.id,
      repository: null,
      subject: row.value.id,
      data: { name: request.name, audiences: request.audiences },
    });
    return ok({ token, row: row.value });
  });
}

async function insertFor(
  tx: Queryable,
  { by, principal }: Viewer,
  request: TokenRequest & { readonly hash: Buffer },
): Promise<Result<TokenRow, string>> {
  if (by.kind === "provider") {
    return ok(await insertToken(tx, { ...request, principalId: principal.id, groups: [] }));
  }
  const missing = request.audiences.filter((audience) => !by.audiences.includes(audience));
  if (missing.length > 0) {
    return err(`The token that you are signed in with is not for ${missing.join(", ")}: sign in with one that is.`);
  }
  const row = await insertMadeToken(tx, {
    ...request,
    principalId: principal.id,
    groups: principal.groups,
    expiresAt: earlier(request.expiresAt, by.expiresAt),
    parentId: by.id,
  });
  return row === null ? err("The token that you are signed in with has been revoked: sign in again.") : ok(row);
}

const earlier = (a: Date | null, b: Date | null): Date | null => (a === null ? b : b === null || a <= b ? a : b);
