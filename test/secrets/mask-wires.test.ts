/** An answer that streams, masked on its way: whatever the events are that a text is cut into, and the chunks that they come in. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createAnswerStreamMask } from "../../src/copilot/answer-masking.ts";
import type { WireFormat } from "../../src/model/exchange.ts";
import { maskJson } from "../../src/secrets/mask-json.ts";
import { maskText } from "../../src/secrets/mask.ts";
import { createMaskStream } from "../../src/secrets/mask-stream.ts";
import { findNeedles, plants } from "../harness/plants.ts";
import { builtin, builtinExamples, fingerprint, pem, secrets } from "./builtin-rules.ts";

type Json = Readonly<Record<string, unknown>>;

/** One kind of delta: how it is written, what of an event it is, and what comes last. */
interface Shape {
  readonly format: WireFormat;
  readonly write: (piece: string) => Json;
  readonly read: (event: Json) => unknown;
  readonly last: Json | "[DONE]";
  /** The text is JSON: the arguments of a call. */
  readonly isJson: boolean;
}

const at = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>((inner, name) => (inner as Record<string | number, unknown> | undefined)?.[name], value);

const chat = (name: string): Shape => ({
  format: "chat-completions",
  write: (piece) => ({ id: "c", choices: [{ index: 0, delta: { [name]: piece }, finish_reason: null }] }),
  read: (event) => at(event, "choices", 0, "delta", name),
  last: { id: "c", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
  isJson: false,
});
const chatCall = (kind: string, name: string): Shape => ({
  format: "chat-completions",
  write: (piece) => ({ choices: [{ index: 0, delta: { tool_calls: [{ index: 1, [kind]: { [name]: piece } }] } }] }),
  read: (event) => at(event, "choices", 0, "delta", "tool_calls", 0, kind, name),
  last: "[DONE]",
  isJson: name === "arguments",
});
const messages = (type: string, name: string): Shape => ({
  format: "messages",
  write: (piece) => ({ type: "content_block_delta", index: 2, delta: { type, [name]: piece } }),
  read: (event) => at(event, "delta", name),
  last: { type: "content_block_stop", index: 2 },
  isJson: name === "partial_json",
});
const responses = (kind: string): Shape => ({
  format: "responses",
  write: (piece) => ({ type: `response.${kind}.delta`, item_id: "i", output_index: 0, content_index: 0, delta: piece }),
  read: (event) => (String(event["type"]).endsWith(".delta") ? event["delta"] : undefined),
  last: { type: "response.output_item.done", output_index: 0, item: {} },
  isJson: kind.endsWith("arguments"),
});

const shapes: Readonly<Record<string, Shape>> = {
  ...Object.fromEntries(
    ["content", "refusal", "reasoning_text", "reasoning_content"].map((name) => [`chat ${name}`, chat(name)]),
  ),
  "chat function.arguments": chatCall("function", "arguments"),
  "chat custom.input": chatCall("custom", "input"),
  "completions text": {
    format: "completions",
    write: (piece) => ({ choices: [{ index: 0, text: piece, finish_reason: null }] }),
    read: (event) => at(event, "choices", 0, "text"),
    last: { choices: [{ index: 0, text: "", finish_reason: "stop" }] },
    isJson: false,
  },
  "messages text": messages("text_delta", "text"),
  "messages thinking": messages("thinking_delta", "thinking"),
  "messages partial_json": messages("input_json_delta", "partial_json"),
  ...Object.fromEntries(
    [
      "output_text",
      "refusal",
      "reasoning_text",
      "reasoning_summary_text",
      "function_call_arguments",
      "mcp_call_arguments",
      "custom_tool_call_input",
      "code_interpreter_call_code",
    ].map((kind) => [`responses ${kind}`, responses(kind)]),
  ),
};

const masks = {
  stream: () => createMaskStream(builtin, fingerprint),
  json: (value: unknown) => maskJson(value, (text) => maskText(text, builtin, fingerprint).text),
};

const encode = (event: Json | "[DONE]"): string => `data: ${event === "[DONE]" ? event : JSON.stringify(event)}\n\n`;

/** @returns what the client gets, and the text that it puts together of it */
function through({ format, write, read, last }: Shape, pieces: readonly string[], cut = (bytes: Buffer) => [bytes]) {
  const mask = createAnswerStreamMask(format, masks, 1_000_000);
  if (mask === null) throw new Error(`${format} does not stream`);
  const sent = Buffer.from([...pieces.map(write), last].map(encode).join(""));
  const bytes = Buffer.concat([...cut(sent).map((chunk) => mask.push(chunk)), mask.end()]).toString();
  const events = bytes.match(/(?<=^data: )\{.*$/gm) ?? [];
  const text = events
    .map((event) => read(JSON.parse(event) as Json))
    .filter((piece) => typeof piece === "string")
    .join("");
  return { bytes, text };
}

const asSaid = ({ isJson }: Shape, text: string): string =>
  isJson ? JSON.stringify({ command: `x ${text} y`, next: 1 }) : `x ${text} y`;
/** What the client is to put together: of arguments, which are JSON, each string is masked by what it means. */
const whole = ({ isJson }: Shape, said: string): string =>
  isJson ? JSON.stringify(masks.json(JSON.parse(said))) : maskText(said, builtin, fingerprint).text;
const units = (text: string): string[] => text.split("");

describe.each(Object.entries(shapes))("%s", (_, shape) => {
  const { awsSecret, ...alone } = secrets;
  test.each([
    ...Object.entries({ ...alone, assigned: `AWS_SECRET_ACCESS_KEY=${awsSecret}` }),
    ["pem", pem(3)] as const,
  ])("%s: cut in two anywhere", (_, secret) => {
    const text = asSaid(shape, secret);
    const expected = whole(shape, text);
    expect(expected).toMatch(/⟦[\w-]+:[0-9a-f]{8}⟧/);
    for (let cut = 0; cut <= text.length; cut++) {
      const { bytes, text: told } = through(shape, [text.slice(0, cut), text.slice(cut)]);
      expect(told).toBe(expected);
      for (const line of secret.split("\n"))
        if (line.length > 30 && !line.includes("=")) expect(bytes).not.toContain(line);
    }
    expect(through(shape, units(text)).text).toBe(expected);
  });
});

test("a secret of every rule, a character an event, in each of the deltas in turn", () => {
  const all = Object.values(shapes);
  const leaks = all.flatMap((shape, turn) =>
    plants(
      builtin,
      null,
      (text) => asSaid(shape, text),
      (at) => at % all.length === turn,
    ).flatMap(({ id, text, needles }) => {
      const { bytes, text: told } = through(shape, units(text));
      expect(told).toBe(whole(shape, text));
      return findNeedles(
        `${bytes}\n${told}`,
        needles.map((needle) => [needle, id] as const),
      );
    }),
  );
  expect(leaks).toEqual([]);
});

test("several texts at once, events and their bytes cut in any way", () => {
  const texts = fc.array(fc.constantFrom(...builtinExamples.slice(0, 400).map(([, text]) => text), "é😀", "\n", " "), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(shapes)),
      texts,
      fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 30 }),
      (shape, parts, pieceLengths, chunkLengths) => {
        const said = asSaid(shape, parts.join(" "));
        const split = <T extends { readonly length: number; slice(from: number, to?: number): T }>(
          value: T,
          lengths: readonly number[],
        ): T[] => {
          const pieces: T[] = [];
          let from = 0;
          for (const length of lengths) {
            if (from >= value.length) break;
            pieces.push(value.slice(from, from + length));
            from += length;
          }
          return [...pieces, value.slice(from)];
        };
        // A wire's JSON is UTF-8: half of a character cannot be sent.
        const pieces = split(said, pieceLengths).filter((piece) => piece.isWellFormed());
        fc.pre(pieces.join("") === said);
        const { text } = through(shape, pieces, (bytes) => split(bytes as Buffer<ArrayBuffer>, chunkLengths));
        expect(text).toBe(whole(shape, said));
      },
    ),
    { numRuns: 300 },
  );
});

test("what stands around the texts is masked event by event", () => {
  const key = secrets.awsKey;
  const shape = chatCall("function", "arguments");
  const event = {
    id: key,
    model: `m ${key}`,
    choices: [
      {
        index: 0,
        content_filter_results: { note: key },
        delta: { role: "assistant", tool_calls: [{ index: 0, id: key, function: { name: key, arguments: "{}" } }] },
      },
    ],
  };
  expect(through({ ...shape, write: () => event }, ["x"]).bytes).not.toContain(key);
});

test("a private key without an end is held in no memory: what is held is bounded, and nothing of it is told", () => {
  const line = `${"A1b2C3d4".repeat(8)}\n`;
  const stream = createMaskStream(builtin, fingerprint);
  let told = stream.push(`before ${pem(2).split("-----END")[0] ?? ""}`);
  const before = process.memoryUsage().heapUsed;
  for (let sent = 0; sent < 64 * 1024 * 1024; sent += line.length * 256) told += stream.push(line.repeat(256));
  told += stream.end();
  expect(told).toMatch(/^before ⟦private-key:[0-9a-f]{8}⟧$/);
  // 64 MiB went in. What is not collected yet counts as well.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(48 * 1024 * 1024);
});
