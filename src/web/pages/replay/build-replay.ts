/**
 * A session as it is read: turns of a person, in each the exchanges with the model, in each what was asked and how it was answered;
 * a tool's result stands with its call. Pure. Whatever its texts are, what comes out is bounded: the page links to the rest.
 */
import type { ReplayMessage, SessionExchange } from "../../../store/replay.ts";
import { promptOf } from "./prompt-of.ts";
import { answerBlocks, askedBlocks, createBudget, type FoundResult } from "./replay-blocks.ts";
import type { ReplayExchange, ReplayTurn } from "./replay-model.ts";
import type { ToolCallView } from "./tool-call.ts";

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
