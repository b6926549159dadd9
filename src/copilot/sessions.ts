/**
 * Which conversation a request belongs to. Clients say it in different headers, some not at all. Pure: keys and hashes only;
 * what a client says counts only together with the person, so nobody can write into another's session by naming its id.
 */
import { createHmac } from "node:crypto";
import type { ClientHints, Message } from "../model/exchange.ts";

/** Header names in lower case; a repeated header is a list. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What an id of a client may look like; anything else is treated as absent. No colon: the keys made here have one. */
const CLIENT_ID = /^[A-Za-z0-9_.-]{1,128}$/;

const header = (headers: RequestHeaders, name: string): string | null => {
  const value = headers[name];
  return typeof value === "string" && value !== "" ? value : null;
};

const idHeader = (headers: RequestHeaders, name: string): string | null => {
  const value = header(headers, name);
  return value !== null && CLIENT_ID.test(value) ? value : null;
};

/** The client's name, for display and for telling several clients of one person apart. */
function clientOf(headers: RequestHeaders): string {
  const integration = header(headers, "copilot-integration-id") ?? "";
  const agent = header(headers, "user-agent") ?? "";
  const editor = header(headers, "editor-version") ?? "";
  if (integration === "copilot-developer-cli" || /^copilot\//i.test(agent)) return "copilot-cli";
  if (/^vscode-chat/i.test(integration) || /^vscode\//i.test(editor)) return "vscode";
  // The language server calls itself `jetbrains-chat` under any editor it does not know.
  if (header(headers, "vscode-sessionid") !== null) return "copilot-language-server";
  if (/^claude-cli\//i.test(agent)) return "claude-code";
  if (/^codex/i.test(agent)) return "codex";
  return "unknown";
}

/** What the headers say. Nothing in it is trusted; ids that do not look like one are dropped. */
export const readClientHints = (headers: RequestHeaders): ClientHints => ({
  client: clientOf(headers),
  conversation: idHeader(headers, "x-client-session-id"),
  interaction: idHeader(headers, "x-interaction-id"),
  agentTask: idHeader(headers, "x-agent-task-id"),
  parentAgent: idHeader(headers, "x-parent-agent-id"),
  initiator: idHeader(headers, "x-initiator"),
});

/** The editor process, where the client names one (language server, VS Code). */
export const readProcessId = (headers: RequestHeaders): string | null => idHeader(headers, "vscode-sessionid");

/** The Copilot CLI with a custom provider sends no id header, but its system prompt names the session's folder. */
const SESSION_FOLDER = /session-state\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/;

export interface SessionKeyInput {
  readonly hints: ClientHints;
  readonly processId: string | null;
  /** The request's messages; empty where there is no conversation. */
  readonly messages: readonly Message[];
  /** Keys the hash of the history, so that a stored key does not tell whether a guessed prompt was sent. */
  readonly key: Uint8Array;
}

/**
 * What groups exchanges of one person: the client's own conversation id as it stands (commit trailers quote it), or
 * `history:<hash>` over the client, its process and the conversation's beginning, which every later request sends again.
 */
export function sessionKey({ hints, processId, messages, key }: SessionKeyInput): string {
  if (hints.conversation !== null) return hints.conversation;
  const folder = messages
    .filter((message) => message.role === "system" || message.role === "developer")
    .flatMap((message) => message.parts)
    .map((part) => (part.type === "text" ? SESSION_FOLDER.exec(part.text)?.[1] : undefined))
    .find((id) => id !== undefined);
  if (folder !== undefined) return folder;
  const conversation = messages.filter((message) => message.role !== "system" && message.role !== "developer");
  const firstAnswer = conversation.findIndex((message) => message.role === "assistant");
  const beginning = firstAnswer === -1 ? conversation : conversation.slice(0, firstAnswer);
  const hash = createHmac("sha256", key).update(JSON.stringify([hints.client, processId, beginning]));
  return `history:${hash.digest("hex")}`;
}

/** The session that requests without any conversation (the model list, refused paths) are filed under, one per client. */
const UNGROUPED_PREFIX = "none:";
export const ungroupedKey = (hints: ClientHints): string => hints.conversation ?? `${UNGROUPED_PREFIX}${hints.client}`;

const TITLE_LENGTH = 120;
/** Clients put context before the prompt in tags of their own (`<current_datetime>…</current_datetime>`). */
const CONTEXT_TAG = /<([a-z][a-z0-9_-]*)>[^]*?<\/\1>/g;

/** The start of the first prompt on one line; null where nobody has asked anything. */
export function sessionTitle(messages: readonly Message[]): string | null {
  for (const message of messages) {
    if (message.role !== "user") continue;
    const text = message.parts.map((part) => (part.type === "text" ? part.text : "")).join(" ");
    const [first = ""] = (text.replace(CONTEXT_TAG, " ").trim() || text).trim().split("\n", 1);
    const line = first.replace(/\s+/g, " ").trim();
    if (line !== "") return line.length <= TITLE_LENGTH ? line : `${line.slice(0, TITLE_LENGTH - 1)}…`;
  }
  return null;
}
