import { describe, expect, test } from "vitest";
import type { WireFormat } from "../../../src/model/exchange.ts";
import { createAnswerStreamMask } from "../../../src/copilot/answer-masking.ts";
import { createJsonTextMask } from "../../../src/copilot/answer-masking/json-text-mask.ts";
import { createDetector } from "../../../src/secrets/detector.ts";
import { maskJson } from "../../../src/secrets/mask-json.ts";
import { parseRules } from "../../../src/secrets/rules.ts";
import { createScanner } from "../../../src/secrets/scanner.ts";

const VALUE = "k4Jq9sWz2LmX7vTb";
const parsed = parseRules(
  JSON.stringify({
    rules: [
      {
        id: "named",
        description: "A value under its name, which may stand on the line before",
        severity: "block",
        reference: "https://example.com/",
        keywords: ["vault_pass"],
        regex: 'vault_pass"?:\\s*"?([A-Za-z0-9]{16})\\b',
        examples: { match: [`vault_pass: ${VALUE}`], noMatch: ["vault_pass: x"] },
      },
    ],
  }),
);
if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
const scanner = createScanner(createDetector(parsed.value), Buffer.alloc(32, 3));
const MASK = /⟦named:[0-9a-f]{8}⟧/;
const stream = () => scanner.maskStream();

const masked = (pieces: readonly string[]): string => {
  const mask = createJsonTextMask(stream);
  return pieces.map((piece) => mask.push(piece)).join("") + mask.end();
};
const everySplit = (text: string): readonly (readonly string[])[] => [
  [text],
  Array.from({ length: text.length }, (_, at) => text.slice(at, at + 1)),
  ...Array.from({ length: text.length }, (_, at) => [text.slice(0, at), text.slice(at)]),
];

const ARGUMENTS = {
  "a name on the line before": JSON.stringify({
    path: "a.yml",
    content: `app:\n  vault_pass:\n    ${VALUE}\n  ü: "\\"\n`,
  }),
  "a name on the line before, in escapes": String.raw`{"content":"vault\u005fpass:\r\n\t\u006b${VALUE.slice(1)}","n":1.50}`,
  "two literals": `{"vault_pass": "${VALUE}", "other": [true, null, -1e5]}`,
  "a literal by itself": JSON.stringify(`vault_pass:\n${VALUE}`),
};

describe.each(Object.entries(ARGUMENTS))("%s", (_what, text) => {
  test("is masked however it is cut, as the whole is, and is still JSON", () => {
    const wanted = maskJson(JSON.parse(text), (one) => scanner.mask(one).text);
    expect(JSON.stringify(wanted)).toMatch(MASK);
    for (const pieces of everySplit(text)) {
      const told = masked(pieces);
      expect(told).not.toContain(VALUE.slice(1));
      expect(JSON.parse(told)).toEqual(wanted);
    }
  });
});

describe("without a secret", () => {
  test.each([
    '{"path":"a","n":[1,2.50,-3e7,true,null],"content":"line\\n\\ttabs \\"quoted\\" \\\\ ü"}',
    "{}",
    '  {"a":{"b":[]}}\n',
    '*** Begin Patch\n+const a = "\\d";\n*** End Patch',
    '{"regex":"\\d+", "raw":"a\nb"}',
    '{"cut":"\\u00',
    "",
    "  ",
  ])("the very text comes out: %j", (text) => {
    for (const pieces of everySplit(text)) expect(masked(pieces)).toBe(text);
  });

  test("other spellings of the same come out as the same, halves of a character too", () => {
    const text = String.raw`{"a":"\u00e9\/\ud83e\udd14\ud800"}`;
    for (const pieces of everySplit(text)) expect(JSON.parse(masked(pieces))).toEqual(JSON.parse(text));
  });
});

test("what is no JSON any more is masked as it stands", () => {
  const text = `{"regex":"\\d", "x": "vault_pass: ${VALUE}`;
  for (const pieces of everySplit(text)) expect(masked(pieces)).toMatch(/^\{"regex":"\\d", "x": "vault_pass: ⟦named/);
});

describe("on each wire, with the arguments cut at every place", () => {
  const [text] = Object.values(ARGUMENTS);
  const sse = (event: object): string => `data: ${JSON.stringify(event)}\n\n`;
  const WIRES: Readonly<
    Record<string, { readonly delta: (piece: string) => object; readonly end: object; readonly field: RegExp }>
  > = {
    "chat-completions": {
      delta: (piece: string) => ({
        choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: piece } }] } }],
      }),
      end: { choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }] },
      field: /"arguments":("(?:[^"\\]|\\.)*")/g,
    },
    messages: {
      delta: (piece: string) => ({
        type: "content_block_delta",
        index: 1,
        delta: { type: "input_json_delta", partial_json: piece },
      }),
      end: { type: "content_block_stop", index: 1 },
      field: /"partial_json":("(?:[^"\\]|\\.)*")/g,
    },
    responses: {
      delta: (piece: string) => ({
        type: "response.function_call_arguments.delta",
        item_id: "i",
        output_index: 0,
        delta: piece,
      }),
      end: { type: "response.output_item.done", output_index: 0, item: { type: "function_call" } },
      field: /"delta":("(?:[^"\\]|\\.)*")/g,
    },
  };

  test.each(Object.entries(WIRES))("%s", (format, { delta, end, field }) => {
    const masks = { stream, json: (value: unknown) => maskJson(value, (one) => scanner.mask(one).text) };
    for (const pieces of everySplit(text ?? "")) {
      const mask = createAnswerStreamMask(format as WireFormat, masks, 1_000_000);
      const events = [...pieces.map(delta), end].map((event) => mask?.push(Buffer.from(sse(event))).toString() ?? "");
      const told = events.join("") + (mask?.end().toString() ?? "");
      const args = [...told.matchAll(field)].map(([, piece = '""']) => JSON.parse(piece) as string).join("");
      expect(told).not.toContain(VALUE);
      expect((JSON.parse(args) as { content: string }).content).toMatch(MASK);
    }
  });

  test("the older function_call, and what is spoken, are masked over their cuts as well", () => {
    const masks = { stream, json: (value: unknown) => maskJson(value, (one) => scanner.mask(one).text) };
    for (const pieces of everySplit(text ?? "")) {
      const mask = createAnswerStreamMask("chat-completions", masks, 1_000_000);
      const events = pieces.flatMap((piece) => [
        { choices: [{ index: 0, delta: { function_call: { arguments: piece } } }] },
        { choices: [{ index: 0, delta: { audio: { transcript: piece } } }] },
      ]);
      const end = { choices: [{ index: 0, delta: {}, finish_reason: "function_call" }] };
      const told = [...events, end].map((event) => mask?.push(Buffer.from(sse(event))).toString() ?? "").join("");
      const args = [...told.matchAll(/"arguments":("(?:[^"\\]|\\.)*")/g)].map(
        ([, one = '""']) => JSON.parse(one) as string,
      );
      expect((JSON.parse(args.join("")) as { content: string }).content).toMatch(MASK);
      expect(told).toContain('"transcript"');
    }
  });
});
