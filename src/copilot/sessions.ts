/**
 * Which conversation a request belongs to. Clients say it in different headers, some not at all. Pure: keys and hashes only;
 * what a client says counts only together with the person, so nobody can write into another's session by naming its id.
 */
import { createHmac } from "node:crypto";
import type { ClientHints, ExchangeStatus, Message, Part } from "../model/exchange.ts";
import { takeApart } from "../model/prompt.ts";
import { asObject, asText } from "./json-value.ts";

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

/** Where clients say which conversation it is: the Copilot CLI, Claude Code, Codex (of several versions). */
const CONVERSATION_HEADERS = [
  "x-client-session-id",
  "x-claude-code-session-id",
  "session_id",
  "session-id",
  "conversation_id",
];

/** A task within the conversation, the person's own or a sub-agent's; in the same order. */
const TASK_HEADERS = ["x-agent-task-id", "x-claude-code-agent-id", "thread_id", "thread-id"];

const firstId = (headers: RequestHeaders, names: readonly string[]): string | null =>
  names.map((name) => idHeader(headers, name)).find((id) => id !== null) ?? null;

/** What the headers say. Nothing in it is trusted; ids that do not look like one are dropped. */
export const readClientHints = (headers: RequestHeaders): ClientHints => ({
  client: clientOf(headers),
  conversation: firstId(headers, CONVERSATION_HEADERS),
  interaction: idHeader(headers, "x-interaction-id"),
  agentTask: firstId(headers, TASK_HEADERS),
  parentAgent: firstId(headers, ["x-parent-agent-id", "x-codex-parent-thread-id"]),
  initiator: idHeader(headers, "x-initiator"),
});

/** The editor process, where the client names one (language server, VS Code). */
export const readProcessId = (headers: RequestHeaders): string | null => idHeader(headers, "vscode-sessionid");

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
/** The Copilot CLI with a custom provider sends no id header, but its system prompt names the session's folder. */
const SESSION_FOLDER = new RegExp(`session-state/(${UUID})`);
/** Claude Code: `user_<hash>_account_<uuid>_session_<uuid>`, or a JSON object with `session_id`, in `metadata.user_id`. */
const SESSION_OF_USER = new RegExp(`session(?:_|_id"\\s*:\\s*")(${UUID})`, "i");
/** VS Code: `<conversation>:<family>`; Codex: the conversation alone. Anything that is no UUID may be one for all conversations. */
const CACHE_KEY = new RegExp(`^(${UUID})(?::.*)?$`, "i");

/** The conversation that a request's body names, in the ways that are known; null where it names none. */
export function readBodyConversation(json: unknown): string | null {
  const body = asObject(json);
  const user = SESSION_OF_USER.exec(asText(asObject(body["metadata"])["user_id"]))?.[1];
  return user ?? CACHE_KEY.exec(asText(body["prompt_cache_key"]))?.[1] ?? null;
}

function readSessionFolder(messages: readonly Message[]): string | null {
  for (const { role, parts } of messages) {
    if (role !== "system" && role !== "developer") continue;
    for (const part of parts) {
      const id = part.type === "text" ? SESSION_FOLDER.exec(part.text)?.[1] : undefined;
      if (id !== undefined) return id;
    }
  }
  return null;
}

/** What a request is grouped by. */
export type Grouping =
  /** The client's own conversation id, as it stands: trailers of commits quote it. */
  | { readonly kind: "named"; readonly clientKey: string }
  /** The conversation's beginnings, each as the keyed hash of all that was said until then: the last is the whole request. */
  | { readonly kind: "history"; readonly histories: readonly Buffer[]; readonly hasAnswer: boolean };

export interface GroupingInput {
  readonly hints: ClientHints;
  readonly processId: string | null;
  /** Of {@link readBodyConversation}. */
  readonly bodyConversation: string | null;
  /** The request's messages, masked. */
  readonly messages: readonly Message[];
  /** Keys the hashes, so that a stored one does not tell whether a guessed prompt was sent. */
  readonly key: Uint8Array;
}

export function groupingOf({ hints, processId, bodyConversation, messages, key }: GroupingInput): Grouping {
  const named = hints.conversation ?? bodyConversation ?? readSessionFolder(messages);
  if (named !== null) return { kind: "named", clientKey: named };
  const start = keyedHash(key, Buffer.from(JSON.stringify([hints.client, processId])));
  return {
    kind: "history",
    histories: historiesAfter(key, start, messages),
    hasAnswer: messages.some(({ role }) => role === "assistant"),
  };
}

