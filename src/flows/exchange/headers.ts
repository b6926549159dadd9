/** Which headers go where. The gateway's own credentials never leave it, and the upstream's never reach a client. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { CopilotConnection } from "../../model/connection.ts";
import { HOP_BY_HOP } from "../../model/hop-by-hop.ts";
import { type RequestHeaders, readClientHints } from "../../copilot/sessions.ts";
import { headMessage, type RequestHead } from "../../copilot/request-head.ts";
import { READABLE_ENCODINGS } from "../../copilot/streams/decode-body.ts";
import type { Message } from "../../model/exchange.ts";

/** Answered by this server itself (RFC 9110, section 10.1.1). */
const OURS = "expect";
/** Where a gateway token may stand. `x-api-key` is Anthropic's place for a key. */
const CREDENTIALS = ["authorization", "cookie", "sallyport-token", "x-api-key", "api-key"];

/**
 * Able to make the upstream serve another path or method than the one that was judged, or to speak as somebody: under a credential
 * that the gateway holds, an upstream would believe them. `referer` is an address of the gateway's, with the token in it where
 * it goes by the path.
 */
const NEVER_SENT = [
  "forwarded",
  "referer",
  "remote-user",
  "x-remote-user",
  "x-real-ip",
  "x-original-url",
  "x-rewrite-url",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
];
/** Choose, among those that a credential may act for, who is billed, and whose files and responses are there. */
export const ACCOUNTS: readonly string[] = ["openai-organization", "openai-project", "x-goog-user-project"];
const NEVER_SENT_PREFIX = /^x-(?:forwarded|original|auth-request)-/;
/** The shape of a gateway token (identity/tokens.ts). Whatever header or parameter a client puts it into, it is not the upstream's to know. */
const GATEWAY_TOKEN = /gho_[0-9A-Za-z]{49}/;

const namesIn = (connection: string | undefined): readonly string[] =>
  (connection ?? "").split(",").map((name) => name.trim().toLowerCase());

export interface UpstreamHeaderOptions {
  readonly connection: CopilotConnection;
  readonly host: string;
  readonly bodyBytes: number | null;
  /** The answer is changed on its way: it has to come as it is. */
  readonly plain?: boolean;
  /** The body goes on as it came, also where it is packed. */
  readonly asItCame?: boolean;
  /** The client's headers that stay here, by name in lower case. */
  readonly withheld?: readonly string[];
}

/** A coding, and how much it is wanted (RFC 9110 §12.5.3 and §12.4.2). */
const WISH = /^([a-z]+)(?:\s*;\s*q=[01](?:\.\d{0,3})?)?$/i;

/** The client's own wish, without the encodings that the recorder cannot undo. */
function readableEncodings(wish: string | string[] | undefined): string {
  const kept = String(wish ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => [...READABLE_ENCODINGS, "identity"].includes(WISH.exec(item)?.[1]?.toLowerCase() ?? ""));
  return kept.length === 0 ? "identity" : kept.join(", ");
}

/** Those of the client's headers that go on. */
function ownHeaders(
  headers: IncomingHttpHeaders,
  { connection: { credential, rules }, asItCame }: Pick<UpstreamHeaderOptions, "connection" | "asItCame">,
): [string, string | string[]][] {
  // Passed through: the person was known by the path or by `Sallyport-Token`, and the rest is the client's own.
  const ours = credential.kind === "passthrough" ? ["sallyport-token"] : CREDENTIALS;
  const isTheirs = credential.kind === "passthrough" || rules.clientAccount === "pass";
  const dropped = new Set([
    ...HOP_BY_HOP,
    OURS,
    ...namesIn(headers.connection),
    ...NEVER_SENT,
    ...ours,
    ...(isTheirs ? [] : ACCOUNTS),
    "host",
    "content-length",
    // A packed request goes on unpacked: what was read is what the upstream reads.
    ...(asItCame === true ? [] : ["content-encoding"]),
    "accept-encoding",
  ]);
  return Object.entries(headers).filter(
    (pair): pair is [string, string | string[]] =>
      pair[1] !== undefined &&
      !dropped.has(pair[0]) &&
      !NEVER_SENT_PREFIX.test(pair[0]) &&
      !GATEWAY_TOKEN.test(String(pair[1])),
  );
}

