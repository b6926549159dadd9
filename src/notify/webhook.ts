/**
 * A webhook, signed as Standard Webhooks 1.0.0 says: `webhook-signature: v1,<base64 HMAC-SHA256 of "id.timestamp.body">`.
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHmac } from "node:crypto";
import { NotifyError, type Notifier } from "./notifier.ts";

export interface WebhookOptions {
  readonly name: string;
  readonly url: string;
  /** `whsec_<base64>` as the specification has it, or any text, used as its UTF-8 bytes. Null: not signed. */
  readonly secret: string | null;
  /** Milliseconds for the whole request; default 10 s. */
  readonly timeoutMs?: number;
  readonly now?: () => Date;
}

const signingKey = (secret: string): Buffer =>
  secret.startsWith("whsec_") ? Buffer.from(secret.slice("whsec_".length), "base64") : Buffer.from(secret, "utf8");

/** @param timestamp whole seconds since the epoch */
export function signWebhook(secret: string, id: string, timestamp: number, body: string): string {
  const mac = createHmac("sha256", signingKey(secret)).update(`${id}.${timestamp}.${body}`).digest("base64");
  return `v1,${mac}`;
}

/** `Retry-After` in its two forms (RFC 9110, section 10.2.3). @returns milliseconds, or null */
export function parseRetryAfter(value: string | null, now: Date): number | null {
  if (value === null) return null;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value.trim()) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, at - now.getTime());
}

const causeCode = (error: unknown): string => {
  if (!(error instanceof Error)) return "unknown";
  const cause: unknown = error.cause;
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : error.name;
};

/** 408, 425 and 429 ask for another attempt; every other 4xx says that this request will never be taken. */
const isPermanentStatus = (status: number): boolean =>
  status < 500 && status !== 408 && status !== 425 && status !== 429;

export function createWebhookNotifier(options: WebhookOptions): Notifier {
  const now = options.now ?? (() => new Date());
  return {
    name: options.name,
    send: async (message) => {
      const timestamp = Math.floor(now().getTime() / 1000);
      const { kind, ...data } = message.notification;
      const body = JSON.stringify({ type: kind, timestamp: message.createdAt.toISOString(), data });
      const headers: Record<string, string> = {
        "content-type": "application/json",
        "user-agent": "sallyport",
        "webhook-id": message.id,
        "webhook-timestamp": String(timestamp),
      };
      if (options.secret !== null) {
        headers["webhook-signature"] = signWebhook(options.secret, message.id, timestamp, body);
      }
      let response: Response;
      try {
        response = await fetch(options.url, {
          method: "POST",
          headers,
          body,
          // A redirect would carry the message to an address that nobody configured.
          redirect: "manual",
          signal: AbortSignal.timeout(options.timeoutMs ?? 10_000),
        });
      } catch (error) {
        throw new NotifyError(`the webhook could not be reached (${causeCode(error)})`, { cause: error });
      }
      // The answer's text means nothing to us, and unread it would keep the connection.
      await response.body?.cancel();
      if (response.ok) return;
      throw new NotifyError(`the webhook answered with HTTP status ${response.status}`, {
        retryAfterMs: parseRetryAfter(response.headers.get("retry-after"), now()),
        isPermanent: isPermanentStatus(response.status),
      });
    },
  };
}
