/** The query of a list: filters, `limit` and `cursor`, all checked before the database is asked. */
import { err, ok, type Result } from "../../errors.ts";
import type { RecordFilter } from "../../store/record-filter.ts";

export interface ListQuery {
  readonly filter: RecordFilter;
  /** 1..200 */
  readonly limit: number;
  /** The store's own position, without the wrapping; null for the first page. */
  readonly after: string | null;
}

/** What differs between the lists. */
export interface ListKind {
  /** In the address, and in the cursor: one list's cursor means nothing to another. */
  readonly name: string;
  /** What `status` may be; null: any text. */
  readonly statuses: readonly string[] | null;
  /** Filters that not every list has. */
  readonly filters?: readonly ("client" | "model")[];
  /** What the store's positions look like. */
  readonly position: RegExp;
}

export interface QueryMistake {
  readonly parameter: string;
  readonly message: string;
}

export const FILTERS = [
  "user",
  "since",
  "until",
  "connection",
  "repository",
  "ref",
  "sha",
  "status",
  "client",
  "model",
  "q",
] as const;
/** Those of them that only some lists have. */
const SPECIAL: readonly string[] = ["client", "model"];

export const filtersOf = (kind: ListKind): readonly (typeof FILTERS)[number][] =>
  FILTERS.filter((name) => !SPECIAL.includes(name) || kind.filters?.some((own) => own === name) === true);

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;
const MAX_TEXT = 500;

const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/;

function parseTime(text: string): Date | null {
  const [at, day] = [new Date(text), new Date(text.slice(0, 10))];
  if (!TIME.test(text) || Number.isNaN(at.getTime()) || Number.isNaN(day.getTime())) return null;
  // JavaScript takes the 31st of February for the 3rd of March.
  return text.startsWith(day.toISOString().slice(0, 10)) ? at : null;
}

/** Opaque to clients, so that what is inside can change. */
export const encodeCursor = (kind: ListKind, position: string): string =>
  Buffer.from(`${kind.name} ${position}`).toString("base64url");

function decodeCursor(kind: ListKind, cursor: string): string | null {
  const [name, position] = Buffer.from(cursor, "base64url").toString("utf8").split(" ");
  return name === kind.name && position !== undefined && kind.position.test(position) ? position : null;
}

type Check = (text: string, kind: ListKind) => Partial<RecordFilter> | string;

/** Each gives the parsed filter, or what is wrong with the text. */
const CHECKS: Record<(typeof FILTERS)[number], Check> = {
  user: (user) => ({ user }),
  since: (text) => {
    const since = parseTime(text);
    return since === null ? "is not a time: write 2026-01-31 or 2026-01-31T12:00:00Z" : { since };
  },
  until: (text) => {
    const until = parseTime(text);
    return until === null ? "is not a time: write 2026-01-31 or 2026-01-31T12:00:00Z" : { until };
  },
  connection: (connection) => ({ connection }),
  repository: (text) => ({ repository: text.replace(/\.git$/, "") }),
  ref: (ref) => ({ ref }),
  sha: (text) =>
    /^[0-9a-f]{7,64}$/i.test(text) ? { sha: text.toLowerCase() } : "is not an object id: write 7 to 64 hex digits",
  status: (status, kind) =>
    kind.statuses === null || kind.statuses.includes(status) ? { status } : `is not one of ${kind.statuses.join(", ")}`,
  client: (client) => ({ client }),
  model: (model) => ({ model }),
  q: (q) => ({ q }),
};

function textMistake(text: string): string | null {
  if (text === "") return "is empty: leave it out";
  if (text.length > MAX_TEXT) return `is longer than ${MAX_TEXT} characters`;
  // PostgreSQL's text cannot hold U+0000, so nothing recorded has it.
  return text.includes("\0") ? "has a NUL character" : null;
}

/** @param parameters as they stand in the address; each name at most once */
export function parseListQuery(kind: ListKind, parameters: URLSearchParams): Result<ListQuery, QueryMistake> {
  let filter: RecordFilter = {};
  let limit = DEFAULT_LIMIT;
  let after: string | null = null;
  const mistake = (parameter: string, problem: string) =>
    err({ parameter, message: `the parameter ${JSON.stringify(parameter)} ${problem}` });

  for (const name of new Set(parameters.keys())) {
    const [text = "", second] = parameters.getAll(name);
    if (second !== undefined) return mistake(name, "is given twice");
    const problem = textMistake(text);
    if (problem !== null) return mistake(name, problem);
    const filterName = filtersOf(kind).find((known) => known === name);
    if (name === "limit") {
      limit = Number(text);
      if (!/^\d{1,3}$/.test(text) || limit < 1 || limit > MAX_LIMIT) {
        return mistake(name, `is not a number from 1 to ${MAX_LIMIT}`);
      }
    } else if (name === "cursor") {
      after = decodeCursor(kind, text);
      if (after === null) return mistake(name, "is not a cursor of this list: take `next` of the page before");
    } else if (filterName !== undefined) {
      const parsed = CHECKS[filterName](text, kind);
      if (typeof parsed === "string") return mistake(name, parsed);
      filter = { ...filter, ...parsed };
    } else {
      return mistake(name, `is not known here: there are ${[...filtersOf(kind), "limit", "cursor"].join(", ")}`);
    }
  }
  return ok({ filter, limit, after });
}
