import { describe, expect, test } from "vitest";
import {
  type Continued,
  countPrompts,
  findContinued,
  type Grouping,
  groupingOf,
  historiesAfter,
  readBodyConversation,
  readClientHints,
  readProcessId,
  sessionTitle,
  ungroupedKey,
} from "../../src/copilot/sessions.ts";
import type { Message } from "../../src/model/exchange.ts";

const KEY = Buffer.alloc(32, 1);
const SESSION = "5bc86a02-a597-468d-a676-17550f434bc5";
const text = (role: Message["role"], content: string): Message => ({ role, parts: [{ type: "text", text: content }] });

const CLI = {
  "user-agent": "copilot/1.0.102 (linux v24.20.0) term/unknown client/github/cli",
  "copilot-integration-id": "copilot-developer-cli",
  "x-client-session-id": SESSION,
  "x-interaction-id": "5ff1f056-6244-4323-a69a-e1b917eced31",
  "x-agent-task-id": "8f515664-2f63-42e0-876c-2c659ce67170",
  "x-initiator": "agent",
};
const LANGUAGE_SERVER = {
  "copilot-integration-id": "jetbrains-chat",
  "vscode-sessionid": "0f8fad5b-d9cb-469f-a165-70867728950e1700000000000",
  "x-interaction-id": "turn-1",
};

const group = (headers: Record<string, string>, messages: readonly Message[], body: unknown = {}, key = KEY) =>
  groupingOf({
    hints: readClientHints(headers),
    processId: readProcessId(headers),
    bodyConversation: readBodyConversation(body),
    messages,
    key,
  });

type History = Extract<Grouping, { kind: "history" }>;
const history = (headers: Record<string, string>, messages: readonly Message[], key = KEY): History => {
  const found = group(headers, messages, {}, key);
  if (found.kind !== "history") throw new Error("it has a name");
  return found;
};

/** An exchange on record, as the request and its answer leave it. */
const recorded = (
  sessionId: string,
  asked: History,
  answer: readonly Message[],
  status: Continued["status"] = "complete",
): Continued => {
  const end = asked.histories.at(-1) ?? Buffer.alloc(0);
  return { sessionId, status, history: end, historyAfter: historiesAfter(KEY, end, answer).at(-1) ?? null };
};

describe("client hints", () => {
  test("the Copilot CLI", () => {
    expect(readClientHints(CLI)).toEqual({
      client: "copilot-cli",
      conversation: SESSION,
      interaction: "5ff1f056-6244-4323-a69a-e1b917eced31",
      agentTask: "8f515664-2f63-42e0-876c-2c659ce67170",
      parentAgent: null,
      initiator: "agent",
    });
  });

  test("the language server, VS Code, and strangers", () => {
    expect(readClientHints(LANGUAGE_SERVER)).toMatchObject({ client: "copilot-language-server", conversation: null });
    expect(readClientHints({ "editor-version": "vscode/1.106.0", "vscode-sessionid": "x" }).client).toBe("vscode");
    expect(readClientHints({}).client).toBe("unknown");
  });

  test("ids that do not look like one are dropped", () => {
    for (const id of ["a:b", "a b", "x".repeat(200), "\u001b[2J", "history:1"]) {
      expect(readClientHints({ "x-client-session-id": id }).conversation).toBeNull();
    }
    expect(readClientHints({ "x-client-session-id": ["a", "b"] }).conversation).toBeNull();
  });
});

