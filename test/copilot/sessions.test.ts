import { describe, expect, test } from "vitest";
import { readClientHints, readProcessId, sessionKey, sessionTitle, ungroupedKey } from "../../src/copilot/sessions.ts";
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

const keyOf = (headers: Record<string, string>, messages: readonly Message[]) =>
  sessionKey({ hints: readClientHints(headers), processId: readProcessId(headers), messages, key: KEY });

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
  const second = [...first, text("assistant", "Hi"), text("user", "More")];

  test("the client's own conversation id, as it stands: trailers of commits quote it", () => {
    expect(keyOf(CLI, first)).toBe(SESSION);
  });

  test("without one, the conversation's beginning, which every request sends again", () => {
    const key = keyOf(LANGUAGE_SERVER, first);
    expect(key).toMatch(/^history:[0-9a-f]{64}$/);
    expect(keyOf(LANGUAGE_SERVER, second)).toBe(key);
    expect(keyOf({ ...LANGUAGE_SERVER, "x-interaction-id": "turn-2" }, second)).toBe(key);
    expect(keyOf(LANGUAGE_SERVER, [text("system", "It is one."), ...second.slice(1)])).toBe(key);
  });

  test("another beginning, process or client is another session", () => {
    const key = keyOf(LANGUAGE_SERVER, first);
    expect(keyOf(LANGUAGE_SERVER, [text("user", "Good day")])).not.toBe(key);
    expect(keyOf({ ...LANGUAGE_SERVER, "vscode-sessionid": "other" }, first)).not.toBe(key);
    expect(keyOf({ "user-agent": "claude-cli/2.0" }, first)).not.toBe(keyOf({}, first));
  });

  test("the hash is keyed: it does not tell whether a guessed prompt was sent", () => {
    const hints = readClientHints({});
    const other = sessionKey({ hints, processId: null, messages: first, key: Buffer.alloc(32, 2) });
    expect(other).not.toBe(keyOf({}, first));
  });

  test("the CLI with a custom provider names its session's folder in the system prompt", () => {
    const system = text("system", `Session folder: /root/.copilot/session-state/${SESSION}\nBe brief.`);
    expect(keyOf({}, [system, text("user", "Hello")])).toBe(SESSION);
    // Only there: a person may write such a path, too.
    expect(keyOf({}, [text("user", `See /root/.copilot/session-state/${SESSION}`)])).toMatch(/^history:/);
  });

  test("what belongs to no conversation is filed by client", () => {
    expect(ungroupedKey(readClientHints({}))).toBe("none:unknown");
    expect(ungroupedKey(readClientHints(CLI))).toBe(SESSION);
  });
});

describe("titles", () => {
  test("the first line of the first prompt, without the context that clients put before it", () => {
    const prompt = "<current_datetime>2026-11-22T15:12:34Z</current_datetime>\n\nWrite   hello.py\nplease";
    expect(sessionTitle([text("system", "x"), text("user", prompt), text("user", "later")])).toBe("Write hello.py");
  });

  test("long ones are cut, missing ones are null", () => {
    expect(sessionTitle([text("user", "x".repeat(500))])).toHaveLength(120);
    expect(sessionTitle([text("system", "x"), { role: "user", parts: [] }])).toBeNull();
    expect(sessionTitle([text("user", "<only>context</only>")])).toBe("<only>context</only>");
  });
});
