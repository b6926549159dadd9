/** The files that a tool call names. */
import { asArray, asObject, asText, type JsonObject } from "../json-value.ts";
import { PATH_FIELDS } from "../../model/edit-tools.ts";

/** One path: the file of an edit, and whatever else a call names. */
const NAMING_FIELDS = [
  ...PATH_FIELDS,
  "dirPath",
  "directory",
  "dir",
  "old_path",
  "new_path",
  "source",
  "destination",
  "uri",
];
/** Several: `paths`, `files`, `filePaths`, of texts or of objects with one of the fields above. */
const LIST_FIELDS = ["paths", "files", "filePaths", "file_paths", "edits", "replacements", "changes", "resources"];

/** `*** Add File: P`, `*** Update File: P`, `*** Delete File: P`, `*** Move to: P` (the `apply_patch` format). */
const PATCH_FILE = /^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+?)\s*$/gm;
/** `+++ b/P` and `--- a/P` of a unified diff. */
const DIFF_FILE = /^(?:\+\+\+ b|--- a)\/([^\t\r\n]+)/gm;

/** What a field holds could be anything: one line, no address of the web, and no sentence. */
const asPath = (value: unknown): readonly string[] => {
  const text = asText(value).replace(/^file:\/\//, "");
  return text === "" || text.length > 1_000 || /[\n\0]|^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? [] : [text];
};

/** @param text the arguments as they came */
export function findPaths(name: string, args: JsonObject, text: string): readonly string[] {
  const patch = text.includes("*** Begin Patch") ? patchOf(args, text) : "";
  return [
    ...inFields(args),
    ...[...patch.matchAll(PATCH_FILE)].map((match) => match[1] ?? ""),
    ...(PATCH_TOOL.test(name) && patch === "" ? [...patchOf(args, text).matchAll(DIFF_FILE)] : []).map(
      (match) => match[1] ?? "",
    ),
  ];
}

const PATCH_TOOL = /patch|diff/i;

const inFields = (args: JsonObject): readonly string[] => [
  ...NAMING_FIELDS.flatMap((field) => asPath(args[field])),
  ...LIST_FIELDS.flatMap((field) => asArray(args[field])).flatMap((item) =>
    typeof item === "string" ? asPath(item) : NAMING_FIELDS.flatMap((field) => asPath(asObject(item)[field])),
  ),
  ...(typeof args["operation"] === "object" ? asPath(asObject(args["operation"])["path"]) : []),
];

/** A patch is the whole input, or stands in a field of it, or in a shell command. */
const patchOf = (args: JsonObject, text: string): string => {
  const fields = ["input", "patch", "diff", "command", "script", "cmd"].map((field) =>
    Array.isArray(args[field]) ? asArray(args[field]).map(asText).join("\n") : asText(args[field]),
  );
  return fields.find((field) => field !== "") ?? text;
};
