/** An agent on somebody's machine, as far as the wire shows: it asks, calls tools, sends results, and repeats its history each time. */
import { randomUUID } from "node:crypto";
import type { Script } from "../../fixtures/copilot-upstream/script.ts";
import type { Person, World } from "./world.ts";

export interface AgentOptions {
  readonly model?: string;
  /** Absent: as the Copilot CLI. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly conversation?: string;
  readonly system?: string;
}

export interface Step {
  /** What the person types; absent: the results of the tools that were called last. */
  readonly prompt?: string;
  readonly results?: readonly string[];
  readonly answer: Script;
  /** A sub-agent's own conversation, under the agent's. */
  readonly agent?: { readonly task: string; readonly parent: string };
}

export interface Agent {
  readonly conversation: string;
  /** One exchange by `/chat/completions`. @returns the gateway's status */
  step(step: Step): Promise<number>;
}

interface WireMessage {
  readonly role: string;
  readonly content?: string | null;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly unknown[];
}

const joined = (text: Script["text"]): string => (typeof text === "string" ? text : (text ?? []).join(""));

export function createAgent(world: World, person: Person, options: AgentOptions = {}): Agent {
  const conversation = options.conversation ?? randomUUID();
  const histories = new Map<string, WireMessage[]>();
  let calls = 0;

  return {
    conversation,
    async step({ prompt, results, answer, agent }) {
      const key = agent?.task ?? "";
      const system: WireMessage = {
        role: "system",
        content: options.system ?? "You are a coding agent. Keep to the house's style.",
      };
      const history = histories.get(key) ?? [system];
      histories.set(key, history);
      const asked = history.findLast(({ tool_calls: own }) => own !== undefined)?.tool_calls ?? [];
      for (const [index, content] of (results ?? []).entries()) {
        history.push({ role: "tool", tool_call_id: (asked[index] as { id: string }).id, content });
      }
      if (prompt !== undefined) history.push({ role: "user", content: prompt });
      const toolCalls = (answer.toolCalls ?? []).map((call) => {
        calls += 1;
        return { ...call, id: `call_${conversation.slice(0, 8)}_${calls}` };
      });
      world.copilot.respond({ ...answer, ...(toolCalls.length === 0 ? {} : { toolCalls }) });
      const response = await person.fetch("/copilot/copilot/chat/completions", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(options.headers ?? {
            "user-agent": "copilot/1.0.102 (linux)",
            "copilot-integration-id": "copilot-developer-cli",
            "x-client-session-id": conversation,
          }),
          "x-initiator": prompt === undefined ? "agent" : "user",
          "x-interaction-id": randomUUID(),
          ...(agent === undefined ? {} : { "x-agent-task-id": agent.task, "x-parent-agent-id": agent.parent }),
        },
        body: JSON.stringify({
          model: options.model ?? "gpt-5.4",
          stream: true,
          stream_options: { include_usage: true },
          messages: history,
          tools: [{ type: "function", function: { name: "bash", parameters: { type: "object" } } }],
        }),
      });
      await response.text().catch(() => "");
      history.push({
        role: "assistant",
        content: joined(answer.text) === "" ? null : joined(answer.text),
        ...(toolCalls.length === 0
          ? {}
          : {
              tool_calls: toolCalls.map(({ id, name, arguments: args }) => ({
                id,
                type: "function",
                function: { name, arguments: JSON.stringify(args ?? {}) },
              })),
            }),
      });
      return response.status;
    },
  };
}
