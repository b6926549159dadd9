/**
 * The Model Context Protocol over HTTP: `/mcp` and `/mcp/readonly`, JSON-RPC 2.0 requests in, JSON or a stream of events out; `GET` opens a
 * stream of the server's own messages, `DELETE` ends a session. Relayed only where a line of `paths` says so: its tools act.
 * @see https://modelcontextprotocol.io/specification/2025-06-18/basic/transports (Streamable HTTP)
 */
import { err, ok } from "../../errors.ts";
import type { Message, Part } from "../../model/exchange.ts";
import { asArray, asObject, asText, describeJson, isObject, textOrNull } from "../json-value.ts";
import type { Endpoint } from "./endpoint.ts";
import { opaquePart } from "./message-parts.ts";
import { createPlainAssembler } from "./plain-answer.ts";

const PATH = /^\/mcp(?:\/.+)?$/;

const idOf = (message: Readonly<Record<string, unknown>>): string =>
  typeof message["id"] === "number" ? String(message["id"]) : asText(message["id"]);

function sentPart(value: unknown): Part {
  const message = asObject(value);
  if (message["method"] !== "tools/call") return opaquePart(value, textOrNull(message["method"]) ?? "json-rpc");
  const params = asObject(message["params"]);
  return {
    type: "tool_call",
    id: idOf(message),
    name: asText(params["name"]),
    arguments: describeJson(params["arguments"] ?? {}),
  };
}

/** A `CallToolResult` has a list of `content`; everything else is kept as it is. */
function answeredMessages(value: unknown): readonly Message[] {
  return (Array.isArray(value) ? value : [value]).flatMap((one): readonly Message[] => {
    const message = asObject(one);
    const result = asObject(message["result"]);
    if (!Array.isArray(result["content"])) {
      if (Array.isArray(result["tools"])) {
        return [{ role: "system", parts: [{ type: "tools", text: describeJson(result["tools"]) }] }];
      }
      return Object.keys(message).length === 0 ? [] : [{ role: "tool", parts: [opaquePart(one, "json-rpc")] }];
    }
    const text = result["content"]
      .map((piece) => textOrNull(asObject(piece)["text"]) ?? describeJson(piece))
      .join("\n");
    return [{ role: "tool", parts: [{ type: "tool_result", id: idOf(message), text }] }];
  });
}

/** The names of the tools that a JSON-RPC body calls, a batch included. */
const calledTools = (messages: readonly unknown[]): readonly string[] =>
  messages
    .map(asObject)
    .filter((message) => message["method"] === "tools/call")
    .map((message) => asText(asObject(message["params"])["name"]));

export const mcp: Endpoint = {
  format: "mcp",
  matches: (method, path) => method === "POST" && PATH.test(path),
  access: "named",
  grouping: "process",
  conversation: {
    parseRequest(json) {
      const messages = Array.isArray(json) ? asArray(json) : [json];
      if (messages.length === 0 || !messages.every(isObject)) return err("the body is no JSON-RPC message");
      return ok({
        model: null,
        streamed: null,
        messages: messages.map((message): Message => ({ role: "assistant", parts: [sentPart(message)] })),
        references: [],
        // The answer to `initialize` names the session, in a header.
        keepsIds: true,
        calls: calledTools(messages),
      });
    },
    assembleAnswer: () => createPlainAssembler({ describe: answeredMessages }),
  },
};

/** The server's own stream, and the end of a session: nothing of the client's in them. */
export const mcpStream: Endpoint = {
  format: "mcp",
  matches: (method, path) => (method === "GET" || method === "DELETE") && PATH.test(path),
  access: "named",
  grouping: "process",
};
