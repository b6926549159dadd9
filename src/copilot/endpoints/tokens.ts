/**
 * How many tokens a request would have: `POST /v1/messages/count_tokens` (Anthropic) and `POST /v1/responses/input_tokens` (OpenAI). The
 * request is a whole conversation, so it is kept like one.
 * @see https://docs.anthropic.com/en/api/messages-count-tokens
 */
import { createPlainAssembler } from "./plain-answer.ts";
import type { Endpoint } from "./endpoint.ts";
import { messages } from "./messages.ts";
import { responses } from "./responses.ts";

const assembleAnswer = () => createPlainAssembler({ describe: () => [] });

const countedLike = (endpoint: Endpoint, paths: readonly string[]): Endpoint => ({
  format: "tokens",
  matches: (method, path) => method === "POST" && paths.includes(path),
  access: "inference",
  grouping: "history",
  ...(endpoint.conversation === undefined
    ? {}
    : { conversation: { parseRequest: endpoint.conversation.parseRequest, assembleAnswer } }),
});

export const messageTokens = countedLike(messages, ["/v1/messages/count_tokens", "/messages/count_tokens"]);
export const responseTokens = countedLike(responses, ["/v1/responses/input_tokens", "/responses/input_tokens"]);
