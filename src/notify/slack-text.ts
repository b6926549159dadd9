/**
 * Outside text in Slack's mrkdwn. The attacker writes a commit message: `<!channel>` would wake everybody, `<https://evil|Approve>`
 * would look like our link, `*approved by security*` like our words.
 * Source: https://docs.slack.dev/messaging/formatting-message-text ("Escaping text", "Special parsing")
 */
import { escapeLine } from "../model/printable.ts";

/** `&`, `<` and `>` are the three characters that Slack parses; nothing else is to be encoded. */
const escapeControl = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

// A word joiner after the @: also a workspace whose clients still expand bare mentions then sees no mention.
const breakMentions = (text: string): string => text.replace(/@(?=channel|here|everyone|group)/gi, "@\u2060");

/** One line of outside text, cut to `max` characters, without any meaning to Slack but still mrkdwn (bold, italics). */
const inert = (text: string, max: number): string => escapeControl(breakMentions(escapeLine(text, max)));

/**
 * One line of outside text as a code span, where Slack formats nothing. A back-tick would end the span, so it is shown as the
 * look-alike U+02CB.
 */
export function codeSpan(text: string, max: number): string {
  const line = inert(text, max).replaceAll("`", "\u02cb").trim();
  return line === "" ? "`(empty)`" : `\`${line}\``;
}

/** For the notification's fallback text, which Slack formats as mrkdwn too: formatting characters are taken off. */
export const plainText = (text: string, max: number): string => inert(text, max).replace(/[*_~`]/g, " ");

/** A link of our own. `url` must come from the gateway, never from outside. */
export const link = (url: string, label: string): string =>
  `<${escapeControl(url).replaceAll("|", "%7C")}|${escapeControl(label)}>`;
