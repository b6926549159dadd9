/**
 * Keeps the record of exchanges: begins it before the upstream is contacted, finishes it before the client has the answer's end. Where the
 * database is away, what has begun is finished on the local disk, and where the connection says so, what begins begins there.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Spool } from "../../blobs/disk-spool.ts";
import type { AnswerSummary } from "../../copilot/answer-reader.ts";
import type { AnswerPieces } from "../../copilot/streams/waiting-bytes.ts";
import type { Message, ToolUse } from "../../model/exchange.ts";
import type { Logger } from "../../model/log.ts";
import { type Database, isDatabaseAway } from "../../store/database.ts";
import { insertSuggestions, type SuggestionRow } from "../../store/suggestions.ts";
import { createAnswersRead } from "./answers-read.ts";
import { describeFailure } from "./describe-failure.ts";
import { type BeginEntry, decodeEntry, encodeEntry, type FinishEntry, type RecordEntry } from "./entries.ts";
import type { Mask } from "./mask-messages.ts";
import { createMessageMasks, type MaskElsewhere } from "./masked-messages.ts";
import { NOTHING } from "./outcome.ts";
import { patiently, within } from "./patience.ts";
import {
  type BegunExchange,
  type ExchangeEnd,
  type ExchangeStart,
  type FinishedExchange,
  prepareBegin,
  prepareFinish,
  type RecordedRefusal,
} from "./record.ts";
import { DATABASE_AWAY } from "./refusals.ts";
import { createEntryWriter } from "./write-entries.ts";

export interface RecordsDependencies {
  readonly db: Database;
  readonly mask: Mask;
  /** The same for long messages, beside the main thread. */
  readonly maskElsewhere?: MaskElsewhere;
  /** Keys the hashes of messages and histories. */
  readonly recordKey: Uint8Array;
  /** This gateway's own id: what it leaves open when it is killed is closed by it. */
  readonly gateway: string;
  /** Absent: there is no disk to put anything on. */
  readonly spool?: Spool;
  readonly findToolUses?: (answer: readonly Message[]) => readonly ToolUse[];
  /** What a finished exchange adds to the index of suggestions; written with its record. Absent: nothing. */
  readonly indexRows?: (exchange: FinishedExchange) => readonly SuggestionRow[];
  readonly limits: RecordLimits;
  readonly log: Logger;
  readonly now: () => Date;
}

export interface RecordLimits {
  /** How long the record may take to begin, before the request is refused. */
  readonly beginMs: number;
  /** How long the end of an answer waits for its record. Past that it is on the disk, or written later. */
  readonly settleMs: number;
}

export const RECORD_LIMITS: RecordLimits = { beginMs: 5_000, settleMs: 3_000 };

export interface OpenRecord {
  readonly id: string;
  readonly principalId: string;
  /** Null while its beginning waits on the disk. */
  readonly sessionId: string | null;
}

export interface Records {
  /**
   * @param away what becomes of it while the database is away
   * @returns null where it could not be recorded: nothing may be sent
   */
  begin(start: ExchangeStart, away: "refuse" | "spool"): Promise<OpenRecord | null>;
  /** Records what goes no further. Where it cannot be recorded, the log says so: nothing is let through either way. */
  refuse(start: ExchangeStart, refusal: RecordedRefusal): Promise<void>;
  /** Reads bytes of its answer along. @param streamed it comes as events */
  readAnswer(record: OpenRecord, streamed: boolean, pieces: AnswerPieces): Promise<void>;
  /** All of the answer that comes has been handed over. @param capped more of it has come, and was not */
  endAnswer(record: OpenRecord, streamed: boolean, capped: boolean): Promise<AnswerSummary>;
  /** Finishes a record; only its first end counts. Resolves when it is safe, or as late as a client may be made to wait. */
  settle(record: OpenRecord, end: ExchangeEnd): Promise<void>;
  /** Puts what waits on the disk into the database. @throws what the database throws */
  replay(): Promise<void>;
  /** How many beginnings and ends are not written yet: clients wait for them, or the database does not answer. */
  waiting(): Promise<number>;
  /** Resolves when nothing waits to be written any more. */
  drain(): Promise<void>;
}

const RETRY_MS = [250, 1_000, 4_000, 15_000, 30_000];
/** After the database did not answer, so long nobody waits for it again: what may go to the disk goes there at once. */
const AWAY_MS = 2_000;

const BEGUN_LATE: ExchangeEnd = {
  ...NOTHING,
  status: "refused",
  httpStatus: DATABASE_AWAY.httpStatus,
  refusal: DATABASE_AWAY.code,
  error: DATABASE_AWAY.message,
};

