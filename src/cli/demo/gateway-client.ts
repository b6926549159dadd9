/** What a script or a Copilot client of one person says to the gateway. */
import { request } from "node:http";
import { asArray, asObject, asText, parseObject } from "../../copilot/json-value.ts";
import { SseParser } from "../../copilot/streams/sse.ts";
import { StoryError } from "./story-error.ts";

export interface GatewayClient {
  /** @throws StoryError when the answer is not 200 */
  get<T>(target: string): Promise<T>;
  post(target: string, body: unknown): Promise<{ readonly status: number; readonly text: string }>;
  /** `POST <target>` as the Copilot CLI sends it. @returns the answer's text, put together */
  ask(question: Question): Promise<string>;
}

export interface Question {
  /** e.g. `/copilot/copilot/chat/completions` */
  readonly target: string;
  /** The client's own id of the conversation. */
  readonly conversation: string;
  readonly model: string;
  readonly prompt: string;
  /** Called with each piece of the answer as it streams in. */
  readonly onText: (text: string) => void;
}

export function createGatewayClient(address: string, token: string, signal: AbortSignal): GatewayClient {
  const authorization = `Bearer ${token}`;

  const call = (target: string, init: RequestInit): Promise<Response> =>
    fetch(address + target, { ...init, signal, headers: { authorization, "content-type": "application/json" } });

  return {
    get: async <T>(target: string) => {
      const response = await call(target, {});
      const text = await response.text();
      if (response.status !== 200) throw new StoryError(`200 from GET ${target}`, `${response.status}: ${text}`);
      return JSON.parse(text) as T;
    },
    post: async (target, body) => {
      const response = await call(target, { method: "POST", body: JSON.stringify(body) });
      return { status: response.status, text: await response.text() };
    },
    ask: ({ target, conversation, model, prompt, onText }) =>
      new Promise((resolve, reject) => {
        const body = JSON.stringify({ model, stream: true, messages: [{ role: "user", content: prompt }] });
        const headers = {
          authorization,
          "content-type": "application/json",
          accept: "text/event-stream",
          "user-agent": "copilot/1.0.102",
          "copilot-integration-id": "copilot-developer-cli",
          "openai-intent": "conversation-agent",
          "x-client-session-id": conversation,
          "x-initiator": "user",
        };
        const sent = request(address + target, { method: "POST", headers, signal, agent: false }, (response) => {
          const events = new SseParser();
          let answer = "";
          response.on("data", (bytes: Buffer) => {
            if (response.statusCode !== 200) answer += bytes.toString("utf8");
            else
              for (const { data } of events.push(bytes)) {
                const text = textOf(data);
                answer += text;
                if (text !== "") onText(text);
              }
          });
          response.once("error", reject);
          response.once("end", () => {
            if (response.statusCode === 200) resolve(answer);
            else
              reject(
                new StoryError("a streamed answer from Copilot", `${response.statusCode ?? "no status"}: ${answer}`),
              );
          });
        });
        sent.once("error", reject);
        sent.end(body);
      }),
  };
}

/** The text in a chunk of a streamed chat completion; `[DONE]` has none. */
const textOf = (data: string): string =>
  asText(asObject(asObject(asArray(parseObject(data)["choices"])[0])["delta"])["content"]);
