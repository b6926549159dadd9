import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AnswerReader, createAnswerReader, type RecordedAnswer } from "../../src/copilot/answer-reader.ts";
import { type AnswerSink, createAnswerRecorder } from "../../src/copilot/answer-recorder.ts";
import { chatCompletions } from "../../src/copilot/endpoints/chat-completions.ts";
import type { Endpoint } from "../../src/copilot/endpoints/endpoint.ts";
import { messages } from "../../src/copilot/endpoints/messages.ts";
import { responses } from "../../src/copilot/endpoints/responses.ts";

const MAX = 1024 * 1024;

function recorderOf(
  endpoint: Endpoint,
  options: { streamed?: boolean; maxBytes?: number; encoding?: string; slow?: Promise<void> } = {},
) {
  const { streamed = true, maxBytes = MAX, encoding, slow } = options;
  const reader: AnswerReader = createAnswerReader(endpoint.conversation!.assembleAnswer(), streamed);
  let recorded: RecordedAnswer | null = null;
  let batches = 0;
  const sink: AnswerSink = {
    read: async (pieces) => {
      reader.read(pieces);
      batches += 1;
      await slow;
    },
    finish: async (capped) => (recorded = reader.finish(capped)),
  };
  const { endsStream } = endpoint.conversation!;
  const recorder = createAnswerRecorder(sink, { streamed, maxBytes, encoding, endsStream });
  return {
    recorder,
    batches: () => batches,
    finish: async () => {
      await recorder.finish();
      return recorded!;
    },
  };
}

const text = (answer: RecordedAnswer): string =>
  answer.messages
    .flatMap(({ parts }) => parts)
    .map((part) => ("text" in part ? part.text : ""))
    .join("");

