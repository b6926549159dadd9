/**
 * Keeps the records of exchanges in a thread of its own. What a record takes (masking, hashing, the database's statements) is most of what
 * an exchange takes at its beginning and its end, and every other stream of the process would wait for it.
 */
import type { Logger } from "../../model/log.ts";
import type { Rule } from "../../secrets/rule.ts";
import { startThreadService } from "../../workers/thread-service.ts";
import type { RecordLimits, Records } from "./records.ts";

export interface RecordsThreadData {
  readonly rules: readonly Rule[];
  /** Keys fingerprints, and the hashes of messages and histories. */
  readonly key: Uint8Array;
  readonly databaseUrl: string;
  /** This gateway's own id. */
  readonly gateway: string;
  readonly spool: { readonly directory: string; readonly maxBytes: number };
  readonly limits: RecordLimits;
  /** Milliseconds that a megabyte of a long message may take to be masked. */
  readonly scanMs: number;
}

export interface RecordsInThread extends Records {
  /** What is not written by then is not written by this gateway: drain it first. */
  close(): Promise<void>;
}

/** Threads run what is built: Node does not load TypeScript. */
const body = import.meta.url.endsWith(".ts")
  ? new URL("../../../dist/src/flows/exchange/records-thread.js", import.meta.url)
  : new URL("./records-thread.js", import.meta.url);

/** @throws GatewayError `storage_failed` where the spool's directory cannot be used */
export async function startRecords(data: RecordsThreadData, log: Logger): Promise<RecordsInThread> {
  const thread = await startThreadService<Records>({ body, data, doing: "Keeping the records of exchanges", log });
  return {
    begin: (start, away) => thread.call("begin", start, away),
    refuse: (start, refusal) => thread.call("refuse", start, refusal),
    readAnswer: (record, streamed, pieces) => thread.call("readAnswer", record, streamed, pieces),
    endAnswer: (record, streamed, capped) => thread.call("endAnswer", record, streamed, capped),
    settle: (record, end) => thread.call("settle", record, end),
    replay: () => thread.call("replay"),
    waiting: () => thread.call("waiting"),
    drain: () => thread.call("drain"),
    close: () => thread.close(),
  };
}
