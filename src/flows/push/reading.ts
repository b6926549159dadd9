/**
 * Reading a push that stands in the quarantine: every new commit and tag, all that they add, and the secrets in it; and the
 * commits that are upstream already and that refs move over. Constant memory whatever the size: texts are looked through as
 * they come, and only places are kept.
 */
import type { Advertisement } from "../../git/advertisement.ts";
import type { VerifyCommit } from "../../git/commit-signature.ts";
import { overLimit } from "../../git/limits.ts";
import { readNewObjects, type NewObjects } from "../../git/new-objects.ts";
import type { PushRequest } from "../../git/push-exchange.ts";
import type { Quarantine } from "../../git/quarantine.ts";
import type { AddedHunk } from "../../model/added-hunk.ts";
import type { PushFacts } from "../../model/push-facts.ts";
import type { Scanner } from "../../secrets/scanner.ts";
import { ScanAhead } from "../scanning/scan-ahead.ts";
import type { ScanPool } from "../scanning/scan-in-workers.ts";
import type { ReadBaseline } from "./baseline.ts";
import type { PushedPointer } from "./check-pointers.ts";
import { PushReader } from "./push-reader.ts";
import { readRefFacts } from "./ref-facts.ts";

export interface PushReading {
  readonly facts: PushFacts;
  /** Added lines for the record and for attribution, masked; the first of them where there are very many. */
  readonly hunks: readonly AddedHunk[];
  readonly linesTruncated: boolean;
  /** Git LFS pointers that new commits put somewhere: what they name has to have been seen as well. */
  readonly pointers: readonly PushedPointer[];
  readonly objects: NewObjects;
}

export interface ReadPushOptions {
  readonly request: PushRequest;
  readonly advertised: Advertisement;
  /** Has received the pack. */
  readonly quarantine: Quarantine;
  readonly scanner: Scanner;
  /** The same scanner in threads, for what takes longer. */
  readonly scanPool: ScanPool;
  /** What was accepted beforehand. */
  readonly readBaseline: ReadBaseline;
  /** Asked whose a commit's signature is. */
  readonly verify: VerifyCommit;
}

/**
 * @throws GatewayError as `readNewObjects` and `readAdditions`, `limit_exceeded` for time; what cannot be read whole is refused,
 * not passed over
 */
export async function readPush(options: ReadPushOptions): Promise<PushReading> {
  const { quarantine, request } = options;
  const { inspectionMs } = quarantine.limits;
  const late = new AbortController();
  const began = performance.now();
  const timer = setTimeout(() => late.abort(overLimit.inspectionTime(inspectionMs)), inspectionMs);
  const signal = AbortSignal.any([request.signal, late.signal]);
  // A git that answers no more must not keep anybody waiting either.
  const stopReading = (): void => void quarantine.reader.close();
  signal.addEventListener("abort", stopReading, { once: true });
  try {
    const reading = await readWithin(options, signal);
    // In time is in time, also where nothing on the way has looked at the clock.
    if (performance.now() - began > inspectionMs) throw overLimit.inspectionTime(inspectionMs);
    return reading;
  } catch (error) {
    throw late.signal.aborted ? late.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stopReading);
  }
}

async function readWithin(
  { request, advertised, quarantine, scanner, scanPool, readBaseline, verify }: ReadPushOptions,
  signal: AbortSignal,
): Promise<PushReading> {
  const { head } = request;
  const tips = [...new Set([...advertised.refs.values(), ...advertised.peeled.values()])];
  const objects = await readNewObjects(quarantine, { updates: head.updates, tips, signal });
  const ahead = new ScanAhead({
    scanner,
    pool: scanPool,
    budgetMs: quarantine.limits.scanMs,
    turns: objects.turns,
    signal,
  });
  const mostFindings = quarantine.limits.findings;
  const reader = new PushReader(objects, { scanner, ahead, readBaseline, verify, mostFindings });

  // What commits say, while the old versions of their files come.
  for (const oid of objects.older.keys()) await reader.readCommit(oid, true);
  for (const oid of objects.commits) await reader.readCommit(oid, false);
  await objects.oldFiles();
  for (const oid of objects.older.keys()) await reader.readFiles(oid, true);
  for (const oid of objects.commits) await reader.readFiles(oid, false);
  await reader.readTags();
  await reader.readLoose();
  await reader.end();

  const { findings, files, hunks, pointers, commits } = reader;
  for (const { ref } of head.updates) await findings.add(ref, { source: "ref-name", oid: null, root: ref });
  for (const option of head.pushOptions) await findings.add(option, { source: "push-option", oid: null, root: null });
  if (head.certificate !== null) {
    await findings.add(head.certificate, { source: "push-certificate", oid: null, root: null });
  }
  const found = findings.all();
  return {
    objects,
    hunks: hunks.hunks,
    linesTruncated: hunks.isTruncated,
    pointers,
    facts: {
      principal: request.principal,
      connection: request.connection.name,
      repository: request.repository,
      refs: await readRefFacts({ objects, updates: head.updates, advertised, commits, files, findings: found }),
      pushOptions: head.pushOptions,
      commits: objects.commits.flatMap((oid) => commits.get(oid) ?? []),
      findings: found.map(({ finding }) => finding),
      packBytes: quarantine.received?.packBytes ?? 0,
    },
  };
}
