/**
 * `POST /v1/responses/compact`: a conversation in, a shorter one out, nothing kept upstream. Codex asks for it.
 * @see https://platform.openai.com/docs/api-reference/responses/compact
 */
import { asArray, asObject } from "../json-value.ts";
import type { Endpoint } from "./endpoint.ts";
import { createPlainAssembler } from "./plain-answer.ts";
import { parseItems } from "./response-items.ts";
import { parseResponsesRequest } from "./responses.ts";

const PATHS = ["/v1/responses/compact", "/responses/compact"];

export const compaction: Endpoint = {
  format: "compaction",
  matches: (method, path) => method === "POST" && PATHS.includes(path),
  access: "inference",
  grouping: "history",
  conversation: {
    parseRequest: parseResponsesRequest,
    assembleAnswer: () => createPlainAssembler({ describe: (json) => parseItems(asArray(asObject(json)["output"])) }),
  },
};
