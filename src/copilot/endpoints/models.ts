/**
 * The model list: `GET /models`. Relayed, with one change: `ws:/responses` is taken out of `supported_endpoints`, because the
 * Copilot CLI opens a WebSocket where it is listed, and falls back to `POST /responses` where it is not.
 */
import { asArray, asObject, isObject } from "../json-value.ts";
import type { Endpoint } from "./endpoint.ts";

export const models: Endpoint = {
  format: "models",
  matches: (method, path) => method === "GET" && (path === "/models" || path === "/v1/models"),
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
