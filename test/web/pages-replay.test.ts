/** What the replay is made of: pure functions over what is on record. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Part } from "../../src/model/exchange.ts";
import { splitPrompt, takeApart } from "../../src/model/prompt.ts";
import type { ReplayMessage, SessionExchange } from "../../src/store/replay.ts";
import { buildReplay, textsOfReplay } from "../../src/web/pages/replay/build-replay.ts";
import { diffLines } from "../../src/web/pages/replay/line-diff.ts";
import { promptOf } from "../../src/web/pages/replay/prompt-of.ts";
import { splitFences } from "../../src/web/pages/replay/text-blocks.ts";
import { buildTimeline } from "../../src/web/pages/replay/timeline.ts";
import { readToolCall } from "../../src/web/pages/replay/tool-call.ts";

describe("a diff of lines", () => {
  const signs = (before: string, after: string): string =>
    diffLines(before.split(""), after.split(""))
      .map(({ kind, text }) => ({ add: "+", del: "-", context: "" })[kind] + text)
      .join(" ");

  it("leaves what both have, and shows the rest as taken away and added", () => {
    expect(signs("abcd", "abcd")).toBe("a b c d");
    expect(signs("abcd", "acxd")).toBe("a -b c +x d");
    expect(signs("", "ab")).toBe("+a +b");
    expect(signs("ab", "")).toBe("-a -b");
    expect(signs("aXbYc", "abc")).toBe("a -X b -Y c");
  });

  it("gives both texts back, whatever they are", () => {
    const lines = fc.array(fc.constantFrom("a", "b", "c", ""), { maxLength: 30 });
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const changes = diffLines(before, after);
        const without = (kind: string) => changes.filter((line) => line.kind !== kind).map(({ text }) => text);
        expect(without("add")).toEqual(before);
        expect(without("del")).toEqual(after);
      }),
    );
  });

  it("gives up on the middle of very long texts instead of on the page", () => {
    const many = (mark: string) => Array.from({ length: 3_000 }, (_, index) => `${mark}${index}`);
    const changes = diffLines(["same", ...many("a"), "end"], ["same", ...many("b"), "end"]);
    expect(changes).toHaveLength(6_002);
    expect(changes[0]).toEqual({ kind: "context", text: "same" });
  });
});

describe("a tool call", () => {
  const linesOf = (name: string, args: unknown) => {
    const view = readToolCall(name, typeof args === "string" ? args : JSON.stringify(args));
    return view.kind === "changes"
      ? view.files.map(({ path, kind, lines }) => [path, kind, lines.map((line) => line.kind[0] + line.text).join("|")])
      : view;
  };

  it.each([
    ["edit", { path: "a.ts", old_str: "one\ntwo\n", new_str: "one\n2\n" }, [["a.ts", "edit", "cone|dtwo|a2"]]],
    ["Edit", { file_path: "a.ts", old_string: "x", new_string: "y" }, [["a.ts", "edit", "dx|ay"]]],
    ["replace_string_in_file", { filePath: "a.ts", oldString: "x", newString: "" }, [["a.ts", "edit", "dx|a"]]],
    ["create", { path: "b.ts", file_text: "1\n2\n" }, [["b.ts", "create", "a1|a2"]]],
    [
      "str_replace_editor",
      { command: "insert", path: "b.ts", insert_line: 3, insert_text: "n" },
      [["b.ts", "edit", "an"]],
    ],
    [
      "MultiEdit",
      { file_path: "c.ts", edits: [{ old_string: "a", new_string: "b" }, null, { old_string: "c", new_string: "d" }] },
      [
        ["c.ts", "edit", "da|ab"],
        ["c.ts", "edit", "dc|ad"],
      ],
    ],
    [
      "apply_patch",
      "*** Begin Patch\n*** Update File: d.ts\n@@\n keep\n-old\n+new\n*** Delete File: e.ts\n*** End Patch",
      [
        ["d.ts", "edit", "c@@|ckeep|dold|anew"],
        ["e.ts", "delete", ""],
      ],
    ],
  ])("%s is shown as a diff", (name, args, expected) => {
    expect(linesOf(name, args)).toEqual(expected);
  });

  it.each([
    [{ command: "ls -l" }, "ls -l"],
    [{ command: ["bash", "-lc", "ls | wc"] }, "ls | wc"],
    [{ command: ["git", "status"] }, "git status"],
    [{ cmd: "make" }, "make"],
  ])("%j is shown as a command", (args, command) => {
    expect(linesOf("shell", args)).toMatchObject({ kind: "command", command });
  });

  it.each([
    ["grep", '{"pattern":"x"}', "x"],
    ["fetch", '{"url":"https://example.com"}', "https://example.com"],
    ["edit", '{"path":1,"new_str":[]}', null],
    ["edit", '{"path":"a.ts","new_str":"never end', null],
    ["edit", "[]", null],
    ["edit", "null", null],
    ["edit", "", null],
    ["bash", '{"command":["a",1]}', null],
  ])("%s %s is shown by its arguments", (name, args, about) => {
    expect(readToolCall(name, args)).toMatchObject({ kind: "other", about });
  });

  it("is read in some way whatever it is", () => {
    fc.assert(
      fc.property(fc.string(), fc.oneof(fc.string(), fc.json()), (name, args) => {
        expect(["changes", "command", "other"]).toContain(readToolCall(name, args).kind);
      }),
    );
  });
});

describe("what somebody wrote", () => {
  it("has its fenced code apart", () => {
    expect(splitFences("See:\n\n```ts a.ts\nconst a = 1;\n```\nThat.")).toEqual([
      { kind: "prose", text: "See:" },
      { kind: "code", info: "ts a.ts", text: "const a = 1;" },
      { kind: "prose", text: "That." },
    ]);
    expect(splitFences("````\n```\nx\n```\n````")).toEqual([{ kind: "code", info: "", text: "```\nx\n```" }]);
    expect(splitFences("```\nnever closed")).toEqual([{ kind: "code", info: "", text: "never closed" }]);
    expect(splitFences("~~~\na\n```\n~~~")).toEqual([{ kind: "code", info: "", text: "a\n```" }]);
    expect(splitFences("a ```b``` c")).toEqual([{ kind: "prose", text: "a ```b``` c" }]);
    expect(splitFences("")).toEqual([]);
  });

  it("has what the client added apart, and leaves tags that people write", () => {
    expect(splitPrompt("<current_datetime>now</current_datetime>\n\nGo\n<context>\nx\n</context>")).toEqual({
      text: "Go",
      context: [
        { name: "current_datetime", text: "now" },
        { name: "context", text: "x" },
      ],
    });
    for (const text of ["Why does <div>x</div> break?", "<script>alert(1)</script>", "<user_data> is never closed"]) {
      expect(splitPrompt(text)).toEqual({ text, context: [] });
    }
    expect(splitPrompt("<only_tags>all</only_tags>").text).toBe("<only_tags>all</only_tags>");
    expect(takeApart("<only_tags>all</only_tags>")).toEqual({
      text: "",
      context: [{ name: "only_tags", text: "all" }],
    });
    expect(takeApart("# AGENTS.md instructions for /a\n\n<INSTRUCTIONS>\nx\n</INSTRUCTIONS>")).toEqual({
      text: "",
      context: [{ name: "INSTRUCTIONS", text: "x" }],
    });
  });
});

let minutes = 0;
const exchange = (id: string, changes: Partial<SessionExchange> = {}): SessionExchange => {
  minutes += 1;
  const startedAt = new Date(Date.UTC(2026, 0, 1, 0, minutes));
  return {
    id,
    method: "POST",
    path: "/responses",
    model: "m",
    agentTask: null,
    parentAgent: null,
    status: "complete",
    httpStatus: 200,
    error: null,
    startedAt,
    firstByteAt: new Date(startedAt.getTime() + 700),
    finishedAt: new Date(startedAt.getTime() + 5_000),
    inputTokens: 1,
    outputTokens: 1,
    cachedTokens: null,
    timing: [],
    hasPrompt: false,
    ...changes,
  };
};

const message = (exchangeId: string, role: string, parts: readonly Part[]): ReplayMessage => ({
  exchangeId,
  direction: role === "assistant" ? "response" : "request",
  role,
  parts,
});

const text = (value: string): Part => ({ type: "text", text: value });
const ALL = { from: 0, to: 1_000 };

describe("a replay", () => {
  const exchanges = [
    exchange("x1", { hasPrompt: true }),
    exchange("x2", { hasPrompt: true, agentTask: "sub", parentAgent: "main" }),
    exchange("x3"),
    exchange("x4", { hasPrompt: true }),
  ];
  const transcript = [
    message("x1", "system", [text("Be good.")]),
    message("x1", "user", [text("<current_datetime>now</current_datetime>\nFirst thing\nand more")]),
    message("x1", "assistant", [
      text("Looking."),
      { type: "tool_call", id: "c1", name: "bash", arguments: '{"command":"ls"}' },
    ]),
    message("x2", "user", [text("told to the sub-agent")]),
    message("x3", "tool", [{ type: "tool_result", id: "c1", text: "a.ts" }]),
    message("x3", "tool", [{ type: "tool_result", id: "unheard-of", text: "?" }]),
    message("x3", "assistant", [text("One file.")]),
    message("x4", "user", [text("Second thing")]),
  ];

  it("has a turn for each prompt, results with their calls, and sub-agents below", () => {
    const turns = buildReplay(exchanges, transcript, ALL);
    expect(turns.map(({ number, title }) => [number, title])).toEqual([
      [1, "First thing"],
      [2, "Second thing"],
    ]);
    const [first, second, third] = turns[0]?.exchanges ?? [];
    expect(first?.asked.map(({ kind }) => kind)).toEqual(["given", "prompt"]);
    expect(first?.answer).toMatchObject([
      { kind: "text", from: 0, to: 8 },
      {
        kind: "tool",
        from: 8,
        to: 24,
        call: { kind: "command" },
        result: { exchangeId: "x3", text: { text: "a.ts" } },
      },
    ]);
    expect([first?.depth, second?.depth, third?.depth]).toEqual([0, 1, 0]);
    expect(third?.asked).toMatchObject([{ kind: "result", result: { text: "?" } }]);
  });

  it("has what is attached beside the words, and what nobody said apart, each under its name", () => {
    const opaque = (kind: string): Part => ({ type: "opaque", kind, text: "{}" });
    const [turn] = buildReplay(
      exchanges,
      [
        message("x1", "system", [opaque("parameters"), opaque("image_url")]),
        message("x1", "user", [text("What is this?"), opaque("image_url"), opaque("input_file"), opaque("new_thing")]),
      ],
      ALL,
    );
    expect(turn?.exchanges[0]?.asked).toMatchObject([
      { kind: "given", label: "Parameters" },
      { kind: "given", label: "image_url" },
      { kind: "prompt" },
      { kind: "attached", label: "Picture" },
      { kind: "attached", label: "File" },
      { kind: "given", label: "new_thing" },
    ]);
  });

  it("comes in pages, with the same numbers on each", () => {
    const turns = buildReplay(exchanges, transcript, { from: 2, to: 4 });
    expect(turns.map(({ number, exchanges: own }) => [number, own.map((one) => one.number)])).toEqual([
      [1, [3]],
      [2, [4]],
    ]);
  });

  it("does not go round in circles with agents that are their own parents", () => {
    const circle = [
      exchange("a", { agentTask: "1", parentAgent: "2" }),
      exchange("b", { agentTask: "2", parentAgent: "1" }),
      exchange("c", { agentTask: "3", parentAgent: "3" }),
    ];
    const [turn] = buildReplay(circle, [], ALL);
    for (const { depth } of turn?.exchanges ?? []) expect(depth).toBeLessThanOrEqual(4);
    expect(turn?.exchanges).toHaveLength(3);
  });

  it("stays of one size, whatever was said", () => {
    const long = "x".repeat(3_000_000);
    const parts: Part[] = Array.from({ length: 2_000 }, () => text(long.slice(0, 30_000)));
    const turns = buildReplay(
      [exchange("big"), exchange("after")],
      [
        message("big", "user", [text(long)]),
        message("big", "assistant", [text(long), { type: "tool_call", id: "1", name: "edit", arguments: long }]),
        message("after", "assistant", parts),
      ],
      ALL,
    );
    const shown = textsOfReplay(turns).reduce((sum, one) => sum + one.length, 0);
    expect(shown).toBeLessThan(1_500_000);
    expect(turns[0]?.exchanges[0]?.asked).toMatchObject([{ kind: "prompt", length: 3_000_000, isCut: true }]);
  });

  it("tells the prompt behind an exchange by its last user's text", () => {
    expect(promptOf(transcript.filter(({ exchangeId }) => exchangeId === "x1"))).toBe("First thing");
    expect(promptOf([])).toBeNull();
    expect(promptOf([{ role: "user", parts: [{ type: "tool_result", id: "1", text: "x" }] }])).toBeNull();
  });
});

describe("the time of a replay", () => {
  it("is the recorded one, without the long waits", () => {
    const timing = [
      { length: 3, ms: 0 },
      { length: 5, ms: 4_000 },
    ];
    const exchanges = [exchange("t1", { timing }), exchange("t2"), exchange("t3")];
    const transcript = [message("t1", "assistant", [text("Hello")]), message("t2", "assistant", [text("Whole")])];
    const { slots, length } = buildTimeline(buildReplay(exchanges, transcript, ALL));
    expect(slots.get("t1")).toMatchObject({ at: 0, answerAt: 700, end: 4_700 });
    // A minute between them is shown as 1.2 seconds.
    expect(slots.get("t2")).toMatchObject({ at: 5_900, answerAt: 6_600, end: 7_100 });
    expect(slots.get("t3")).toMatchObject({ at: 8_300, end: 9_000 });
    expect(length).toBe(9_000);
  });
});
