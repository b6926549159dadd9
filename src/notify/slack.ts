/**
 * Slack, by its official client and a bot token (scope `chat:write`).
 * The client's own retries are off: it would hold the message in memory, where a crash loses it; the outbox retries.
 * Source: https://docs.slack.dev/reference/methods/chat.postMessage
 */
import {
  LogLevel,
  WebAPIHTTPError,
  WebAPIPlatformError,
  WebAPIRateLimitedError,
  WebAPIRequestError,
  WebClient,
  type Logger,
} from "@slack/web-api";
import { NotifyError, type Notifier } from "./notifier.ts";
import { renderSlackMessage } from "./slack-message.ts";

export interface SlackOptions {
  readonly name: string;
  /** A bot token (`xoxb-…`). */
  readonly token: string;
  /** A channel's id, or its name with `#`. */
  readonly channel: string;
  /** Ends in `/api/`; null: Slack's own. */
  readonly apiUrl: string | null;
  /** Milliseconds until an unanswered request counts as failed; default 10 s. */
  readonly timeoutMs?: number;
}

/** Slack's own troubles; every other error code is for the operator to mend (token, channel, scope). */
const TRANSIENT = new Set([
  "fatal_error",
  "internal_error",
  "message_limit_exceeded",
  "rate_limited",
  "ratelimited",
  "request_timeout",
  "service_unavailable",
  "team_added_to_org",
]);

// The client logs whole requests at debug level and answers at error level; what matters comes back as an error instead.
const SILENT: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  setLevel: () => {},
  getLevel: () => LogLevel.ERROR,
  setName: () => {},
};

const causeCode = (error: Error): string => {
  const cause: unknown = error.cause;
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : error.name;
};

function toNotifyError(error: unknown, channel: string): NotifyError {
  if (error instanceof WebAPIRateLimitedError) {
    return new NotifyError(`Slack limits the rate: it asks for a pause of ${error.retryAfter} s`, {
      retryAfterMs: error.retryAfter * 1000,
    });
  }
  if (error instanceof WebAPIPlatformError) {
    // A proxy's HTML page with status 200 arrives here as well, whole, as the "error".
    const code = /^[a-z0-9_]{1,64}$/.test(error.data.error) ? error.data.error : null;
    if (code === null) return new NotifyError("what answered is not Slack's API: check the network's proxy");
    const isPermanent = !TRANSIENT.has(code);
    const help = isPermanent ? `: check the bot's token, its scopes and the channel ${channel}` : "";
    return new NotifyError(`Slack refused the message (${code})${help}`, { isPermanent });
  }
  if (error instanceof WebAPIHTTPError) return new NotifyError(`Slack answered with HTTP status ${error.statusCode}`);
  if (error instanceof WebAPIRequestError) {
    return new NotifyError(`Slack could not be reached (${causeCode(error.original)})`, { cause: error });
  }
  return new NotifyError("Slack could not be asked", { cause: error });
}

export function createSlackNotifier(options: SlackOptions): Notifier {
  const client = new WebClient(options.token, {
    ...(options.apiUrl === null ? {} : { slackApiUrl: options.apiUrl }),
    timeout: options.timeoutMs ?? 10_000,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    logger: SILENT,
  });
  return {
    name: options.name,
    send: async (message) => {
      const { text, blocks } = renderSlackMessage(message.notification);
      const request = {
        channel: options.channel,
        text,
        blocks,
        unfurl_links: false,
        unfurl_media: false,
        // Slack has no idempotency key; whoever sees a message twice can tell by this id that it is one.
        metadata: { event_type: `sallyport_${message.notification.kind}`, event_payload: { id: message.id } },
      };
      try {
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- Slack's method, not the browser's
        await client.chat.postMessage(request);
      } catch (error) {
        throw toNotifyError(error, options.channel);
      }
    },
  };
}
