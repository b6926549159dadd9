/**
 * What edit tools write. The clients' tools differ in names and fields, but each has a path and the new text:
 * Copilot CLI `create {path, file_text}`, `edit {path, old_str, new_str}`, `apply_patch` (free-form);
 * VS Code `create_file {filePath, content}`, `replace_string_in_file {filePath, oldString, newString}`, `insert_edit_into_file`;
 * Claude Code `Write {file_path, content}`, `Edit {file_path, old_string, new_string}`, `MultiEdit {file_path, edits: […]}`.
 */
import { asArray, asObject, asText, type JsonObject, parseObject } from "../json-value.ts";
import type { FoundBlock } from "../suggestions.ts";
import { findPatches } from "./patch.ts";
import { EDIT_TOOL, NEW_FIELDS, OLD_FIELDS, PATH_FIELDS } from "../../model/edit-tools.ts";

const SHELL_TOOL = /^(?:bash|shell|sh|run_in_terminal|local_shell|exec_command|powershell)$/i;
const PATCH_START = "*** Begin Patch";
const PATCH_FIELDS = ["input", "patch", "diff"];
const COMMAND_FIELDS = ["command", "script", "cmd"];

const firstText = (object: JsonObject, fields: readonly string[]): string | null => {
  const field = fields.find((name) => typeof object[name] === "string");
  return field === undefined ? null : (object[field] as string);
};

const linesOf = (text: string): readonly string[] => text.replace(/\r?\n$/, "").split(/\r?\n/);

/** `cat > path <<'EOF'` … `EOF`, and the same through `tee`. */
const HEREDOC =
  /(?:>>?\s*|tee\s+(?:-a\s+)?)(["']?)([^\s"'<>|;&]+)\1[^\n]*?<<-?\s*(["']?)(\w+)\3[^\n]*\n([^]*?)\n\s*\4(?=\s|$)/g;
const HEREDOC_FIRST = /<<-?\s*(["']?)(\w+)\1\s*>>?\s*(["']?)([^\s"'<>|;&]+)\3[^\n]*\n([^]*?)\n\s*\2(?=\s|$)/g;

function heredocs(command: string): readonly FoundBlock[] {
  const after = [...command.matchAll(HEREDOC)].map((match) => ({ path: match[2], body: match[5] }));
  const before = [...command.matchAll(HEREDOC_FIRST)].map((match) => ({ path: match[4], body: match[5] }));
  return [...after, ...before].map(({ path, body }) => ({
    path: path ?? null,
    kind: "edit",
    lines: linesOf(body ?? ""),
    echo: [],
  }));
}

/** @param text the call's arguments: JSON, or a custom tool's free-form input */
export function findEdits(name: string, text: string): readonly FoundBlock[] {
  if (text.includes(PATCH_START)) return findPatches(patchText(text));
  const call = parseObject(text);
  if (SHELL_TOOL.test(name)) return heredocs(firstText(call, COMMAND_FIELDS) ?? "");
  if (!EDIT_TOOL.test(name)) return [];
  const path = firstText(call, PATH_FIELDS);
  const edits = asArray(call["edits"]).map(asObject);
  return [call, ...edits].flatMap((edit) => {
    const added = firstText(edit, NEW_FIELDS);
    if (added === null) return [];
    const replaced = firstText(edit, OLD_FIELDS);
    return [
      {
        path: firstText(edit, PATH_FIELDS) ?? path,
        kind: "edit",
        lines: linesOf(added),
        echo: replaced === null ? [] : linesOf(replaced),
      },
    ];
  });
}

/** A patch comes as it is, or in a field of JSON arguments; Codex's stands in a shell command, as text or as one of its words. */
function patchText(text: string): string {
  const call = parseObject(text);
  const texts = [...PATCH_FIELDS, ...COMMAND_FIELDS].flatMap((field) => [call[field], ...asArray(call[field])]);
  return texts.map(asText).find((held) => held.includes(PATCH_START)) ?? text;
}
