/**
 * The patch format of the `apply_patch` tool: `*** Add File: P` with `+` lines, `*** Update File: P` with `+`, `-` and context lines,
 * between `*** Begin Patch` and `*** End Patch`. The Copilot CLI hands the grammar to the model in the tool's own definition.
 */
import type { FoundBlock } from "../suggestions.ts";

const FILE = /^\*\*\* (?:Add|Update) File: (.+)$/;
const MOVE = /^\*\*\* Move to: (.+)$/;

export function findPatches(patch: string): readonly FoundBlock[] {
  const blocks: { path: string; lines: string[]; echo: string[] }[] = [];
  for (const line of patch.split(/\r?\n/)) {
    const path = FILE.exec(line)?.[1];
    const current = blocks.at(-1);
    if (path !== undefined) {
      blocks.push({ path: path.trim(), lines: [], echo: [] });
    } else if (current !== undefined) {
      const moved = MOVE.exec(line)?.[1];
      if (moved !== undefined) current.path = moved.trim();
      else if (line.startsWith("+")) current.lines.push(line.slice(1));
      else if (line.startsWith("-") || line.startsWith(" ")) current.echo.push(line.slice(1));
    }
  }
  return blocks.map((block) => ({ ...block, kind: "edit" }));
}
