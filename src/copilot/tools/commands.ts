/** The shell commands that a tool call runs, whole: pipes and all, as the shell gets them. */
import { asArray, asObject, asText, type JsonObject } from "../json-value.ts";

/**
 * `bash`, `powershell`, `write_bash` (Copilot CLI), `run_in_terminal` (VS Code), `Bash` (Claude Code), `shell`, `exec_command`,
 * `local_shell` (Codex), `execute_command`, `run_terminal_cmd` (others).
 */
const SHELL_TOOL =
  /(?:^|_)(?:bash|sh|shell|powershell|pwsh|cmd|terminal|exec|command|commands)(?:_|$)|^(?:exec_command|run_in_terminal|run_terminal_cmd|execute_command|local_shell|write_stdin)$/i;
const COMMAND_FIELDS = ["command", "cmd", "script", "input", "chars"];

export function findCommands(name: string, args: JsonObject, text: string): readonly string[] {
  if (!SHELL_TOOL.test(name)) return [];
  const found = [args, asObject(args["action"])].flatMap((object) => [
    ...COMMAND_FIELDS.flatMap((field) => commandIn(object[field])),
    ...asArray(object["commands"]).flatMap(commandIn),
  ]);
  // A custom tool takes the command as it is.
  return found.length === 0 && !text.trimStart().startsWith("{") && text.trim() !== "" ? [text] : found;
}

/** A text, or a list of words (`["bash", "-lc", "make test"]`), of which the shell's own part says nothing. */
function commandIn(value: unknown): readonly string[] {
  if (typeof value === "string") return value.trim() === "" ? [] : [value];
  const words = asArray(value).map(asText);
  if (words.length === 0) return [];
  const [shell = "", flag = "", ...rest] = words;
  return /(?:^|\/)(?:ba|z|da)?sh$/.test(shell) && /^-[a-z]*c$/.test(flag) && rest.length > 0
    ? [rest.join(" ")]
    : [words.join(" ")];
}
