/**
 * A tool call as people read it: an edit as a diff, a command as a line in a terminal, anything else by its arguments. The clients'
 * tools differ in names and fields; what each writes is listed in copilot/suggestions/edits.ts. Pure.
 */
import { diffLines, type ChangedLine } from "./line-diff.ts";
import { EDIT_TOOL, NEW_FIELDS, OLD_FIELDS, PATH_FIELDS } from "../../../model/edit-tools.ts";

export interface FileChange {
  readonly path: string | null;
  /** `create`: a whole new text; `edit`: a part of one replaced. */
  readonly kind: "create" | "edit" | "delete";
  readonly lines: readonly ChangedLine[];
}

export type ToolCallView =
  | { readonly kind: "changes"; readonly files: readonly FileChange[] }
  | { readonly kind: "command"; readonly command: string; readonly purpose: string | null }
  /** `about`: the one argument that says most (a path, a pattern, an address), for the headline. */
  | { readonly kind: "other"; readonly about: string | null; readonly text: string };

const COMMAND_FIELDS = ["command", "cmd", "script"];
const PURPOSE_FIELDS = ["description", "explanation", "goal"];
const ABOUT_FIELDS = [...PATH_FIELDS, "pattern", "query", "url", "prompt", "name", "id"];

type Fields = Readonly<Record<string, unknown>>;

const firstText = (fields: Fields, names: readonly string[]): string | null => {
  for (const name of names) if (typeof fields[name] === "string") return fields[name];
  return null;
};

const linesOf = (text: string): readonly string[] => text.replace(/\r?\n$/, "").split(/\r?\n/);

function parseFields(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;
  } catch {
    return null;
  }
}

/** @param text the call's arguments: JSON, or a custom tool's free-form input */
export function readToolCall(name: string, text: string): ToolCallView {
  const fields = parseFields(text);
  const patch = fields === null ? text : firstText(fields, ["input", "patch", "diff"]);
  if (patch?.includes("*** Begin Patch") === true) {
    const files = readPatch(patch);
    if (files.length > 0) return { kind: "changes", files };
  }
  if (fields === null) return { kind: "other", about: null, text };
  const command = commandOf(fields);
  if (command !== null) return { kind: "command", command, purpose: firstText(fields, PURPOSE_FIELDS) };
  const files = EDIT_TOOL.test(name) ? readEdits(fields) : [];
  if (files.length > 0) return { kind: "changes", files };
  return { kind: "other", about: firstText(fields, ABOUT_FIELDS), text: JSON.stringify(fields, null, 2) };
}

/** `"command": "ls -l"`, or a list of words as the Codex CLI sends it: `["bash", "-lc", "ls -l"]`. */
function commandOf(fields: Fields): string | null {
  const text = firstText(fields, COMMAND_FIELDS);
  // Anthropic's text editor tool has a `command` too, beside the path that it is about.
  if (text !== null) return firstText(fields, PATH_FIELDS) === null ? text : null;
  const words = fields["command"];
  if (!Array.isArray(words) || !words.every((word) => typeof word === "string")) return null;
  const [shell = "", option = "", script] = words as readonly string[];
  return script !== undefined && /(^|\/)(ba|z|da)?sh$/.test(shell) && /^-l?c$/.test(option) ? script : words.join(" ");
}

function readEdits(fields: Fields): readonly FileChange[] {
  const path = firstText(fields, PATH_FIELDS);
  const nested = Array.isArray(fields["edits"]) ? (fields["edits"] as unknown[]) : [];
  const edits = [fields, ...nested.filter((edit): edit is Fields => typeof edit === "object" && edit !== null)];
  return edits.flatMap((edit): readonly FileChange[] => {
    const added = firstText(edit, NEW_FIELDS);
    if (added === null) return [];
    const replaced = firstText(edit, OLD_FIELDS);
    const isInsertion = edit["insert_line"] !== undefined || edit["insert_text"] !== undefined;
    return [
      {
        path: firstText(edit, PATH_FIELDS) ?? path,
        kind: replaced === null && !isInsertion ? "create" : "edit",
        lines: diffLines(replaced === null || replaced === "" ? [] : linesOf(replaced), linesOf(added)),
      },
    ];
  });
}

const FILE = /^\*\*\* (Add|Update|Delete) File: (.+)$/;
const KINDS = { Add: "create", Update: "edit", Delete: "delete" } as const;

/** The patch of the `apply_patch` tool: `*** Update File: P`, then lines that begin with `+`, `-` or a blank. */
function readPatch(patch: string): readonly FileChange[] {
  const files: { path: string; kind: FileChange["kind"]; lines: ChangedLine[] }[] = [];
  for (const line of patch.split(/\r?\n/)) {
    const [, verb, path = ""] = FILE.exec(line) ?? [];
    const current = files.at(-1);
    if (verb !== undefined) files.push({ path: path.trim(), kind: KINDS[verb as keyof typeof KINDS], lines: [] });
    else if (current === undefined || line.startsWith("***")) continue;
    else if (line.startsWith("+")) current.lines.push({ kind: "add", text: line.slice(1) });
    else if (line.startsWith("-")) current.lines.push({ kind: "del", text: line.slice(1) });
    else current.lines.push({ kind: "context", text: line.startsWith(" ") ? line.slice(1) : line });
  }
  return files;
}
