import { describe, expect, test } from "vitest";
import { extractSuggestions } from "../../src/copilot/suggestions.ts";
import type { Message, Part } from "../../src/model/exchange.ts";

const says = (text: string): Message => ({ role: "assistant", parts: [{ type: "text", text }] });
const calls = (name: string, args: unknown): Message => ({
  role: "assistant",
  parts: [{ type: "tool_call", id: "c", name, arguments: typeof args === "string" ? args : JSON.stringify(args) }],
});
const held = (part: Part): Message => ({ role: "user", parts: [part] });
const from = (message: Message, ...request: Message[]) => extractSuggestions([message], request);

describe("fenced blocks", () => {
  test.each([
    ["```ts src/a.ts\nx\n```", "src/a.ts"],
    ["```ts:src/a.ts\nx\n```", "src/a.ts"],
    ['```python title="src/a.py"\nx\n```', "src/a.py"],
    ["Put this into `src/a.ts`:\n\n```ts\nx\n```", "src/a.ts"],
    ["**src/a.ts**\n```ts\nx\n```", "src/a.ts"],
    ["### main.go\n~~~~\nx\n~~~~", "main.go"],
    ["```ts\nx\n```", null],
    ["It changes a.ts and b.ts:\n```ts\nx\n```", null],
    ["See https://example.com/a.html\n```ts\nx\n```", null],
  ])("%j is for %s", (text, path) => {
    expect(from(says(text))).toEqual([{ path, kind: "fence", lines: ["x"] }]);
  });

  test("a first line that names the file", () => {
    expect(from(says("```ts\n// filepath: src/a.ts\nx\n```"))[0]?.path).toBe("src/a.ts");
  });

  test("several blocks, longer fences around shorter ones, one cut off by the end", () => {
    const text = "a.ts\n```ts\none\n```\nthen b.md\n````md\n```\ntwo\n```\n````\n```\nthree";
    expect(from(says(text)).map(({ path, lines }) => [path, lines])).toEqual([
      ["a.ts", ["one"]],
      ["b.md", ["```", "two", "```"]],
      [null, ["three"]],
    ]);
  });

  test("of a diff, the added lines", () => {
    expect(from(says("```diff\n--- a/x\n+++ b/x\n-old\n+new\n ctx\n```"))[0]?.lines).toEqual(["new"]);
  });

  test("text without a block suggests nothing", () => {
    expect(from(says("Use `x = 1` here."))).toEqual([]);
  });
});

describe("edit tools", () => {
  test.each([
    ["create", { path: "/w/a.py", file_text: "one\ntwo\n" }],
    ["edit", { path: "/w/a.py", old_str: "zero", new_str: "one\ntwo" }],
    ["str_replace_editor", { command: "create", path: "/w/a.py", file_text: "one\ntwo" }],
    ["Write", { file_path: "/w/a.py", content: "one\ntwo" }],
    ["MultiEdit", { file_path: "/w/a.py", edits: [{ old_string: "zero", new_string: "one\r\ntwo" }] }],
    ["replace_string_in_file", { filePath: "/w/a.py", oldString: "zero", newString: "one\ntwo" }],
    ["apply_patch", "*** Begin Patch\n*** Update File: /w/a.py\n@@\n ctx\n-zero\n+one\n+two\n*** End Patch"],
    ["apply_patch", { input: "*** Begin Patch\n*** Add File: /w/a.py\n+one\n+two\n*** End Patch" }],
    [
      "exec_command",
      { cmd: `apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: /w/a.py\n+one\n+two\n*** End Patch\nEOF` },
    ],
    ["shell", { command: ["apply_patch", "*** Begin Patch\n*** Add File: /w/a.py\n+one\n+two\n*** End Patch"] }],
    ["bash", { command: "mkdir -p /w && cat > /w/a.py <<'EOF'\none\ntwo\nEOF\npython /w/a.py" }],
    ["bash", { command: "cat <<EOF > /w/a.py\none\ntwo\nEOF" }],
  ])("%s %j", (name, args) => {
    expect(from(calls(name, args))).toEqual([{ path: "/w/a.py", kind: "edit", lines: ["one", "two"] }]);
  });

  test("a patch over several files", () => {
    const patch =
      "*** Begin Patch\n*** Add File: a\n+one\n*** Delete File: b\n*** Update File: c\n*** Move to: d\n+two\n*** End Patch";
    expect(from(calls("apply_patch", patch)).map(({ path, lines }) => [path, lines])).toEqual([
      ["a", ["one"]],
      ["d", ["two"]],
    ]);
  });

  test("tools that only read suggest nothing", () => {
    expect(from(calls("view", { path: "/w/a.py" }))).toEqual([]);
    expect(from(calls("bash", { command: "ls > /dev/null" }))).toEqual([]);
    expect(from(calls("create", "not json"))).toEqual([]);
  });
});

describe("ghost text", () => {
  const offers = (text: string): Message => ({ role: "assistant", parts: [{ type: "completion", text }] });

  test("goes on where the prompt stops, in the file that it names", () => {
    const prompt = held({ type: "text", text: "// Path: src/a.ts\nfunction f() {\n  return" });
    expect(from(offers(" 1;\n}\n"), prompt)).toEqual([
      { path: "src/a.ts", kind: "completion", lines: ["  return 1;", "}"] },
    ]);
    const python = held({ type: "text", text: "# filepath: tools/b.py\n" });
    expect(from(offers("x = 1"), python)).toEqual([{ path: "tools/b.py", kind: "completion", lines: ["x = 1"] }]);
  });

  test("without a path, without a prompt, and what is nothing but echo", () => {
    expect(from(offers("y"), held({ type: "text", text: "let " }))).toEqual([
      { path: null, kind: "completion", lines: ["let y"] },
    ]);
    expect(from(offers("y"))).toEqual([{ path: null, kind: "completion", lines: ["y"] }]);
    expect(from(offers("\n  done();"), held({ type: "text", text: "done();\nx" }))).toEqual([]);
  });
});

describe("echo", () => {
  test("lines that the request held are taken out, whatever their indentation and line numbers", () => {
    const request = [
      held({ type: "tool_result", id: "v", text: "12. def old():\n13.     return 1\n14→    keep()" }),
      held({ type: "text", text: "Please use\n  helper()" }),
    ];
    const edit = { path: "a.py", new_str: "def old():\n    return 1\n    keep()\nhelper()\nfresh()" };
    expect(from(calls("edit", edit), ...request)).toEqual([{ path: "a.py", kind: "edit", lines: ["fresh()"] }]);
  });

  test("so are the lines that the edit itself replaces", () => {
    const edit = { path: "a.py", old_str: "one\ntwo", new_str: "one\nnew\ntwo" };
    expect(from(calls("edit", edit))[0]?.lines).toEqual(["new"]);
  });

  test("what an earlier answer suggested was its suggestion, not this one's", () => {
    const earlier = calls("create", { path: "a.py", file_text: 'say("hi")\nmore()' });
    expect(from(says('```\nsay("hi")\nlast()\n```'), earlier)[0]?.lines).toEqual(["last()"]);
  });

  test("a block that is nothing but echo is no suggestion", () => {
    expect(from(says("```\nhelper()\n\n```"), held({ type: "text", text: "helper()" }))).toEqual([]);
  });
});