export function createRecords(deps: RecordsDependencies): Records {
  const { db, spool, limits, log } = deps;
  const prepare = {
    mask: deps.mask,
    messageMasks: createMessageMasks({ mask: deps.mask, key: deps.recordKey, maskElsewhere: deps.maskElsewhere }),
    recordKey: deps.recordKey,
    gateway: deps.gateway,
    findToolUses: deps.findToolUses ?? (() => []),
    now: deps.now,
  };
  /** What the end of a record needs of its beginning. */
  const open = new Map<string, BegunExchange>();
  const answers = createAnswersRead();
  const writing = new Set<Promise<void>>();
  let beginning = 0;
  let awayUntil = 0;

  const notIndexed = (exchange: string, error: unknown): void =>
    log.error({ exchange, failure: describeFailure(error) }, "A finished exchange was not indexed");

  const writer = createEntryWriter(db, {
    rows({ id, principalId, outcome, suggestions }, sessionId) {
      try {
        const { finishedAt } = outcome;
        return deps.indexRows?.({ exchangeId: id, sessionId, principalId, finishedAt, suggestions }) ?? [];
      } catch (error) {
        notIndexed(id, error);
        return [];
      }
    },
    async insert(tx, { id }, rows) {
      if (rows.length === 0) return;
      try {
        await tx.transaction((savepoint) => insertSuggestions(savepoint, rows));
      } catch (error) {
        notIndexed(id, error);
      }
    },
  });

  async function writeBegin(entry: BeginEntry): Promise<string> {
    beginning += 1;
    try {
      return await writer.begin(entry);
    } finally {
      beginning -= 1;
    }
  }

  const put = (entry: RecordEntry): Promise<unknown> =>
    entry.kind === "begin" ? writeBegin(entry) : writer.finish(entry, null);

  async function toSpool(entry: RecordEntry): Promise<boolean> {
    if (spool === undefined) return false;
    try {
      await spool.append(encodeEntry(entry), entry.kind === "finish");
      return true;
    } catch (error) {
      log.error({ failure: describeFailure(error) }, "A record could not be put on the disk");
      return false;
    }
  }

  function keep(work: Promise<void>): Promise<void> {
    writing.add(work);
    void work.finally(() => writing.delete(work));
    return work;
  }

  /** Until it is written: there is no disk, or the disk did not take it. */
  async function writeLater(entry: FinishEntry, sessionId: string | null): Promise<void> {
    for (const [attempt, retryMs] of [...RETRY_MS, null].entries()) {
      try {
        await writer.finish(entry, sessionId);
        return;
      } catch (error) {
        log.error({ exchange: entry.id, attempt, failure: describeFailure(error) }, "A record could not be finished");
        if (retryMs === null) return;
        await sleep(retryMs, undefined, { ref: false });
      }
    }
  }

  function openRecord(begun: BegunExchange, start: ExchangeStart, sessionId: string | null): OpenRecord {
    const { id, principalId } = begun;
    open.set(id, begun);
    answers.open(id, start);
    return { id, principalId, sessionId };
  }

  async function settle(record: OpenRecord, end: ExchangeEnd): Promise<void> {
    const begun = open.get(record.id);
    if (begun === undefined) return;
    open.delete(record.id);
    const read = answers.take(record.id);
    const work = keep(
      (async () => {
        const entry = await prepareFinish(prepare, begun, end, end.answer === "read" ? read : end.answer);
        // Its beginning waits on the disk, and its end has to come after it.
        if (record.sessionId === null && (await toSpool(entry))) return;
        if (spool === undefined) return writeLater(entry, record.sessionId);
        try {
          await within(limits.settleMs, writer.finish(entry, record.sessionId));
        } catch (error) {
          log.warn({ exchange: record.id, failure: describeFailure(error) }, "A record's end goes to the disk first");
          if (!(await toSpool(entry))) await writeLater(entry, record.sessionId);
        }
      })(),
    );
    await patiently(limits.settleMs * 2, work);
  }

  /** An entry of the spool. What the database answers and does not take is set aside, so that it does not keep the others. */
  async function putSpooled(line: string): Promise<void> {
    try {
      await put(decodeEntry(line));
    } catch (error) {
      if (isDatabaseAway(error)) throw error;
      log.error(
        { failure: describeFailure(error) },
        "The database does not take a record that waited on the disk: it is set aside there",
      );
      await spool?.setAside(line);
    }
  }

  return {
    async begin(start, away) {
      const { entry, begun } = await prepareBegin(prepare, start, null);
      if (away === "spool" && deps.now().getTime() < awayUntil && (await toSpool(entry)))
        return openRecord(begun, start, null);
      const work = writeBegin(entry);
      try {
        return openRecord(begun, start, await within(limits.beginMs, work));
      } catch (error) {
        log.error({ exchange: start.id, failure: describeFailure(error) }, "An exchange could not be recorded");
        if (isDatabaseAway(error)) awayUntil = deps.now().getTime() + AWAY_MS;
        if (away === "spool" && isDatabaseAway(error) && (await toSpool(entry))) return openRecord(begun, start, null);
        // Should it be written after all, it must not stand there as if it went on.
        work.then((sessionId) => settle(openRecord(begun, start, sessionId), BEGUN_LATE)).catch(() => {});
        return null;
      }
    },

    async refuse(start, refusal) {
      const { entry } = await prepareBegin(prepare, start, refusal);
      try {
        await within(limits.beginMs, writeBegin(entry));
      } catch (error) {
        if (await toSpool(entry)) return;
        log.error({ exchange: start.id, failure: describeFailure(error) }, "A refused exchange could not be recorded");
      }
    },

    readAnswer: async ({ id }, streamed, pieces) => answers.read(id, streamed, pieces),
    endAnswer: async ({ id }, streamed, capped) => answers.finish(id, streamed, capped),
    settle,

    async replay() {
      if (spool === undefined || spool.size === 0) return;
      const { applied, unreadable } = await spool.replay((line) => putSpooled(line));
      if (applied > 0) log.info({ applied }, "Records that waited on the disk are in the database now");
      if (unreadable > 0) log.error({ unreadable }, "Lines of the spool could not be read, and are lost");
    },

    waiting: async () => beginning + writing.size,

    async drain() {
      while (writing.size > 0) await Promise.all(writing);
    },
  };
}