/** Hashes of 128 bits: enough for telling histories apart, and half the index. */
const HASH_BYTES = 16;
const keyedHash = (key: Uint8Array, ...data: readonly Uint8Array[]): Buffer => {
  const hash = createHmac("sha256", key);
  for (const piece of data) hash.update(piece);
  return hash.digest().subarray(0, HASH_BYTES);
};

/**
 * The hash after each thing that is said, each over the one before. Prompts of the system, parameters and tool lists change from request to
 * request and count for nothing, as does the model's reasoning, which many clients do not send again; how the rest is cut into
 * messages differs between a wire's answers and its requests.
 */
export function historiesAfter(key: Uint8Array, start: Buffer, messages: readonly Message[]): readonly Buffer[] {
  let last = start;
  return messages.flatMap(({ role, parts }) => {
    if (role === "system" || role === "developer") return [];
    return parts.flatMap((part) => {
      if (part.type === "reasoning" || part.type === "tools") return [];
      last = keyedHash(key, last, Buffer.from(JSON.stringify(saidIn(role, part))));
      return [last];
    });
  });
}

const saidIn = (role: Message["role"], part: Exclude<Part, { type: "reasoning" | "tools" }>): readonly string[] => {
  switch (part.type) {
    case "tool_call":
      return ["call", part.name, part.arguments];
    case "tool_result":
      return ["result", part.text];
    case "text":
    case "completion":
    case "opaque":
      return [role, part.text.trim()];
  }
};

/** An exchange that a request may continue, as it is on record. */
export interface Continued {
  readonly sessionId: string;
  readonly status: ExchangeStatus;
  readonly history: Buffer;
  readonly historyAfter: Buffer | null;
}

/**
 * The exchange whose conversation a request continues: of those with which it has the longest beginning in common, the latest. A
 * first prompt that was asked and answered before begins another conversation; asked in vain, it is asked again.
 * @param earlier the latest first
 */
export function findContinued<T extends Continued>(
  { histories, hasAnswer }: Extract<Grouping, { kind: "history" }>,
  earlier: readonly T[],
): T | null {
  const lengths = new Map(histories.map((hash, index) => [hash.toString("hex"), index + 1]));
  const lengthOf = (hash: Buffer | null): number => (hash === null ? 0 : (lengths.get(hash.toString("hex")) ?? 0));
  let best: T | null = null;
  let longest = 0;
  for (const exchange of earlier) {
    const asked = lengthOf(exchange.history);
    const isSamePrompt = asked === histories.length && !hasAnswer;
    const isAgain = exchange.status !== "complete" && exchange.status !== "open";
    const length = Math.max(isSamePrompt && !isAgain ? 0 : asked, lengthOf(exchange.historyAfter));
    if (length > longest) [best, longest] = [exchange, length];
  }
  return best;
}

/** How many prompts of the person the conversation has; tool results that travel as the user's message are none. */
export const countPrompts = (messages: readonly Message[]): number =>
  messages.filter(({ role, parts }) => role === "user" && parts.some(({ type }) => type === "text")).length;

/** The session that requests without any conversation (the model list, refused paths) are filed under, one per client. */
const UNGROUPED_PREFIX = "none:";
export const ungroupedKey = (hints: ClientHints): string => hints.conversation ?? `${UNGROUPED_PREFIX}${hints.client}`;

const TITLE_LENGTH = 120;

/**
 * The start of the first prompt on one line; null where nobody has asked anything. Messages that the client alone wrote (Codex begins with
 * the repository's instructions and its environment) are a title only where there is no other.
 */
export function sessionTitle(messages: readonly Message[]): string | null {
  let unowned: string | null = null;
  for (const { role, parts } of messages) {
    if (role !== "user") continue;
    const text = parts.map((part) => (part.type === "text" ? part.text : "")).join("\n");
    const line = firstLine(takeApart(text).text);
    if (line !== null) return titleFrom(line);
    unowned ??= firstLine(text);
  }
  return unowned === null ? null : titleFrom(unowned);
}

const titleFrom = (line: string): string =>
  line.length <= TITLE_LENGTH ? line : `${line.slice(0, TITLE_LENGTH - 1).trimEnd()}…`;

/** A tag and nothing else, as around what Claude Code wants a title for (`<session>`). */
const LONE_TAG = /^<\/?[a-z][a-z0-9_-]{0,60}>$/i;
/** As much of a text is looked through for a line. */
const MAX_BEFORE_LINE = 2_000;

function firstLine(text: string): string | null {
  const lines = text
    .slice(0, MAX_BEFORE_LINE)
    .split("\n")
    .map((line) => line.replace(/\s+/g, " ").trim())
    .filter((line) => line !== "");
  return lines.find((line) => !LONE_TAG.test(line)) ?? lines[0] ?? null;
}
