/**
 * Lists of models: `GET /models`, one model of it, `GET /embeddings/models`. Where a connection relays no WebSocket, `ws:/responses`
 * is taken out of `supported_endpoints`: the Copilot CLI opens a WebSocket where it is listed, and falls back to `POST /responses`
 * where it is not. No other byte is changed, and none at all where there is nothing to take out.
 */
import { asArray, asObject, isObject } from "../json-value.ts";
import type { Endpoint } from "./endpoint.ts";

const PATH = /^(?:\/v1)?(?:\/embeddings)?\/models(?:\/[^/]+)?$/;
/** `POST /models/session` is another thing; a GET of it is no list. */
const SESSION = "/models/session";

export const models: Endpoint = {
  format: "models",
  matches: (method, path) => method === "GET" && PATH.test(path) && path !== SESSION,
  access: "inference",
  grouping: "none",
  rewrite: (body, websocket) => (websocket === "relay" ? body : withoutWebSockets(body)),
};

const WEBSOCKET = "ws:/responses";

/** The body without WebSocket endpoints; the very same bytes where there are none, or where it is no model list. */
export function withoutWebSockets(body: Buffer): Buffer {
  if (!body.includes(WEBSOCKET)) return body;
  let list: unknown;
  try {
    list = JSON.parse(body.toString("utf8"));
  } catch {
    return body;
  }
  if (!isObject(list)) return body;
  const data = asArray(list["data"]).map((model) => {
    const endpoints = asObject(model)["supported_endpoints"];
    return Array.isArray(endpoints)
      ? { ...asObject(model), supported_endpoints: endpoints.filter((endpoint) => endpoint !== WEBSOCKET) }
      : model;
  });
  return Buffer.from(JSON.stringify({ ...list, data }));
}