const chatEvent = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}`;
const messageEvent = (said: string): string =>
  `event: content_block_delta\ndata: ${JSON.stringify({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: said } })}`;
const responseEvent = (said: string): string =>
  `data: ${JSON.stringify({ type: "response.output_text.delta", output_index: 0, content_index: 0, delta: said })}`;

const MESSAGE_BEGINS =
  'data: {"type":"message_start","message":{}}\n\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}';
const RESPONSE_BEGINS =
  'data: {"type":"response.output_item.added","output_index":0,"item":{"type":"message","role":"assistant","content":[]}}';

/** Words that stand in last events, within what is no last event. */
const WORDS = ["error", "[DONE]", "message_stop", "response.completed", "für 🦊", "\n\n", '"type":"error"', "plain "];

describe.each([
  ["chat-completions", chatCompletions, ": it begins", chatEvent, "data: [DONE]"],
  ["messages", messages, MESSAGE_BEGINS, messageEvent, 'event: message_stop\ndata: {"type":"message_stop"}'],
  ["messages, without names", messages, MESSAGE_BEGINS, messageEvent, 'data: {"type":"message_stop"}'],
  [
    "responses",
    responses,
    RESPONSE_BEGINS,
    responseEvent,
    'event: response.completed\ndata: {"type":"response.completed","response":{"status":"completed"}}',
  ],
] as const)("%s", (_name, endpoint, begins, eventOf, last) => {
  test("the chunk that holds the last event's end is told, and no other, however the stream is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 40 }),
        fc.constantFrom("\n", "\r\n"),
        fc.boolean(),
        async (words, cuts, line, long) => {
          const padded = long ? [...words, "x".repeat(20_000), ...words] : words;
          const events = [begins, ...padded.map(eventOf), last].map((event) => `${event}\n\n`.replaceAll("\n", line));
          const stream = Buffer.from(events.join(""));
          const { recorder, finish } = recorderOf(endpoint);
          const ends: number[] = [];
          let at = 0;
          for (let step = 0; at < stream.length; step += 1) {
            const to = Math.min(stream.length, at + (cuts[step % cuts.length] ?? 1) * (long ? 40 : 1));
            if (await recorder.take(stream.subarray(at, to), step)) ends.push(to);
            at = to;
          }
          // The last event is over with the line feed that ends its empty line, and with the carriage return before it.
          expect(ends.map((end) => stream.length - end <= 1)).toEqual([true]);
          const answer = await finish();
          expect(text(answer)).toBe(padded.join(""));
          expect(answer).toMatchObject({ capped: false });
        },
      ),
      { numRuns: 60 },
    );
  });
});

test("what came is handed over some kilobytes at a time", async () => {
  const { recorder, finish, batches } = recorderOf(chatCompletions);
  const events = Array.from({ length: 1_000 }, (_, at) => `${chatEvent(`word ${at} `)}\n\n`);
  for (const [at, event] of events.entries()) expect(recorder.take(Buffer.from(event), at)).toBe(false);
  const length = events.join("").length;
  expect(batches()).toBe(Math.floor(length / (16 * 1024)));
  const answer = await finish();
  expect(text(answer)).toBe(events.map((_, at) => `word ${at} `).join(""));
  // The 32 words of its first 32 milliseconds.
  expect(answer.timing.at(0)).toEqual({ length: 246, ms: 0 });
  expect(answer.timing.at(-1)).toMatchObject({ length: text(answer).length });
});

test("where reading does not keep up, the upstream waits", async () => {
  let goOn: () => void = () => {};
  const slow = new Promise<void>((resolve) => (goOn = resolve));
  const { recorder } = recorderOf(chatCompletions, { maxBytes: 8 * MAX, slow });
  const chunk = Buffer.from(`${chatEvent("x".repeat(32 * 1024))}\n\n`);
  let taken: boolean | Promise<boolean> = false;
  let count = 0;
  for (; taken === false && count < 1_000; count += 1) taken = recorder.take(chunk, 0);
  expect(count * chunk.length).toBeGreaterThan(MAX);
  expect(count * chunk.length).toBeLessThan(2 * MAX);
  goOn();
  expect(await taken).toBe(false);
  expect(recorder.take(chunk, 0)).toBe(false);
});

test("past the cap nothing is read, what came before it stays, and the record says so", async () => {
  const { recorder, finish } = recorderOf(chatCompletions, { maxBytes: 200 });
  await recorder.take(Buffer.from(`${chatEvent("kept")}\n\n`), 0);
  await recorder.take(Buffer.from(`${chatEvent("x".repeat(200))}\n\n`), 1);
  expect(recorder.take(Buffer.from("data: [DONE]\n\n"), 2)).toBe(false);
  const answer = await finish();
  expect(text(answer)).toBe("kept");
  expect(answer).toMatchObject({ capped: true, outcome: "unfinished" });
});

test("a packed stream is unpacked first; in an encoding that nobody knows, nothing is read", async () => {
  const stream = Buffer.from(`${chatEvent("packed")}\n\ndata: [DONE]\n\n`);
  const packed = recorderOf(chatCompletions, { encoding: "gzip" });
  expect(await packed.recorder.take(gzipSync(stream), 0)).toBe(true);
  expect(text(await packed.finish())).toBe("packed");
  const unknown = recorderOf(chatCompletions, { encoding: "rot13" });
  expect(await unknown.recorder.take(stream, 0)).toBe(false);
  expect(await unknown.finish()).toMatchObject({ messages: [], capped: true });
  const broken = recorderOf(chatCompletions, { encoding: "gzip" });
  expect(await broken.recorder.take(randomBytes(100), 0)).toBe(false);
  expect(await broken.finish()).toMatchObject({ messages: [], capped: true });
});

test("a body that does not stream is read whole at its end", async () => {
  const body = JSON.stringify({ model: "m", choices: [{ message: { role: "assistant", content: "at once" } }] });
  const { recorder, finish } = recorderOf(chatCompletions, { streamed: false });
  for (const half of [body.slice(0, 30), body.slice(30)]) expect(recorder.take(Buffer.from(half), 0)).toBe(false);
  const answer = await finish();
  expect(text(answer)).toBe("at once");
  expect(answer).toMatchObject({ outcome: "finished", timing: [], capped: false });
  const { recorder: other, finish: finishOther } = recorderOf(chatCompletions, { streamed: false });
  await other.take(Buffer.from("<html>"), 0);
  expect(await finishOther()).toMatchObject({ messages: [], outcome: "unfinished", capped: false });
});