describe("what groups exchanges", () => {
  const first = [text("system", "It is noon."), text("user", "Hello")];
  const answer = [text("assistant", "Hi")];
  const second = [...first, ...answer, text("user", "More")];
  const start = history(LANGUAGE_SERVER, first);

  test("the client's own conversation id, as it stands: trailers of commits quote it", () => {
    expect(group(CLI, first)).toEqual({ kind: "named", clientKey: SESSION });
    for (const name of ["x-claude-code-session-id", "session_id", "session-id", "conversation_id"]) {
      expect(group({ [name]: SESSION }, first)).toEqual({ kind: "named", clientKey: SESSION });
    }
  });

  test("the body's, where it is one conversation's alone", () => {
    const user = `user_${"0".repeat(64)}_account__session_${SESSION}`;
    for (const body of [
      { metadata: { user_id: user } },
      { metadata: { user_id: JSON.stringify({ device_id: "x", session_id: SESSION }) } },
      { prompt_cache_key: SESSION },
      { prompt_cache_key: `${SESSION}:gpt-5` },
    ]) {
      expect(group({}, first, body)).toEqual({ kind: "named", clientKey: SESSION });
    }
    for (const body of [{ prompt_cache_key: "our-app" }, { metadata: { user_id: "ana" } }, { metadata: null }, null]) {
      expect(group({}, first, body).kind).toBe("history");
    }
  });

  test("without one, a request continues what was said before, whatever the system prompt says now", () => {
    const next = history(LANGUAGE_SERVER, [text("system", "It is one."), ...second.slice(1)]);
    expect(findContinued(next, [recorded("s", start, answer)])?.sessionId).toBe("s");
    // Also where the client sends the answer in another form than it came in.
    const shortened = history(LANGUAGE_SERVER, [...first, text("assistant", "H…"), text("user", "More")]);
    expect(findContinued(shortened, [recorded("s", start, answer)])?.sessionId).toBe("s");
  });

  test("two conversations that begin alike are told apart by their answers", () => {
    const other = [text("assistant", "Good day")];
    const earlier = [recorded("two", start, other), recorded("one", start, answer)];
    expect(findContinued(history(LANGUAGE_SERVER, second), earlier)?.sessionId).toBe("one");
    const next = history(LANGUAGE_SERVER, [...first, ...other, text("user", "More")]);
    expect(findContinued(next, earlier)?.sessionId).toBe("two");
  });

  test("the same first prompt again: a new conversation, unless the first one failed", () => {
    for (const status of ["complete", "open"] as const) {
      expect(findContinued(start, [recorded("s", start, answer, status)])).toBeNull();
    }
    for (const status of ["upstream_failed", "client_gone", "truncated", "refused"] as const) {
      expect(findContinued(start, [recorded("s", start, [], status)])?.sessionId).toBe("s");
    }
    // With an answer in it, the same request again is the same conversation.
    const asked = history(LANGUAGE_SERVER, second);
    expect(findContinued(asked, [recorded("s", asked, answer)])?.sessionId).toBe("s");
  });

  test("the longest common beginning counts, then the latest", () => {
    const asked = history(LANGUAGE_SERVER, second);
    const third = history(LANGUAGE_SERVER, [...second, text("assistant", "Yes"), text("user", "And?")]);
    const earlier = [recorded("short", start, []), recorded("long", asked, []), recorded("late", start, [])];
    expect(findContinued(third, earlier)?.sessionId).toBe("long");
    expect(findContinued(third, [...earlier.slice(0, 1), ...earlier.slice(2)])?.sessionId).toBe("short");
    expect(findContinued(third, [])).toBeNull();
  });

  test("another beginning, process or client is another conversation", () => {
    const earlier = [recorded("s", start, answer)];
    expect(findContinued(history(LANGUAGE_SERVER, [text("user", "Good day"), ...second.slice(2)]), earlier)).toBeNull();
    expect(findContinued(history({ ...LANGUAGE_SERVER, "vscode-sessionid": "other" }, second), earlier)).toBeNull();
    expect(findContinued(history({ "user-agent": "claude-cli/2.0" }, second), earlier)).toBeNull();
  });

  test("how a wire cuts a turn into messages, and what the model thought, count for nothing", () => {
    const call = { type: "tool_call", id: "1", name: "view", arguments: "{}" } as const;
    const whole: Message[] = [{ role: "assistant", parts: [{ type: "text", text: "I look. " }, call] }];
    const cut: Message[] = [
      { role: "assistant", parts: [{ type: "reasoning", text: "Hm." }] },
      text("assistant", "I look."),
      { role: "assistant", parts: [{ ...call, id: "another" }] },
    ];
    const end = start.histories.at(-1) ?? Buffer.alloc(0);
    expect(historiesAfter(KEY, end, cut)).toEqual(historiesAfter(KEY, end, whole));
  });

  test("the hashes are keyed: they do not tell whether a guessed prompt was sent", () => {
    expect(history({}, first, Buffer.alloc(32, 2)).histories).not.toEqual(history({}, first).histories);
  });

  test("the CLI with a custom provider names its session's folder in the system prompt", () => {
    const system = text("system", `Session folder: /root/.copilot/session-state/${SESSION}\nBe brief.`);
    expect(group({}, [system, text("user", "Hello")])).toEqual({ kind: "named", clientKey: SESSION });
    // Only there: a person may write such a path, too.
    expect(group({}, [text("user", `See /root/.copilot/session-state/${SESSION}`)]).kind).toBe("history");
  });

  test("what belongs to no conversation is filed by client", () => {
    expect(ungroupedKey(readClientHints({}))).toBe("none:unknown");
    expect(ungroupedKey(readClientHints(CLI))).toBe(SESSION);
  });

  test("turns are counted by prompts; tool results that travel as the user's are none", () => {
    const result: Message = { role: "user", parts: [{ type: "tool_result", id: "1", text: "ok" }] };
    expect(countPrompts([...second, result])).toBe(2);
    expect(countPrompts([])).toBe(0);
  });
});

describe("titles", () => {
  test("the first line of the first prompt, without the context that clients put before it", () => {
    const prompt = "<current_datetime>2026-11-22T15:12:34Z</current_datetime>\n\nWrite   hello.py\nplease";
    expect(sessionTitle([text("system", "x"), text("user", prompt), text("user", "later")])).toBe("Write hello.py");
  });

  test("what the client alone wrote is none: Codex begins with instructions and environment, Claude Code with reminders", () => {
    const given = (...texts: readonly string[]): Message => ({
      role: "user",
      parts: texts.map((one) => ({ type: "text", text: one })),
    });
    const instructions = "# AGENTS.md instructions for /work/app\n\n<INSTRUCTIONS>\nUse tabs.\n\n</INSTRUCTIONS>";
    const environment = "<environment_context>\n  <cwd>/work/app</cwd>\n</environment_context>";
    expect(sessionTitle([given(instructions, environment), given("Sort this list")])).toBe("Sort this list");
    expect(sessionTitle([given(environment), given("Sort this list")])).toBe("Sort this list");
    expect(sessionTitle([given("<system-reminder>\nSkills\n</system-reminder>", "Sort this list")])).toBe(
      "Sort this list",
    );
    // Claude Code asks for a title of its own first.
    const asksTitle = "<session>\nSort this list\n</session>\n\nWrite the title in the language the user wrote in.";
    expect(sessionTitle([given(asksTitle)])).toBe("Sort this list");
    expect(sessionTitle([given(environment)])).toBe("<cwd>/work/app</cwd>");
    expect(sessionTitle([given("<section>")])).toBe("<section>");
  });

  test("long ones are cut, missing ones are null", () => {
    expect(sessionTitle([text("user", "x".repeat(500))])).toHaveLength(120);
    expect(sessionTitle([text("system", "x"), { role: "user", parts: [] }])).toBeNull();
    expect(sessionTitle([text("user", "<only>context</only>")])).toBe("<only>context</only>");
  });
});
