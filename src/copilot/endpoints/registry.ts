import { chatCompletions } from "./chat-completions.ts";
import { compaction } from "./compaction.ts";
import { completions, ghostText } from "./completions.ts";
import { chunks, embeddings } from "./embeddings.ts";
import type { Endpoint } from "./endpoint.ts";
import { mcp, mcpStream } from "./mcp.ts";
import { messages } from "./messages.ts";
import { modelSession } from "./model-session.ts";
import { models } from "./models.ts";
import { agents, other } from "./other.ts";
import { responses } from "./responses.ts";
import { telemetry } from "./telemetry.ts";
import { messageTokens, responseTokens } from "./tokens.ts";

/** Every wire format, in the order in which they are asked; the last one takes what is left. A new one is a file and a line here. */
export const ENDPOINTS: readonly Endpoint[] = [
  chatCompletions,
  responses,
  messages,
  ghostText,
  completions,
  embeddings,
  chunks,
  messageTokens,
  responseTokens,
  compaction,
  modelSession,
  models,
  mcp,
  mcpStream,
  agents,
  telemetry,
  other,
];

/** @param path below the connection, beginning with `/`, without the query */
export const findEndpoint = (method: string, path: string): Endpoint =>
  ENDPOINTS.find((endpoint) => endpoint.matches(method, path)) ?? other;
