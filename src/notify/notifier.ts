import type { OutboxMessage } from "./message.ts";

/** One way to tell people. A new one is a new file beside this, and one line where the gateway is composed. */
export interface Notifier {
  /** The name in the configuration; unique among the notifiers of a gateway, stable over restarts. */
  readonly name: string;
  /**
   * Sends once, without retries of its own: the outbox retries.
   * @throws NotifyError
   */
  send(message: OutboxMessage): Promise<void>;
}

/** A message that did not arrive. `message` is kept and shown to operators: it never holds a credential or a URL's secret part. */
export class NotifyError extends Error {
  /** The receiver asked for this pause, in milliseconds; null when it did not. */
  readonly retryAfterMs: number | null;
  /** Trying again soon cannot help: an operator has to change something (a token, a channel) first. */
  readonly isPermanent: boolean;

  constructor(
    message: string,
    options: { readonly retryAfterMs?: number | null; readonly isPermanent?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "NotifyError";
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.isPermanent = options.isPermanent ?? false;
  }
}
