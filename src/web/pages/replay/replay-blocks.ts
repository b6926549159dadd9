/** What was asked and how it was answered, cut to what a page can show. Pure. */
import { takeApart } from "../../../model/prompt.ts";
import type { CutPart, ReplayMessage } from "../../../store/replay.ts";
import type { AnswerBlock, AskedBlock, Placed, ShownText } from "./replay-model.ts";
import { readToolCall } from "./tool-call.ts";

export const MAX_SAID = 20_000;
const MAX_FOLDED = 8_000;
const MAX_ARGUMENTS = 60_000;
/** Characters of one page altogether; what comes after is shown by its beginning. */
const MAX_PAGE = 1_200_000;
const MAX_AFTER = 200;
/** A request may bring thousands of messages that this gateway has not seen before. */
const MAX_BLOCKS = 300;

/** A tool's result, and the exchange that brought it. */
export interface FoundResult {
  readonly part: CutPart;
  readonly exchangeId: string;
}

/** Cuts texts, and all of them together. */
export function createBudget() {
  let left = MAX_PAGE;
  return (part: CutPart, max: number): ShownText => {
    const text = textOf(part);
    const kept = text.slice(0, left > 0 ? max : MAX_AFTER);
    left -= kept.length;
    return { text: kept, length: lengthOf(part) };
  };
}
type Budget = ReturnType<typeof createBudget>;

const isCut = ({ text, length }: ShownText): boolean => text.length < length;

const textOf = (part: CutPart): string => (part.type === "tool_call" ? part.arguments : part.text);

/** A part's share of the answer's characters, as the recorder counts them. */
const lengthOf = (part: CutPart): number => Math.max(part.length ?? 0, textOf(part).length);

export function askedBlocks(
  messages: readonly ReplayMessage[],
  calls: ReadonlySet<string>,
  take: Budget,
): readonly AskedBlock[] {
  const blocks: AskedBlock[] = [];
  for (const { direction, role, parts } of messages) {
    if (direction !== "request") continue;
    for (const part of parts) {
      if (blocks.length >= MAX_BLOCKS) return blocks;
      const block = askedBlock(part, role, calls, take);
      if (block !== null) blocks.push(block);
    }
  }
  return blocks;
}

function askedBlock(part: CutPart, role: string, calls: ReadonlySet<string>, take: Budget): AskedBlock | null {
  switch (part.type) {
    case "text": {
      if (role !== "user")
        return {
          kind: "given",
          label: role === "assistant" ? "An earlier answer" : "Instructions",
          text: take(part, MAX_FOLDED),
        };
      const shown = take(part, MAX_SAID);
      const prompt = takeApart(shown.text);
      // Nothing that a person typed: it stands with what else the client sent.
      if (prompt.text === "" && prompt.context.length > 0) {
        return { kind: "given", label: [...new Set(prompt.context.map(({ name }) => name))].join(", "), text: shown };
      }
      return { kind: "prompt", prompt, length: shown.length, isCut: isCut(shown) };
    }
    case "completion":
      return { kind: "given", label: "Offered earlier", text: take(part, MAX_FOLDED) };
    case "reasoning":
      return { kind: "given", label: "Earlier reasoning", text: take(part, MAX_FOLDED) };
    case "tool_call":
      return { kind: "given", label: `An earlier call of ${part.name}`, text: take(part, MAX_FOLDED) };
    case "tool_result":
      return calls.has(part.id) ? null : { kind: "result", result: take(part, MAX_FOLDED) };
    case "tools":
      return { kind: "given", label: "Tools on offer", text: take(part, MAX_FOLDED) };
    case "opaque": {
      const attached = role === "user" ? ATTACHED[part.kind] : undefined;
      const text = take(part, MAX_FOLDED);
      if (attached !== undefined) return { kind: "attached", label: attached, text };
      return { kind: "given", label: GIVEN[part.kind] ?? part.kind, text };
    }
    default:
      return null;
  }
}

/** By the word of the wire, as a person calls it. */
const ATTACHED: Readonly<Record<string, string>> = {
  image_url: "Picture",
  input_image: "Picture",
  image: "Picture",
  file: "File",
  input_file: "File",
  document: "File",
  input_audio: "Sound",
};
const GIVEN: Readonly<Record<string, string>> = {
  head: "Headers and query",
  parameters: "Parameters",
  unread: "Fields that no documentation names",
  body: "Body",
};

export function answerBlocks(
  messages: readonly ReplayMessage[],
  results: ReadonlyMap<string, FoundResult>,
  take: Budget,
): readonly AnswerBlock[] {
  const blocks: AnswerBlock[] = [];
  let from = 0;
  for (const { direction, parts } of messages) {
    if (direction !== "response") continue;
    for (const part of parts) {
      if (blocks.length >= MAX_BLOCKS) return blocks;
      const placed = { from, to: from + lengthOf(part) };
      from = placed.to;
      blocks.push(answerBlock(part, placed, results, take));
    }
  }
  return blocks;
}

function answerBlock(
  part: CutPart,
  placed: Placed,
  results: ReadonlyMap<string, FoundResult>,
  take: Budget,
): AnswerBlock {
  switch (part.type) {
    case "text":
    case "reasoning":
    case "completion":
      return { ...placed, kind: part.type, text: take(part, part.type === "reasoning" ? MAX_FOLDED : MAX_SAID) };
    case "tool_call": {
      const shown = take(part, MAX_ARGUMENTS);
      const result = results.get(part.id);
      return {
        ...placed,
        kind: "tool",
        name: part.name,
        call: readToolCall(part.name, shown.text),
        isCut: isCut(shown),
        length: shown.length,
        result: result === undefined ? null : { text: take(result.part, MAX_FOLDED), exchangeId: result.exchangeId },
      };
    }
    case "tool_result":
      return { ...placed, kind: "opaque", label: "Tool result", text: take(part, MAX_FOLDED) };
    case "tools":
      return { ...placed, kind: "opaque", label: "Tools", text: take(part, MAX_FOLDED) };
    case "opaque":
    default:
      return { ...placed, kind: "opaque", label: part.kind, text: take(part, MAX_FOLDED) };
  }
}