/** The query without the parameters that hold a gateway token, the others to the letter. */
function withoutTokens(query: string): string {
  const holds = (pairs: string): boolean =>
    [...new URLSearchParams(pairs)].some((pair) => pair.some((text) => GATEWAY_TOKEN.test(text)));
  if (!holds(query)) return query;
  const kept = query
    .slice(1)
    .split("&")
    .filter((pair) => !holds(pair));
  return kept.length === 0 ? "" : `?${kept.join("&")}`;
}

/** What the upstream hears beside the body. */
export const readHead = (headers: IncomingHttpHeaders, query: string, connection: CopilotConnection): RequestHead => ({
  query: withoutTokens(query),
  headers: ownHeaders(headers, { connection }).map(([name, value]) => [name, String(value)]),
});

/** As many characters of `User-Agent` stand in a column of their own. */
const KEPT_AGENT = 300;

/** What is on record of a head: all of it but what has its own columns there. */
export function recordHead(head: RequestHead, headers: RequestHeaders): readonly Message[] {
  const { interaction, agentTask, parentAgent, initiator, conversation } = readClientHints(headers);
  const agent = headers["user-agent"];
  const kept = [interaction, agentTask, parentAgent, initiator, conversation];
  if (typeof agent === "string" && agent.length <= KEPT_AGENT) kept.push(agent);
  return headMessage(head, new Set(kept.filter((value) => value !== null)));
}

export function upstreamHeaders(headers: IncomingHttpHeaders, options: UpstreamHeaderOptions): OutgoingHttpHeaders {
  const { credential } = options.connection;
  const outgoing: OutgoingHttpHeaders = { host: options.host };
  for (const [name, value] of ownHeaders(headers, options)) {
    if (options.withheld?.includes(name) !== true) outgoing[name] = value;
  }
  outgoing["accept-encoding"] = options.plain === true ? "identity" : readableEncodings(headers["accept-encoding"]);
  if (options.bodyBytes !== null) outgoing["content-length"] = options.bodyBytes;
  if (credential.kind === "bearer") outgoing["authorization"] = `Bearer ${credential.token}`;
  if (credential.kind === "header") outgoing[credential.name] = credential.value;
  if (credential.kind === "basic") {
    const pair = Buffer.from(`${credential.username}:${credential.password}`).toString("base64");
    outgoing["authorization"] = `Basic ${pair}`;
  }
  return outgoing;
}

/** The header in which clients look for the id that they show to people. */
export const REQUEST_ID = "x-github-request-id";

/**
 * The answer's headers as a flat list (name, value, …), in the upstream's own order and spelling.
 * Under a shared credential its cookies stay here: they would hand the credential's session to one person.
 */
export function clientHeaders(
  rawHeaders: readonly string[],
  options: { readonly recordId: string; readonly connection: CopilotConnection; readonly drop?: readonly string[] },
): string[] {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) pairs.push([rawHeaders[at] ?? "", rawHeaders[at + 1] ?? ""]);
  const named = pairs.filter(([name]) => name.toLowerCase() === "connection").flatMap(([, value]) => namesIn(value));
  const dropped = new Set([
    ...HOP_BY_HOP,
    OURS,
    ...named,
    ...(options.connection.credential.kind === "passthrough" ? [] : ["set-cookie"]),
    ...(options.drop ?? []),
    REQUEST_ID,
  ]);
  const kept = pairs.filter(([name]) => !dropped.has(name.toLowerCase()));
  return [...kept.flat(), REQUEST_ID, options.recordId];
}
