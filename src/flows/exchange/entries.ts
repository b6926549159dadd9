/**
 * What the record of an exchange says, as plain data: how it begins and how it ends. Everything in it is masked. It is written to the
 * database, or, while that is away, to the local disk, and from there to the database later.
 */
import type { Grouping } from "../../copilot/sessions.ts";
import type { Suggestion, ToolUse } from "../../model/exchange.ts";
import type { ExchangeOutcome, NewExchange } from "../../store/exchanges.ts";
import type { HashedMessage } from "../../store/messages.ts";

export interface BeginEntry {
  readonly kind: "begin";
  readonly exchange: Omit<NewExchange, "sessionId">;
  /** The gateway that has it in hand. */
  readonly gateway: string;
  readonly session: { readonly client: string; readonly title: string | null };
  readonly grouping: Grouping;
  readonly messages: readonly HashedMessage[];
}

export interface FinishEntry {
  readonly kind: "finish";
  readonly id: string;
  readonly principalId: string;
  readonly outcome: ExchangeOutcome;
  readonly messages: readonly HashedMessage[];
  readonly suggestions: readonly Suggestion[];
  readonly toolUses: readonly ToolUse[];
}

export type RecordEntry = BeginEntry | FinishEntry;

const BYTES = "$bytes";
const TIME = "$time";

/** As one line. */
export const encodeEntry = (entry: RecordEntry): string => JSON.stringify(encodeValue(entry));

// Before JSON.stringify and not by its replacer: that one sees bytes and times only after their `toJSON`.
function encodeValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return { [BYTES]: Buffer.from(value).toString("base64") };
  if (value instanceof Date) return { [TIME]: value.toISOString() };
  if (Array.isArray(value)) return value.map(encodeValue);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]: [string, unknown]) => [name, encodeValue(inner)]),
  );
}

/** @throws SyntaxError for what {@link encodeEntry} has not written */
export const decodeEntry = (line: string): RecordEntry =>
  JSON.parse(line, (_name, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    if (BYTES in value && typeof value[BYTES] === "string") return Buffer.from(value[BYTES], "base64");
    if (TIME in value && typeof value[TIME] === "string") return new Date(value[TIME]);
    return value;
  }) as RecordEntry;
