/**
 * What the tool calls of an answer reach for: files, shell commands, services. Read from each call's arguments, in the names that the clients'
 * tools have (Copilot CLI, VS Code, Claude Code, Codex and OpenAI's own tools); of a tool that nobody knows, by the names of its fields. It
 * is what the call says, not what was done: a command may touch files that it does not name. Pure; give it masked messages.
 */
import { isObject, parseObject } from "../json-value.ts";
import type { Message, ToolUse } from "../../model/exchange.ts";
import { findCommands } from "./commands.ts";
import { findPaths } from "./paths.ts";
import { findServices } from "./services.ts";

/** Arguments past this length are a file's content: what they reach for stands at their beginning. */
const READ_LENGTH = 256 * 1024;
const MOST = 100;

export const findToolUses = (answer: readonly Message[]): readonly ToolUse[] =>
  answer
    .flatMap(({ parts }) => parts)
    .filter((part) => part.type === "tool_call")
    .map(({ id, name, arguments: text }) => ({ id, name, arguments: text, ...reachOf(name, text) }));

/** @param text JSON, or a custom tool's free-form input */
export function reachOf(name: string, text: string): Pick<ToolUse, "paths" | "commands" | "services"> {
  const parsed = parseObject(text);
  const args = isObject(parsed) ? parsed : {};
  const commands = findCommands(name, args, text);
  return {
    paths: some(findPaths(name, args, text.slice(0, READ_LENGTH))),
    commands: some(commands),
    services: some(findServices(name, args, commands)),
  };
}

/** Each once, in the order in which they came. */
const some = (found: readonly string[]): readonly string[] => [...new Set(found)].slice(0, MOST);
