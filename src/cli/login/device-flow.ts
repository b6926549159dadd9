/** A sign-in for a program without a browser (RFC 8628), at the gateway's own addresses, which are GitHub's. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { GatewayError } from "../../errors.ts";
import { escapeLine } from "../../model/printable.ts";

/** As the gateway knows this command; see `model/oauth-client.ts`. */
const CLIENT_ID = "sallyport";
const GRANT = "urn:ietf:params:oauth:grant-type:device_code";
const TIMEOUT_MS = 30_000;
/** What a gateway asks for at the most; more is a mistake, and nobody waits that long. */
const MAX_INTERVAL_S = 60;

const beganSchema = z.object({
  device_code: z.string().min(1),
  user_code: z.string().regex(/^[\w-]{1,40}$/),
  verification_uri: z.url({ protocol: /^https?$/ }),
  expires_in: z.number().positive(),
  interval: z.number().positive().default(5),
});
const tokenSchema = z.object({
  access_token: z.string().regex(/^[\w-]{1,500}$/),
  expires_in: z.number().positive().optional(),
});
const errorSchema = z.object({
  error: z.string(),
  error_description: z.string().default(""),
  interval: z.number().positive().optional(),
});

export interface DeviceLogin {
  /** Secret. */
  readonly token: string;
  /** Null: never. */
  readonly expiresAt: Date | null;
}

/**
 * Asks for a code, has it shown, and waits until somebody has typed it in a browser.
 * @param gateway without a slash at the end
 * @throws GatewayError `upstream_unreachable`, `upstream_misbehaved`, `forbidden`
 */
export async function loginByDevice(
  gateway: string,
  io: { readonly stop: AbortSignal; readonly now: () => Date },
  show: (code: string, address: string) => void,
): Promise<DeviceLogin> {
  const post = (path: string, body: Record<string, string>) => send(gateway + path, body, io.stop);
  const answer = await post("/login/device/code", { client_id: CLIENT_ID, scope: "repo" });
  const began = beganSchema.safeParse(answer);
  if (!began.success) throw refused(gateway, answer);
  const { device_code: deviceCode, user_code: userCode, verification_uri: address, expires_in: seconds } = began.data;
  show(userCode, address);

  let interval = began.data.interval;
  const end = io.now().getTime() + seconds * 1_000;
  while (io.now().getTime() < end) {
    await sleep(Math.min(interval, MAX_INTERVAL_S) * 1_000, undefined, { signal: io.stop });
    const polled = await post("/login/oauth/access_token", {
      client_id: CLIENT_ID,
      device_code: deviceCode,
      grant_type: GRANT,
    });
    const token = tokenSchema.safeParse(polled);
    if (token.success) {
      const { access_token: text, expires_in: life } = token.data;
      return { token: text, expiresAt: life === undefined ? null : new Date(io.now().getTime() + life * 1_000) };
    }
    const error = errorSchema.safeParse(polled);
    if (!error.success) throw refused(gateway, polled);
    if (error.data.error === "slow_down") interval = error.data.interval ?? interval + 5;
    else if (error.data.error !== "authorization_pending") throw refused(gateway, polled);
  }
  throw new GatewayError("forbidden", "nobody signed in in time: begin again");
}

async function send(url: string, body: Record<string, string>, stop: AbortSignal): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { accept: "application/json", "user-agent": "sallyport login" },
      body: new URLSearchParams(body),
      redirect: "error",
      signal: AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)]),
    });
  } catch (cause) {
    throw new GatewayError("upstream_unreachable", `nothing answers at ${new URL(url).origin} as a gateway would`, {
      cause,
    });
  }
  // An answer that is no JSON is no gateway's: told as such by whoever reads it.
  return response.json().catch(() => null);
}

function refused(gateway: string, answer: unknown): GatewayError {
  const error = errorSchema.safeParse(answer);
  if (!error.success)
    return new GatewayError("upstream_misbehaved", `${gateway} does not answer as a Sallyport gateway does`);
  const { error: code, error_description: description } = error.data;
  return new GatewayError(
    "forbidden",
    `the gateway says no: ${escapeLine(description === "" ? code : description, 300)}`,
  );
}
