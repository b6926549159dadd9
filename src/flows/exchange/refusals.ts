import type { ServerResponse } from "node:http";
import type { Unrouted } from "../../copilot/routes.ts";
import type { CopilotConnection } from "../../model/connection.ts";
import type { WireFormat } from "../../model/exchange.ts";
import { escapeLine } from "../../model/printable.ts";
import { maskWords } from "../../secrets/mask-words.ts";
import { REQUEST_ID } from "./headers.ts";
import type { Mask } from "./mask-messages.ts";
import type { ExchangeStart } from "./record.ts";
import type { UpstreamAnswer } from "./upstream-answer.ts";

/** Why a request goes no further. 400 with JSON: the Copilot CLI shows its message, and does not try again. */
export interface Refusal {
  readonly httpStatus: number;
  readonly code: string;
  readonly message: string;
  /** When it may be tried again. */
  readonly retryAfterS?: number | undefined;
}

/** Texts name paths, models and tools, which the client has chosen: what it is told ends in its log. */
export const maskRefusal = <R extends Pick<Refusal, "message">>(refusal: R, mask: Mask): R => ({
  ...refusal,
  message: maskWords(refusal.message, (text) => mask(text).text),
});

export const DATABASE_AWAY: Refusal = {
  httpStatus: 503,
  code: "database_unavailable",
  message: "The gateway cannot reach its database, and sends nothing that it cannot record. Try again in a moment.",
};

export function unrouted(
  start: Pick<ExchangeStart, "method" | "path" | "connection">,
  { reason, endpoint }: Unrouted,
): Refusal {
  const what = `${start.method} ${escapeLine(start.path, 100)}`;
  if (reason === "refused") {
    const message = `The connection ${start.connection} does not relay ${what}: its configuration refuses it.`;
    return { httpStatus: 400, code: "path_refused", message };
  }
  const line = `{ path: "${escapeLine(start.path, 100)}", do: relay }`;
  const why = WHY_NAMED[endpoint.format] ?? "it is no inference that this gateway knows";
  const message = `The connection ${start.connection} does not relay ${what}: ${why}. Whoever runs this gateway can let it through with a line of \`paths\`, as in ${line}.`;
  // Clients take a 404 on what is optional to them in their stride.
  return { httpStatus: 404, code: "not_found", message };
}

const WHY_NAMED: Partial<Record<WireFormat, string>> = {
  mcp: "its tools act upstream under the gateway's credential",
  agents: "cloud agents act upstream under the gateway's credential",
};

export const sharedReference = (field: string): Refusal => ({
  httpStatus: 400,
  code: "shared_credential",
  message: `\`${field}\` points at something kept by the upstream, where everybody here shares one credential, and it was not given to you. Send the conversation itself, or begin anew.`,
});

export const refusedTool = (connection: string, name: string): Refusal => ({
  httpStatus: 400,
  code: "tool_refused",
  message: `The connection ${connection} does not relay calls of the MCP tool ${escapeLine(name, 100)}: its name does not say that it only reads. Whoever runs this gateway can list it under \`mcpTools\`.`,
});

/** An answer that would mislead the client: the gateway's own credential refused, or a page instead of an API's answer. */
export function unusableAnswer(
  answer: Pick<UpstreamAnswer, "statusCode" | "headers">,
  connection: CopilotConnection,
): Refusal | null {
  const operator = "Tell whoever runs this gateway.";
  if (answer.statusCode === 401 && connection.credential.kind !== "passthrough") {
    const message = `The upstream of ${connection.name} refused the gateway's own credential. Your token is fine. ${operator}`;
    return { httpStatus: 502, code: "upstream_unauthorized", message };
  }
  if (/^text\/html\b/i.test(answer.headers["content-type"] ?? "")) {
    const message = `The upstream of ${connection.name} answered with a web page instead of an API's answer. ${operator}`;
    return { httpStatus: 502, code: "upstream_misbehaved", message };
  }
  return null;
}

export const stopped = (stop: { readonly reason: string; readonly sessionId: string | null }): Refusal => ({
  httpStatus: 400,
  code: "stopped",
  message: `${stop.sessionId === null ? "You have" : "This session has"} been stopped: ${stop.reason}. Ask whoever runs this gateway.`,
});

export const unmaskableAnswer = (connection: string): Refusal => ({
  httpStatus: 502,
  code: "upstream_misbehaved",
  message: `The upstream of ${connection} answered in a form in which secrets cannot be masked, and answers are masked here. Tell whoever runs this gateway.`,
});

export const brokenOff: Refusal = {
  httpStatus: 502,
  code: "upstream_misbehaved",
  message: "The upstream's answer broke off, or is larger than what can be read whole. Try again.",
};

export const secretsInPrompt = (rules: readonly string[]): Refusal => ({
  httpStatus: 400,
  code: "secret_in_prompt",
  message: `This request holds what looks like a secret (${rules.join(", ")}), and nothing of it was sent. It may be in the prompt, in a file or a command's output that your client added, or in a header: take it out, or start a new conversation.`,
});

export const secretInPath: Refusal = {
  httpStatus: 400,
  code: "secret_in_prompt",
  message:
    "The path of this request holds what looks like a secret, and nothing of it was sent. Take it out of the address.",
};

export function sendRefusal(response: ServerResponse, id: string, refusal: Refusal): void {
  const { httpStatus, code, message, retryAfterS } = refusal;
  if (response.headersSent || response.destroyed) return void response.destroy();
  const body = JSON.stringify({ error: { message, code } });
  response.writeHead(httpStatus, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    [REQUEST_ID]: id,
    ...(retryAfterS === undefined ? {} : { "retry-after": String(retryAfterS) }),
    ...(response.req.readableEnded ? {} : { connection: "close" }),
  });
  response.end(body);
}
