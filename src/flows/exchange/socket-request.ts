/** A message that a client sends over the WebSocket of `/responses`: what it asks, and what it says about itself. */
import type { IncomingHttpHeaders } from "node:http";
import { withoutCredentials } from "../../copilot/endpoints/body-credentials.ts";
import type { ParsedRequest } from "../../copilot/endpoints/endpoint.ts";
import type { Message } from "../../model/exchange.ts";
import { parseResponsesRequest } from "../../copilot/endpoints/responses.ts";
import { unreadMessage } from "../../copilot/endpoints/unread.ts";
import { asObject, asText, describeJson, isObject, type JsonObject, without } from "../../copilot/json-value.ts";
import { parseStrictJson } from "../../copilot/strict-json.ts";
import { err, ok, type Result } from "../../errors.ts";
import { ACCOUNTS, recordHead } from "./headers.ts";

export interface SocketRequest {
  /** The lane that its answer comes in; empty where the client has but one. */
  readonly lane: string;
  readonly json: JsonObject;
  readonly parsed: ParsedRequest;
  /** The handshake's headers, and over them what the message says. */
  readonly headers: IncomingHttpHeaders;
  /** What of that is the message's own. */
  readonly head: readonly Message[];
}

/** `create` asks a model; `control` ends what was asked; anything else could carry words past the record. */
export type SocketMessageKind =
  { readonly kind: "create"; readonly request: SocketRequest } | { readonly kind: "control" };

/** Ends an answer, and carries no words. */
const CONTROLS: ReadonlySet<string> = new Set(["response.cancel", "response.interrupt"]);
const MOST_CONTROL_BYTES = 1_024;

/** What a message says about itself, and the header that says the same on HTTP. */
const FIELD_HEADERS = {
  initiator: "x-initiator",
  agent_task_id: "x-agent-task-id",
  parent_agent_task_id: "x-parent-agent-id",
  interaction_id: "x-interaction-id",
  client_session_id: "x-client-session-id",
} as const;
/** Under the gateway's credential nobody brings one of their own. */
const CREDENTIAL = /^(?:authorization|proxy-authorization|cookie|x-api-key|api-key|sallyport-token)$/i;

export function readSocketMessage(bytes: Buffer, handshake: IncomingHttpHeaders): Result<SocketMessageKind, string> {
  const json = parseStrictJson(bytes);
  if (!json.ok) return err(json.error.replace("the body", "the message"));
  if (!isObject(json.value)) return err("the message is not a JSON object");
  const message = json.value;
  const type = asText(message["type"]);
  if (CONTROLS.has(type) && bytes.length <= MOST_CONTROL_BYTES) return ok({ kind: "control" });
  if (type !== "response.create") return err("its type is none that the gateway can record (response.create)");
  const own = asObject(message["headers"]);
  const credential = Object.keys(own).find((name) => CREDENTIAL.test(name));
  if (credential !== undefined) return err("its headers hold a credential");
  // The handshake is where a connection lets a client choose.
  if (Object.keys(own).some((name) => ACCOUNTS.includes(name.toLowerCase()))) return err("its headers name an account");
  // Flat, or as the Realtime API writes it.
  const body = isObject(message["response"]) ? message["response"] : without(message, ["type", "headers"]);
  const recorded = withoutCredentials(body);
  const parsed = parseResponsesRequest(recorded);
  if (!parsed.ok) return err(parsed.error);
  // All that the upstream gets: also what stands beside the `response` that is read.
  const whole = isObject(message["response"])
    ? withoutCredentials({ ...without(message, ["headers"]), response: recorded })
    : recorded;
  const unread = unreadMessage(whole, parsed.value.messages);
  const said = [
    ...Object.entries(own),
    ...Object.entries(FIELD_HEADERS).map(([field, name]) => [name, message[field]] as const),
  ].filter((entry): entry is [string, string] => typeof entry[1] === "string");
  const headers = { ...handshake, ...Object.fromEntries(said.map(([name, value]) => [name.toLowerCase(), value])) };
  const unsaid = Object.entries(own).filter(([, value]) => typeof value !== "string");
  const head = [...said, ...unsaid.map(([name, value]) => [name, describeJson(value)] as const)];
  return ok({
    kind: "create",
    request: {
      lane: asText(message["stream_id"]),
      json: body,
      parsed: { ...parsed.value, messages: [...parsed.value.messages, ...unread] },
      headers,
      head: recordHead({ query: "", headers: head.map(([name, value]) => [name.toLowerCase(), value]) }, headers),
    },
  });
}
