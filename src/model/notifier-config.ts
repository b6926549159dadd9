/** Where holds and verdicts are told. `name` is what the outbox keeps, so that a message finds its notifier after a restart. */
export type NotifierConfig =
  | {
      readonly kind: "slack";
      readonly name: string;
      /** A bot token (`xoxb-…`). */
      readonly token: string;
      readonly channel: string;
      /** The base URL of Slack's Web API, ending in `/`; null: Slack's own. */
      readonly apiUrl: string | null;
    }
  | {
      readonly kind: "webhook";
      readonly name: string;
      readonly url: string;
      /** Signs the body (HMAC); null: unsigned. */
      readonly secret: string | null;
    };
