/**
 * Ghost text: what is offered at the cursor goes on where the prompt stops, so that its first line begins with the prompt's last one. Clients
 * name the file in the prompt's first line, as a comment: `// Path: src/a.ts`.
 */
import type { Message } from "../../model/exchange.ts";
import type { FoundBlock } from "../suggestions.ts";

const PATH_LINE = /^\s*(?:\/\/|#|--|;|<!--|\/\*|%|")\s*(?:path|file(?:path|name)?):\s*(\S.*?)\s*(?:-->|\*\/)?\s*$/i;

/** @param request the prompt's messages */
export function findGhostText(text: string, request: readonly Message[]): readonly FoundBlock[] {
  const prompts = request
    .flatMap(({ role, parts }) => (role === "user" ? parts : []))
    .filter((part) => part.type === "text")
    .map((part) => part.text);
  // Of several prompts at once, nothing says which one a choice belongs to.
  const prompt = prompts.length === 1 ? (prompts[0] ?? "") : "";
  const before = prompt.slice(prompt.lastIndexOf("\n") + 1);
  return [
    {
      path: PATH_LINE.exec(prompt.split("\n", 1)[0] ?? "")?.[1] ?? null,
      kind: "completion",
      lines: (before + text).replace(/\r?\n$/, "").split(/\r?\n/),
      echo: [],
    },
  ];
}
