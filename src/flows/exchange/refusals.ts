import type { IncomingMessage, ServerResponse } from "node:http";
import type { CopilotConnection } from "../../model/connection.ts";
import { REQUEST_ID } from "./headers.ts";
import type { ExchangeStart } from "./record.ts";

/** Why a request goes no further. 400 with JSON: the Copilot CLI shows its message, and does not try again. */
export interface Refusal {
  readonly httpStatus: number;
  readonly code: string;
  readonly message: string;
}

export const DATABASE_AWAY: Refusal = {
  httpStatus: 503,
  code: "database_unavailable",
  message: "The gateway cannot reach its database, and sends nothing that it cannot record. Try again in a moment.",
};

export const unknownPath = (start: ExchangeStart): Refusal => ({
  httpStatus: 404,
  code: "not_found",
  message: `The connection ${start.connection} relays no ${start.method} to this path. It relays chat completions, responses, messages and the model list.`,
});

export const sharedReference = (field: string): Refusal => ({
  httpStatus: 400,
  code: "shared_credential",
  message: `\`${field}\` points at something kept by the upstream, where everybody here shares one credential: it could be another person's. Send the conversation itself instead.`,
});

/** An answer that would mislead the client: the gateway's own credential refused, or a page instead of an API's answer. */
export function unusableAnswer(answer: IncomingMessage, connection: CopilotConnection): Refusal | null {
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

export function sendRefusal(response: ServerResponse, id: string, { httpStatus, code, message }: Refusal): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const body = JSON.stringify({ error: { message, code } });
  response.writeHead(httpStatus, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    [REQUEST_ID]: id,
    ...(response.req.readableEnded ? {} : { connection: "close" }),
  });
  response.end(body);
}
