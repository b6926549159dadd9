/** What the tool calls of answers reached for: written with the answer, read by session. */
import { asc, eq } from "drizzle-orm";
import type { ToolUse } from "../model/exchange.ts";
import type { Queryable } from "./database.ts";
import { toolUses } from "./schema.ts";

/** Of one tool call; its arguments are in the message that holds the call. */
export interface RecordedToolUse extends Omit<ToolUse, "arguments"> {
  readonly exchangeId: string;
}

/** No model calls as many tools in one answer. */
const MOST = 1_000;
/** No call touches as many files. */
const MOST_NAMES = 100;

/** Whose tool calls they are. */
interface Caller {
  readonly id: string;
  readonly sessionId: string;
}

export const toolUseRows = (exchange: Caller, uses: readonly ToolUse[]): (typeof toolUses.$inferInsert)[] =>
  uses.slice(0, MOST).map(({ id, name, paths, commands, services }, ordinal) => ({
    exchangeId: exchange.id,
    ordinal,
    sessionId: exchange.sessionId,
    callId: id,
    name,
    paths: paths.slice(0, MOST_NAMES),
    commands: commands.slice(0, MOST_NAMES),
    services: services.slice(0, MOST_NAMES),
  }));

/** Those that are there already stay as they are. */
export async function insertToolUses(db: Queryable, exchange: Caller, uses: readonly ToolUse[]): Promise<void> {
  if (uses.length === 0) return;
  await db.insert(toolUses).values(toolUseRows(exchange, uses)).onConflictDoNothing();
}

/** All of a session, in the order in which they were made. */
export function findToolUses(db: Queryable, sessionId: string): Promise<readonly RecordedToolUse[]> {
  return db
    .select({
      exchangeId: toolUses.exchangeId,
      id: toolUses.callId,
      name: toolUses.name,
      paths: toolUses.paths,
      commands: toolUses.commands,
      services: toolUses.services,
    })
    .from(toolUses)
    .where(eq(toolUses.sessionId, sessionId))
    .orderBy(asc(toolUses.exchangeId), asc(toolUses.ordinal));
}
