import { describe, expect, test } from "vitest";
import { findToolUses, reachOf } from "../../../src/copilot/tools/find-tool-uses.ts";

const reach = (name: string, args: unknown) => reachOf(name, typeof args === "string" ? args : JSON.stringify(args));
const nothing = { paths: [], commands: [], services: [] };

const PATCH = `*** Begin Patch
*** Add File: src/new.ts
+export {};
*** Update File: src/old.ts
*** Move to: src/moved.ts
@@
-a
+b
*** Delete File: docs/gone.md
*** End Patch`;

describe("files", () => {
  test.each([
    ["create", { path: "/w/a.py", file_text: "see https://not.example/ in the file" }, ["/w/a.py"]],
    ["edit", { path: "/w/a.py", old_str: "a", new_str: "b" }, ["/w/a.py"]],
    ["str_replace_editor", { command: "view", path: "/w" }, ["/w"]],
    ["create_file", { filePath: "/w/b.ts", content: "" }, ["/w/b.ts"]],
    ["replace_string_in_file", { filePath: "/w/b.ts", oldString: "a", newString: "b" }, ["/w/b.ts"]],
    [
      "multi_replace_string_in_file",
      { replacements: [{ filePath: "/a" }, { filePath: "/b" }, { filePath: "/a" }] },
      ["/a", "/b"],
    ],
    ["Write", { file_path: "/w/c.go", content: "x" }, ["/w/c.go"]],
    ["MultiEdit", { file_path: "/w/c.go", edits: [] }, ["/w/c.go"]],
    ["NotebookEdit", { notebook_path: "/w/n.ipynb" }, ["/w/n.ipynb"]],
    ["apply_patch", PATCH, ["src/new.ts", "src/old.ts", "src/moved.ts", "docs/gone.md"]],
    ["apply_patch", { input: PATCH }, ["src/new.ts", "src/old.ts", "src/moved.ts", "docs/gone.md"]],
    ["apply_patch", { type: "update_file", path: "x.rs", diff: "@@" }, ["x.rs"]],
    ["git_apply_diff", { diff: "--- a/one.c\n+++ b/two.c\n@@" }, ["one.c", "two.c"]],
    ["read_many", { paths: ["a", "b\nc", "https://x.example/y"] }, ["a"]],
    ["edit", { path: "" }, []],
  ] as const)("%s %#", (name, args, paths) => {
    expect(reach(name, args).paths).toEqual(paths);
  });
});

describe("commands", () => {
  test.each([
    ["bash", { command: "make test | tail", description: "Run" }, ["make test | tail"]],
    ["powershell", { command: "Get-Item ." }, ["Get-Item ."]],
    ["run_in_terminal", { command: "npm ci", isBackground: false }, ["npm ci"]],
    ["Bash", { command: "ls" }, ["ls"]],
    ["shell", { command: ["bash", "-lc", "cargo build && cargo test"] }, ["cargo build && cargo test"]],
    ["shell", { commands: ["ls", "pwd"] }, ["ls", "pwd"]],
    ["local_shell", { type: "exec", command: ["git", "status"] }, ["git status"]],
    ["exec_command", { cmd: "pwd" }, ["pwd"]],
    ["shell", { action: { commands: ["id"] } }, ["id"]],
    ["exec", "echo as it is", ["echo as it is"]],
    ["view", { command: "view" }, []],
    ["bash", "{}", []],
  ] as const)("%s %#", (name, args, commands) => {
    expect(reach(name, args).commands).toEqual(commands);
  });
});

describe("services", () => {
  test.each([
    [
      "fetch_webpage",
      { urls: ["https://docs.internal/a", "http://10.0.0.7:8080/x"] },
      ["docs.internal", "10.0.0.7:8080"],
    ],
    ["WebFetch", { url: "https://WIKI.example.com/p", prompt: "?" }, ["wiki.example.com"]],
    ["bash", { command: "curl -s https://user:pw@api.internal/v1 | jq ." }, ["api.internal"]],
    [
      "bash",
      { command: "git clone git@git.internal:team/app.git && ssh deploy@prod.internal uptime" },
      ["git.internal", "prod.internal"],
    ],
    ["bash", { command: "psql postgres://app@db.internal:5432/app" }, ["db.internal:5432"]],
    ["bash", { command: "psql -h db.internal -U app" }, ["db.internal"]],
    ["bash", { command: "curl [::1]:80; curl http://[::1]:9200/_cat" }, ["[::1]:9200"]],
    ["mcp__jira__create_issue", { project: "X" }, ["mcp:jira"]],
    ["mcp_github_get_issue", {}, ["mcp:github"]],
    ["github-mcp-server/get_issue", {}, ["mcp:github-mcp-server"]],
    ["read_mcp_resource", { server: "Docs", uri: "docs://page/1" }, ["mcp:docs"]],
    ["view", { path: "/w/https/a" }, []],
    ["edit", { path: "a", new_str: "file:///etc/passwd" }, []],
    ["create", { path: "a", file_text: "see https://not-asked.example/" }, []],
  ] as const)("%s %#", (name, args, services) => {
    expect(reach(name, args).services).toEqual(services);
  });
});

describe("an answer", () => {
  test("each call with its id, name and arguments as they are", () => {
    expect(
      findToolUses([
        { role: "assistant", parts: [{ type: "text", text: "I run" }] },
        { role: "assistant", parts: [{ type: "tool_call", id: "c1", name: "bash", arguments: '{"command":"ls"}' }] },
      ]),
    ).toEqual([{ id: "c1", name: "bash", arguments: '{"command":"ls"}', paths: [], commands: ["ls"], services: [] }]);
  });

  test("arguments that are no JSON, or another one, say nothing and do no harm", () => {
    for (const text of ["", "[]", "null", "5", '{"path":5,"command":{}}', '{"paths":[null,{}]}', "{", "\0"]) {
      expect(reachOf("create", text)).toEqual(nothing);
    }
  });

  test("text made to stall a pattern is read in a moment, and what is found is bounded", () => {
    const long = "a.".repeat(100_000);
    expect(reach("bash", { command: `ssh ${long}` }).services).toEqual([]);
    expect(reach("bash", { command: `curl ${"-x ".repeat(50_000)}` }).commands).toHaveLength(1);
    expect(reach("x", { url: "a://".repeat(2_000) }).services.length).toBeLessThanOrEqual(100);
    expect(reach("x", { paths: Array.from({ length: 5_000 }, (_, index) => `f${index}`) }).paths).toHaveLength(100);
  });
});
