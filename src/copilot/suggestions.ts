/**
 * The lines that an answer suggests: fenced blocks of its text, and what its edit tools write. Echo is taken out: lines that the
 * request already held (a file that the model was shown) are nobody's suggestion. Pure; give it masked messages.
 */
import type { Message, Part, Suggestion } from "../model/exchange.ts";
import { findEdits } from "./suggestions/edits.ts";
import { findFences } from "./suggestions/fences.ts";
import { findGhostText } from "./suggestions/ghost-text.ts";

/** A block as it was found: its lines, and those of its own input that it replaces or repeats. */
export interface FoundBlock {
  readonly path: string | null;
  readonly kind: Suggestion["kind"];
  readonly lines: readonly string[];
  readonly echo: readonly string[];
}

/** Tools that show files number the lines (`12. code`, `12\tcode`, `12→code`). */
const LINE_NUMBER = /^\s*\d{1,7}(?:[.:|→\t]\s?|\s{2,})/;

const normal = (line: string): string => line.trim();

/** The texts of a part, plain: arguments are JSON, and the strings in it hold the lines. */
function textsOf(part: Part): readonly string[] {
  if (part.type === "tools") return [];
  if (part.type !== "tool_call") return [part.text];
  try {
    return stringsIn(JSON.parse(part.arguments));
  } catch {
    return [part.arguments];
  }
}

const stringsIn = (value: unknown): readonly string[] => {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(stringsIn) : [];
};

function linesOfRequest(request: readonly Message[]): ReadonlySet<string> {
  const lines = new Set<string>();
  for (const message of request) {
    for (const part of message.parts) {
      for (const line of textsOf(part).flatMap((text) => text.split("\n"))) {
        lines.add(normal(line));
        const unnumbered = line.replace(LINE_NUMBER, "");
        if (unnumbered !== line) lines.add(normal(unnumbered));
      }
    }
  }
  return lines;
}

/** @param answer the answer's messages @param request the request's messages, the whole conversation so far */
export function extractSuggestions(answer: readonly Message[], request: readonly Message[]): readonly Suggestion[] {
  const found = answer
    .flatMap((message) => message.parts)
    .flatMap((part): readonly FoundBlock[] => {
      if (part.type === "text") return findFences(part.text);
      if (part.type === "completion") return findGhostText(part.text, request);
      return part.type === "tool_call" ? findEdits(part.name, part.arguments) : [];
    });
  if (found.length === 0) return [];
  const held = linesOfRequest(request);
  return found.flatMap(({ path, kind, lines, echo }) => {
    const own = new Set(echo.map(normal));
    const kept = lines.filter((line) => !held.has(normal(line)) && !own.has(normal(line)));
    return kept.some((line) => line.trim() !== "") ? [{ path, kind, lines: kept }] : [];
  });
}
