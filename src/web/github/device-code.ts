/** `POST /login/device/code`: a client without a browser begins a sign-in (RFC 8628, section 3.1). */
import { Hono } from "hono";
import { hashToken, mintSessionValue } from "../../identity/tokens.ts";
import { countPendingDeviceCodes, insertDeviceCode } from "../../store/device-codes.ts";
import { createRateLimit, keyOfAddress } from "../auth/rate-limit.ts";
import { sendOauth, sendOauthError } from "./answers.ts";
import { findClient, unknownClient, type GithubDependencies } from "./context.ts";
import { readParameters } from "./parameters.ts";
import { audiencesFor, parseScope } from "./scopes.ts";
import { mintUserCode } from "./user-code.ts";

/** Long enough to find a browser and sign in; as GitHub has it. */
export const DEVICE_CODE_MS = 15 * 60_000;
export const POLL_INTERVAL_S = 5;
/** From one address: a company may be behind it. */
const PER_MINUTE = 60;
/** In all: what waits is what guesses could hit, 20^8 codes to one of these. */
const MAX_PENDING = 5_000;
const MAX_USER_AGENT = 300;
const ATTEMPTS = 5;

export function createDeviceCodeRoute(deps: GithubDependencies): Hono {
  const { db, mask, now } = deps;
  const begun = createRateLimit({ db, name: "device begun", limit: PER_MINUTE, windowMs: 60_000, now });
  const routes = new Hono();

  routes.post("/login/device/code", async (c) => {
    const address = deps.proxies.clientAddress(c);
    if ((await begun.take(keyOfAddress(address))) === "refused") {
      return sendOauthError(c, "slow_down", "Too many sign-ins begin at your address. Wait a minute.", 429);
    }
    const read = await readParameters(c);
    if (!read.ok) return sendOauthError(c, "invalid_request", `The request cannot be read: ${read.error}.`, 400);
    const client = findClient(deps, read.value.get("client_id"));
    if (client === null) {
      return sendOauthError(c, "invalid_client", unknownClient(read.value.get("client_id")), 401);
    }
    const scope = mask(parseScope(read.value.get("scope") ?? "").join(" "));
    if (audiencesFor(client, scope).length === 0) {
      const message = "This client is known for git alone, and did not ask for the scope repo.";
      return sendOauthError(c, "invalid_scope", message, 400);
    }
    if ((await countPendingDeviceCodes(db, now())) >= MAX_PENDING) {
      return sendOauthError(c, "slow_down", "Too many sign-ins wait at this gateway. Try again in some minutes.", 429);
    }
    const deviceCode = mintSessionValue();
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const userCode = mintUserCode();
      const inserted = await insertDeviceCode(db, {
        deviceHash: hashToken(deviceCode),
        userHash: hashToken(userCode),
        clientId: client.id,
        scope,
        address,
        userAgent: mask(c.req.header("user-agent") ?? "").slice(0, MAX_USER_AGENT),
        interval: POLL_INTERVAL_S,
        createdAt: now(),
        expiresAt: new Date(now().getTime() + DEVICE_CODE_MS),
      });
      if (!inserted) continue;
      return sendOauth(c, {
        device_code: deviceCode,
        user_code: userCode,
        // Without the code in it, and there is no `verification_uri_complete`: a person types what they read on their own device,
        // so that a link from somebody else signs nobody in.
        verification_uri: `${deps.publicUrl}/login/device`,
        expires_in: DEVICE_CODE_MS / 1_000,
        interval: POLL_INTERVAL_S,
      });
    }
    throw new Error("no user code is free, and 20^8 of them exist");
  });
  return routes;
}
