import { chatCompletions } from "./chat-completions.ts";
import type { Endpoint } from "./endpoint.ts";
import { messages } from "./messages.ts";
import { models } from "./models.ts";
import { responses } from "./responses.ts";

/** Every wire format that is relayed, in the order in which they are asked. A new one is a file and a line here. */
export const ENDPOINTS: readonly Endpoint[] = [chatCompletions, responses, messages, models];

/** @param path below the connection, beginning with `/`, without the query */
export const findEndpoint = (method: string, path: string): Endpoint | null =>
  ENDPOINTS.find((endpoint) => endpoint.matches(method, path)) ?? null;
