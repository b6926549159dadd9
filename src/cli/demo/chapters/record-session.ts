import { randomUUID } from "node:crypto";
import type { Part } from "../../../model/exchange.ts";
import type { Cast, Telling } from "../cast.ts";
import { ANSWER, MODEL, PLANTED_KEY, PROMPT } from "../script.ts";
import { waitUntil } from "../wait-until.ts";

export interface RecordedSession {
  /** Sallyport's. */
  readonly id: string;
  /** The client's own, which trailers quote. */
  readonly conversation: string;
  readonly exchange: string;
  readonly url: string;
}

interface SessionAnswer {
  readonly id: string;
  readonly user: string;
  readonly client: string;
  readonly url: string;
  readonly transcript: readonly {
    readonly exchange: string;
    readonly role: string;
    readonly parts: readonly Part[];
    readonly model: string | null;
    readonly status: string;
  }[];
}

const TARGET = "/copilot/copilot/chat/completions";
/** Slow enough to be seen streaming. */
const CHUNK_MS = 12;

const textOf = (parts: readonly Part[]): string =>
  parts.map((part) => (part.type === "text" ? part.text : "")).join("");

/** ana asks Copilot; the answer streams; the record is read back. */
export async function recordSession({ stage, narrator, io }: Telling, { ana }: Cast): Promise<RecordedSession> {
  narrator.step("A Copilot session is recorded");
  narrator.say("ana asks Copilot for a function, through the gateway, and pastes more than she should:");
  narrator.request("ana", `POST ${stage.address}${TARGET}`);
  narrator.output(PROMPT);
  narrator.say("", "The answer, as it streams in:", "");

  stage.copilot.respond({ text: ANSWER, chunkMs: CHUNK_MS });
  const conversation = randomUUID();
  const shown = narrator.startOutput("copilot");
  const answer = await ana.client.ask({
    target: TARGET,
    conversation,
    model: MODEL,
    prompt: PROMPT,
    onText: (text) => shown.write(text),
  });
  shown.end();
  narrator.blank();
  narrator.verify("ana has Copilot's whole answer", answer === ANSWER, () => answer);
  const sent = stage.copilot.requests.at(-1);
  narrator.verify(
    "Copilot was sent her own words, under the gateway's credential and not her token",
    sent?.json["stream"] === true &&
      JSON.stringify(sent.json).includes(PLANTED_KEY) &&
      !JSON.stringify(sent.headers).includes(ana.token),
    () => "another request than hers",
  );

  const { items } = await ana.client.get<{ items: readonly { id: string }[] }>("/api/v1/sessions");
  narrator.verify("there is one session on record", items.length === 1, () => `${items.length} sessions`);
  const target = `/api/v1/sessions/${items[0]?.id ?? ""}`;
  // The record is closed after the client has its last byte.
  const session = await waitUntil("the session's record is complete", io.stop, async () => {
    const found = await ana.client.get<SessionAnswer>(target);
    return found.transcript.at(-1)?.role === "assistant" && found.transcript.at(-1)?.status === "complete"
      ? found
      : null;
  });

  narrator.say("", "What the record holds of it, for ana and for auditors:");
  narrator.request("ana", `GET ${target}`);
  narrator.output(`${session.user} with ${session.client}, ${session.transcript[0]?.model ?? "no model"}`, "quiet");
  for (const { role, parts } of session.transcript) {
    const text = textOf(parts);
    if (text === "") continue;
    narrator.output(role, "command");
    narrator.output((role === "assistant" ? shorten(text) : text.trimEnd()).replace(/^/gm, "  "));
  }
  narrator.blank();
  const asked = session.transcript.map(({ parts }) => textOf(parts)).join("\n");
  const mask = /⟦[^⟧]+⟧/.exec(asked)?.[0] ?? "";
  narrator.verify(
    `the key was masked before the first write: ${mask}`,
    mask !== "" && !JSON.stringify(session).includes(PLANTED_KEY),
    () => (mask === "" ? "no mask in the record" : "the key in the record"),
  );
  narrator.verify(
    "the answer is on record word for word",
    textOf(session.transcript.at(-1)?.parts ?? []) === ANSWER,
    () => textOf(session.transcript.at(-1)?.parts ?? []),
  );
  return { id: session.id, conversation, exchange: session.transcript.at(-1)?.exchange ?? "", url: session.url };
}

/** It has just been seen. */
function shorten(text: string): string {
  const lines = text.split("\n");
  return lines.length <= 3 ? text : `${lines[0] ?? ""}\n… ${lines.length - 1} more lines, as above`;
}
