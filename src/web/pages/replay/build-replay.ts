/**
 * A session as it is read: turns of a person, in each the exchanges with the model, in each what was asked and how it was answered;
 * a tool's result stands with its call. Pure. Whatever its texts are, what comes out is bounded: the page links to the rest.
 */
import type { CutPart, ReplayMessage, SessionExchange } from "../../../store/replay.ts";
import { promptOf } from "./prompt-of.ts";
import { takeApart, type Prompt } from "../../../model/prompt.ts";
import { readToolCall, type ToolCallView } from "./tool-call.ts";

/** A text, or its beginning. */
export interface ShownText {
  readonly text: string;
  /** Characters of the whole. */
  readonly length: number;
}

export type AskedBlock =
  | { readonly kind: "prompt"; readonly prompt: Prompt; readonly length: number; readonly isCut: boolean }
  /** A picture or a file beside the words: what it is known by. */
  | { readonly kind: "attached"; readonly label: string; readonly text: ShownText }
  /** What nobody said: instructions, tools on offer, parameters. */
  | { readonly kind: "given"; readonly label: string; readonly text: ShownText }
  /** A result whose call is not on record. */
  | { readonly kind: "result"; readonly result: ShownText };

/** Where a block lies in the answer's characters: the replay shows it as they come. */
interface Placed {
  readonly from: number;
  readonly to: number;
}

export type AnswerBlock = Placed &
  (
    | { readonly kind: "text"; readonly text: ShownText }
    | { readonly kind: "reasoning"; readonly text: ShownText }
    /** Ghost text that was offered at the cursor. */
    | { readonly kind: "completion"; readonly text: ShownText }
    | { readonly kind: "opaque"; readonly label: string; readonly text: ShownText }
    | {
        readonly kind: "tool";
        readonly name: string;
        readonly call: ToolCallView;
        /** The arguments were longer than what is read of them here. */
        readonly isCut: boolean;
        readonly length: number;
        readonly result: ToolResult | null;
      }
  );

export interface ToolResult {
  readonly text: ShownText;
  /** The exchange that brought it to the model. */
  readonly exchangeId: string;
}

export interface ReplayExchange {
  readonly record: SessionExchange;
  /** From 1, over the whole session. */
  readonly number: number;
  /** 0: the agent itself; 1: a sub-agent of it; … */
  readonly depth: number;
  readonly asked: readonly AskedBlock[];
  readonly answer: readonly AnswerBlock[];
  readonly answerLength: number;
}

export interface ReplayTurn {
  /** From 1; 0 for what comes before the first prompt. */
  readonly number: number;
  /** The prompt's first line. */
  readonly title: string | null;
  readonly exchanges: readonly ReplayExchange[];
}

export const MAX_SAID = 20_000;
const MAX_FOLDED = 8_000;
const MAX_ARGUMENTS = 60_000;
/** Characters of one page altogether; what comes after is shown by its beginning. */
const MAX_PAGE = 1_200_000;
const MAX_AFTER = 200;
/** A request may bring thousands of messages that this gateway has not seen before. */
const MAX_BLOCKS = 300;

/** A tool's result, and the exchange that brought it. */
interface FoundResult {
  readonly part: CutPart;
  readonly exchangeId: string;
}

/** Cuts texts, and all of them together. */
function createBudget() {
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

/** How deep each agent stands below the one that the person talks to. */
function agentDepths(exchanges: readonly SessionExchange[]): ReadonlyMap<string, number> {
  const parents = new Map<string, string>();
  for (const { agentTask, parentAgent } of exchanges) {
    if (agentTask !== null && parentAgent !== null) parents.set(agentTask, parentAgent);
  }
  const depths = new Map<string, number>();
  for (const { id, agentTask, parentAgent } of exchanges) {
    let depth = parentAgent === null ? 0 : 1;
    // A client may name whatever it likes as its parent, itself included.
    const passed = new Set([agentTask]);
    for (let task = parentAgent; task !== null && !passed.has(task) && depth > 0 && depth < 4;) {
      passed.add(task);
      task = parents.get(task) ?? null;
      if (task !== null) depth += 1;
    }
    depths.set(id, depth);
  }
  return depths;
}

/**
 * @param exchanges of the whole session, in order
 * @param transcript of those that are shown and of those near them
 * @param page which of the exchanges are shown, by their place in the list: `from` included, `to` not
 */
export function buildReplay(
  exchanges: readonly SessionExchange[],
  transcript: readonly ReplayMessage[],
  page: { readonly from: number; readonly to: number },
): readonly ReplayTurn[] {
  const take = createBudget();
  const depths = agentDepths(exchanges);
  const byExchange = new Map<string, ReplayMessage[]>();
  for (const message of transcript) {
    const list = byExchange.get(message.exchangeId);
    if (list === undefined) byExchange.set(message.exchangeId, [message]);
    else list.push(message);
  }
  const results = new Map<string, FoundResult>();
  const calls = new Set<string>();
  for (const { exchangeId, direction, parts } of transcript) {
    for (const part of parts) {
      if (part.type === "tool_call") calls.add(part.id);
      if (part.type === "tool_result" && direction === "request") results.set(part.id, { part, exchangeId });
    }
  }

  const turns: { number: number; title: string | null; exchanges: ReplayExchange[] }[] = [];
  let turn = 0;
  let title: string | null = null;
  for (const [index, record] of exchanges.entries()) {
    const messages = byExchange.get(record.id) ?? [];
    const depth = depths.get(record.id) ?? 0;
    // What a sub-agent is told is no prompt of the person's.
    if (depth === 0 && record.hasPrompt) {
      turn += 1;
      title = promptOf(messages.filter(({ direction }) => direction === "request"));
    }
    if (index < page.from || index >= page.to) continue;
    if (turns.at(-1)?.number !== turn) turns.push({ number: turn, title, exchanges: [] });
    const answer = answerBlocks(messages, results, take);
    turns.at(-1)?.exchanges.push({
      record,
      number: index + 1,
      depth,
      asked: askedBlocks(messages, calls, take),
      answer,
      answerLength: answer.at(-1)?.to ?? 0,
    });
  }
  return turns;
}

function askedBlocks(
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

function answerBlocks(
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

/** Every text that a page shows, for what has to be looked up about it. */
export function textsOfReplay(turns: readonly ReplayTurn[]): readonly string[] {
  const ofCall = (call: ToolCallView): readonly string[] => {
    if (call.kind === "changes")
      return call.files.flatMap(({ path, lines }) => [path ?? "", ...lines.map(({ text }) => text)]);
    return call.kind === "command" ? [call.command] : [call.text];
  };
  return turns.flatMap(({ exchanges }) =>
    exchanges.flatMap(({ asked, answer }) => [
      ...asked.flatMap((block) =>
        block.kind === "prompt"
          ? [block.prompt.text, ...block.prompt.context.map(({ text }) => text)]
          : [block.kind === "result" ? block.result.text : block.text.text],
      ),
      ...answer.flatMap((block) =>
        block.kind === "tool" ? [...ofCall(block.call), block.result?.text.text ?? ""] : [block.text.text],
      ),
    ]),
  );
}
