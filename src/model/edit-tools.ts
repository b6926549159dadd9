/**
 * How agents' tools for editing files name themselves and their arguments: those of the Copilot CLI (`path`, `old_str`, `file_text`),
 * VS Code (`filePath`, `oldString`), Claude Code (`file_path`, `old_string`, `notebook_path`) and others. What attribution takes for an edit is what a
 * replay shows as one.
 */
export const EDIT_TOOL = /create|write|edit|replace|insert|patch|update/i;
/** The file. */
export const PATH_FIELDS = [
  "path",
  "file_path",
  "filePath",
  "filename",
  "fileName",
  "file",
  "target_file",
  "targetFile",
  "notebook_path",
] as const;
/** What stands there afterwards; the first that is a text. */
export const NEW_FIELDS = [
  "file_text",
  "content",
  "contents",
  "new_str",
  "new_string",
  "newString",
  "new_text",
  "insert_text",
  "insert_line_text",
  "code",
  "text",
] as const;
/** What stood there before. */
export const OLD_FIELDS = ["old_str", "old_string", "oldString", "old_text"] as const;
