/** Who asks: the gateway's own tokens and, where there is one, the identity provider. */
import type { Config } from "../config.ts";
import { isLoopback } from "../config/values.ts";
import { ok } from "../errors.ts";
import { createIdentity, type Authenticate, type Identify, type Identity } from "../identity/identity.ts";
import { createOidcProvider } from "../identity/oidc/provider.ts";
import { rememberingIdentity } from "../identity/remembered.ts";
import type { Logger } from "../model/log.ts";
import type { Database } from "../store/database.ts";
import { findCopilotTokenByHash } from "../store/oauth-copilot-tokens.ts";
import { findPrincipal, upsertProviderPerson } from "../store/principals.ts";
import { findTokenByHash, touchToken } from "../store/tokens.ts";

export interface PeopleOptions {
  readonly config: Config;
  readonly db: Database;
  readonly publicUrl: string;
  readonly log: Logger;
  readonly now: () => Date;
}

export function openPeople({ config, db, publicUrl, log, now }: PeopleOptions) {
  const provider =
    config.identity === null
      ? null
      : createOidcProvider({
          settings: config.identity,
          ports: {
            findPrincipal: (issuer, subject) => findPrincipal(db, issuer, subject),
            recordStatement: (statement) => upsertProviderPerson(db, statement),
          },
          publicUrl,
          now,
        });
  const identity = createIdentity(
    {
      findTokenByHash: async (hash) =>
        (await findTokenByHash(db, hash)) ?? (await findCopilotTokenByHash(db, hash, now())),
      touchToken: (id, at) => touchToken(db, id, at),
    },
    provider,
  );
  if (provider !== null && !publicUrl.startsWith("https:") && !isLoopback(new URL(publicUrl).hostname)) {
    log.warn({ publicUrl }, "people sign in over plain http: put TLS in front, and set publicUrl to https://");
  }

  const authenticate: Authenticate = async (sources, audience) => {
    const found = await identity.identify(sources, audience, now());
    return found.ok ? ok(found.value.principal) : found;
  };
  const by =
    (who: Pick<Identity, "identify">): Identify =>
    (sources, audience) =>
      who.identify(sources, audience, now());
  return {
    provider,
    identity,
    authenticate,
    identify: by(identity),
    /** The same for when the database is away: it goes by what it knew a moment ago. */
    identifyAway: by(rememberingIdentity(identity)),
  };
}
