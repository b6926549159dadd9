/**
 * A notification as Slack's Block Kit, within Slack's limits: 50 blocks, 3,000 characters in a section's text, 10 elements in a
 * context block, 150 characters in a header (https://docs.slack.dev/reference/block-kit/blocks).
 */
import { escapeLine } from "../model/printable.ts";
import type { ApprovalDecided, ApprovalRequested, Notification } from "./message.ts";
import { codeSpan, link, plainText } from "./slack-text.ts";

const SECTION_MAX = 3_000;
const MAX_LINES = 8;
const REF_MAX = 120;
const SUBJECT_MAX = 120;
const NAME_MAX = 100;
const REASON_MAX = 300;

interface Mrkdwn {
  readonly type: "mrkdwn";
  readonly text: string;
  /** Slack then makes no links and no mentions out of bare text. */
  readonly verbatim: true;
}

export type SlackBlock =
  | { readonly type: "header"; readonly text: { readonly type: "plain_text"; readonly text: string } }
  | { readonly type: "section"; readonly text: Mrkdwn }
  | { readonly type: "context"; readonly elements: readonly Mrkdwn[] };

export interface SlackMessage {
  /** Fallback for notifications and screen readers. */
  readonly text: string;
  readonly blocks: readonly SlackBlock[];
}

const mrkdwn = (text: string): Mrkdwn => ({ type: "mrkdwn", text, verbatim: true });
const section = (text: string): SlackBlock => ({ type: "section", text: mrkdwn(text) });
const context = (text: string): SlackBlock => ({ type: "context", elements: [mrkdwn(text)] });
const header = (text: string): SlackBlock => ({ type: "header", text: { type: "plain_text", text } });

/** Whole lines only, so that no escape sequence and no code span is ever cut in two. */
function boundedLines(lines: readonly string[], total: number, what: string): string {
  const kept: string[] = [];
  let length = 0;
  for (const line of lines.slice(0, MAX_LINES)) {
    if (length + line.length + 1 > SECTION_MAX - 100) break;
    kept.push(line);
    length += line.length + 1;
  }
  const left = total - kept.length;
  return left > 0 ? [...kept, `… and ${left} more ${what}`].join("\n") : kept.join("\n");
}

const short = (oid: string): string => oid.slice(0, 12);

function describeChange(change: { readonly ref: string; readonly old: string; readonly new: string }): string {
  const ref = codeSpan(change.ref, REF_MAX);
  if (/^0+$/.test(change.new)) return `${ref} deleted (was ${codeSpan(short(change.old), 12)})`;
  if (/^0+$/.test(change.old)) return `${ref} created at ${codeSpan(short(change.new), 12)}`;
  return `${ref} ${codeSpan(short(change.old), 12)} → ${codeSpan(short(change.new), 12)}`;
}

/** A time that each reader sees in their own zone (`<!date^…>`), with UTC as the fallback. */
function slackTime(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return codeSpan(iso, 40);
  const utc = `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return `<!date^${Math.floor(at.getTime() / 1000)}^{date_short_pretty} {time}|${utc}>`;
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** What is software is told apart from people. */
const ofKind = ({ pusherKind }: ApprovalRequested | ApprovalDecided): string =>
  pusherKind === "service" ? " (service)" : "";

function requestedMessage(message: ApprovalRequested): SlackMessage {
  const what = message.commits.map(
    (commit) =>
      `${codeSpan(short(commit.sha), 12)} ${codeSpan(commit.subject, SUBJECT_MAX)} by ${codeSpan(commit.author, NAME_MAX)}`,
  );
  const approvers = message.approvers.map((name) => codeSpan(name, NAME_MAX));
  const refs = message.refs.map(describeChange);
  const findings =
    message.findingCount > 0 ? `\n:warning: ${plural(message.findingCount, "finding")} to look at before deciding` : "";
  return {
    text: `A push by ${plainText(message.pusher, NAME_MAX)}${ofKind(message)} to ${plainText(message.repository, REF_MAX)} waits for approval: ${message.url}`,
    blocks: [
      header("A push waits for approval"),
      section(
        `*Who* ${codeSpan(message.pusher, NAME_MAX)}${ofKind(message)}\n*Where* ${codeSpan(message.repository, 2 * REF_MAX)}${findings}`,
      ),
      section(`*What*\n${boundedLines(refs, message.refs.length, "refs")}`),
      ...(what.length > 0
        ? [
            section(
              `*${plural(message.commitCount, "new commit")}*\n${boundedLines(what, message.commitCount, "commits")}`,
            ),
          ]
        : []),
      section(
        `*Why it is held*\n${boundedLines(
          message.reasons.map((reason) => codeSpan(reason, REASON_MAX)),
          message.reasons.length,
          "reasons",
        )}`,
      ),
      section(`*${link(message.url, "Review and decide")}*`),
      context(
        `May decide: ${approvers.length > 0 ? boundedLines(approvers, approvers.length, "names").replaceAll("\n", " ") : "nobody is named"} · open until ${slackTime(message.expiresAt)}`,
      ),
    ],
  };
}

const OUTCOME: Record<ApprovalDecided["outcome"], string> = {
  approved: "A held push was approved",
  denied: "A held push was denied",
  expired: "A held push expired: nobody decided in time",
};

function decidedMessage(message: ApprovalDecided): SlackMessage {
  const by = message.decidedBy === null ? "" : `\n*Decided by* ${codeSpan(message.decidedBy, NAME_MAX)}`;
  const reason = message.reason === "" ? "" : `\n*Reason* ${codeSpan(message.reason, REASON_MAX)}`;
  return {
    text: `${OUTCOME[message.outcome]}: ${plainText(message.repository, REF_MAX)}, pushed by ${plainText(message.pusher, NAME_MAX)}${ofKind(message)}: ${message.url}`,
    blocks: [
      header(escapeLine(OUTCOME[message.outcome], 150)),
      section(
        `*Who* ${codeSpan(message.pusher, NAME_MAX)}${ofKind(message)}\n*Where* ${codeSpan(message.repository, 2 * REF_MAX)}${by}${reason}`,
      ),
      section(`*What*\n${boundedLines(message.refs.map(describeChange), message.refs.length, "refs")}`),
      section(`*${link(message.url, "See the push")}*`),
    ],
  };
}

export const renderSlackMessage = (notification: Notification): SlackMessage =>
  notification.kind === "approval_requested" ? requestedMessage(notification) : decidedMessage(notification);
