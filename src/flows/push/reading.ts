/**
 * Reading a push that stands in the quarantine: every new commit and tag, all that they add, and the secrets in it; and the
 * commits that are upstream already and that refs move over. Constant memory whatever the size: texts are looked through as
 * they come, and only places are kept.
 */
import { createAdditionMeter, readChangedFiles, readWhole, type ChangedFile } from "../../git/additions.ts";
import type { Advertisement } from "../../git/advertisement.ts";
import { GatewayError } from "../../errors.ts";
import { isModulesName } from "../../git/inspection/tree.ts";
import { findModulesFault } from "../../git/submodule-file.ts";
import { fileChange, readCommit, readNewTags } from "../../git/commits.ts";
import type { VerifyCommit } from "../../git/commit-signature.ts";
import { readRefDiff } from "../../git/diff.ts";
import { overLimit } from "../../git/limits.ts";
import { parseLfsPointer } from "../../git/lfs/pointer.ts";
import { readNewObjects, type NewObjects } from "../../git/new-objects.ts";
import { pathText } from "../../git/object-text.ts";
import type { PushRequest } from "../../git/push-exchange.ts";
import type { Quarantine } from "../../git/quarantine.ts";
import type { AddedHunk } from "../../model/added-hunk.ts";
import type { CommitFacts, PushFacts } from "../../model/push-facts.ts";
import type { PlacedSecret, Scanner } from "../../secrets/scanner.ts";
import type { NewRefDiff } from "../../store/pushes.ts";
import type { PushedPointer } from "./check-pointers.ts";
import type { ScanPool } from "../scanning/scan-in-workers.ts";
import { ScanAhead } from "../scanning/scan-ahead.ts";
import type { ReadBaseline } from "./baseline.ts";
import { Findings, type Place } from "./findings.ts";
import { KeptHunks } from "./kept-hunks.ts";
import { KnownSecrets, type Origin } from "./known-secrets.ts";
import { maskDiff } from "./mask-diff.ts";
import { NewFiles } from "./new-files.ts";
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

const DIFF_BYTES = 1024 * 1024;
/** Findings of one file whose history is asked for; those beyond count as new. */
const TRACED_FINDINGS = 1_000;

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

interface PushReaderOptions extends Pick<ReadPushOptions, "scanner" | "readBaseline" | "verify"> {
  readonly ahead: ScanAhead;
  /** As of `PushLimits.findings`. */
  readonly mostFindings: number;
}

/** Goes through the commits, tags and files of a push, and gathers what is to be known of them. */
class PushReader {
  readonly commits = new Map<string, CommitFacts>();
  readonly findings: Findings;
  readonly files = new NewFiles();
  readonly hunks: KeptHunks;
  readonly pointers: PushedPointer[] = [];
  readonly #objects: NewObjects;
  readonly #known: KnownSecrets;
  readonly #ahead: ScanAhead;
  readonly #verify: VerifyCommit;
  readonly #meter: ReturnType<typeof createAdditionMeter>;
  readonly #mostFindings: number;
  #findingCount = 0;
  /** What is to be done about what was found, in order: it reads objects, so only where nothing else is being read. */
  #due: (() => Promise<void>)[] = [];

  constructor(objects: NewObjects, { scanner, ahead, readBaseline, verify, mostFindings }: PushReaderOptions) {
    this.#objects = objects;
    this.#mostFindings = mostFindings;
    this.#ahead = ahead;
    this.#verify = verify;
    this.findings = new Findings(scanner, readBaseline);
    this.hunks = new KeptHunks(scanner);
    this.#known = new KnownSecrets(objects, scanner, (text, path) => ahead.find(text, path));
    this.#meter = createAdditionMeter(objects);
  }

  /** @param isOlder it is upstream already: looked through again, and not the pusher's doing */
  async readCommit(oid: string, isOlder: boolean): Promise<void> {
    const { changes, turns } = this.#objects;
    const { facts, texts } = await readCommit(this.#objects, oid, this.#verify);
    this.commits.set(oid, facts);
    for (const { source, text } of texts) {
      const place: Place = { source, oid, root: oid };
      if (source === "commit-identity") this.#later(this.findings.findInIdentity(text), place, isOlder);
      else this.#ahead.add({ text }, (secrets) => this.#later(secrets, place, isOlder));
    }
    for (const change of await changes.of(oid)) {
      const { kind, path, mode, size } = fileChange(oid, change, this.#objects.pack);
      if (kind === "delete") continue;
      if (!isOlder) this.files.add(oid, { oid, path, mode, bytes: size });
      const secrets = this.findings.find(path, path);
      if (secrets.length === 0) continue;
      this.#ahead.mark(() =>
        this.#due.push(async () => {
          for (const secret of secrets) {
            const origin = kind === "change" ? await this.#known.inPath(oid, change.path, secret.fingerprint) : "new";
            await this.#keep(secret, oid, { source: "path", path }, isOlder ? "upstream" : origin);
          }
        }),
      );
    }
    await this.#judge();
    await this.#ahead.room();
    if (turns.due) await turns.take();
  }

  /** @param isOlder as for {@link readCommit} */
  async readFiles(oid: string, isOlder: boolean): Promise<void> {
    for await (const file of readChangedFiles(this.#objects, oid, this.#meter))
      await this.#readFile(oid, file, isOlder);
    await this.#ahead.room();
  }

  async readTags(): Promise<void> {
    for await (const { oid, texts } of readNewTags(this.#objects)) {
      for (const { source, text } of texts) {
        this.#ahead.add({ text }, (secrets) => this.#later(secrets, { source, oid, root: oid }, false));
      }
      await this.#ahead.room();
    }
  }

  /** What refs and tags on trees and files bring. The record's lines belong to commits: these are looked through, and not kept. */
  async readLoose(): Promise<void> {
    const { looseBlobs, looseNames, pack, turns } = this.#objects;
    for (const { from, root, path, mode, oid } of [...looseNames, ...looseBlobs]) {
      this.files.add(root, { oid: from, path, mode, bytes: pack.size(oid) });
      await this.findings.add(path, { source: "path", oid: from, root, path });
      if (turns.due) await turns.take();
    }
    for (const blob of looseBlobs) {
      const { from, root, path } = blob;
      for await (const { text, startLine, startColumn } of readWhole(this.#objects, blob, this.#meter)) {
        this.#ahead.add({ text, path }, (secrets) =>
          this.#later(placed(secrets, startLine, startColumn), { source: "file", oid: from, root, path }, false),
        );
        await this.#ahead.room();
      }
      await this.#readPointer(blob.oid, from, path);
    }
  }

  /** What is still being looked through. */
  async end(): Promise<void> {
    await this.#ahead.end();
    await this.#judge();
  }

  async #readFile(commit: string, { file, additions }: ChangedFile, isOlder: boolean): Promise<void> {
    const found: { readonly secret: PlacedSecret; readonly path: string }[] = [];
    for await (const addition of additions) {
      const { text, path, startLine, startColumn } = addition;
      this.#ahead.add({ text, path, isKept: !isOlder && this.hunks.hasRoom }, (secrets, masked) => {
        if (!isOlder) this.#count(secrets);
        if (!isOlder) this.hunks.add(addition, secrets.length === 0 ? () => text : masked);
        for (const secret of placed(secrets, startLine, startColumn)) found.push({ secret, path });
      });
      await this.#ahead.room();
    }
    if (!isOlder) await this.#readPointer(file.change.oid, commit, pathText(file.change.path));
    if (!isOlder && isModulesName(pathText(file.change.path))) await this.#readModules(file.change.oid, commit);
    // Only then: where they come from is read from other files.
    this.#ahead.mark(() => {
      if (found.length > 0) this.#due.push(() => this.#traceAll(found, commit, file.change.path, isOlder));
    });
    await this.#judge();
  }

  async #traceAll(
    found: readonly { readonly secret: PlacedSecret; readonly path: string }[],
    commit: string,
    path: string,
    isOlder: boolean,
  ): Promise<void> {
    const { turns } = this.#objects;
    for (const [at, { secret, path: shown }] of found.entries()) {
      if (turns.due) await turns.take();
      const isTraced = !isOlder && at < TRACED_FINDINGS;
      const origin = isTraced ? await this.#known.inFile(commit, path, secret.fingerprint) : "new";
      await this.#keep(secret, commit, { source: "file", path: shown }, isOlder ? "upstream" : origin);
    }
  }

  /** Notes what was found in a text that nothing has to be read about. */
  #later(secrets: readonly PlacedSecret[], place: Place, known: boolean): void {
    if (secrets.length === 0) return;
    if (!known) this.#count(secrets);
    this.#due.push(async () => {
      for (const secret of secrets) await this.findings.keep(secret, place, known);
    });
  }

  /** What the push brings, not what is upstream already. @throws GatewayError `limit_exceeded` for too much of it: the push is denied, none of it passes unread */
  #count(secrets: readonly PlacedSecret[]): void {
    this.#findingCount += secrets.length;
    if (this.#findingCount > this.#mostFindings) throw overLimit.findings(this.#mostFindings);
  }

  /** Between two files: does what is due. */
  async #judge(): Promise<void> {
    while (this.#due.length > 0) for (const work of this.#due.splice(0)) await work();
  }

  async #keep(
    secret: PlacedSecret,
    commit: string,
    where: { readonly source: "file" | "path"; readonly path: string },
    origin: Origin,
  ): Promise<void> {
    if (origin === "told") return;
    await this.findings.keep(secret, { ...where, oid: commit, root: commit }, origin === "upstream");
    if (origin === "new") this.#known.tell(commit, secret.fingerprint);
  }

  async #readModules(oid: string, commit: string): Promise<void> {
    const content = await this.#objects.source.load(oid);
    const fault = content === null ? "it is too large to be read" : findModulesFault(content.toString("utf8"));
    if (fault === null) return;
    throw new GatewayError(
      "forbidden",
      `the .gitmodules of commit ${commit} would harm whoever clones it (${fault}): take it out of every commit`,
    );
  }

  async #readPointer(oid: string, commit: string, path: string): Promise<void> {
    const head = await this.#objects.source.head(oid);
    const pointer = head.includes("version") ? parseLfsPointer(head) : null;
    if (pointer !== null) this.pointers.push({ ...pointer, commit, path });
  }
}

/** Secrets of a text, by their places in the file that it is a part of. */
function placed(secrets: readonly PlacedSecret[], startLine: number, startColumn: number): readonly PlacedSecret[] {
  if (secrets.length === 0) return secrets;
  return secrets.map((secret) => {
    const shift = secret.line === 1 ? startColumn - 1 : 0;
    return {
      ...secret,
      line: startLine + secret.line - 1,
      column: secret.column + shift,
      endColumn: secret.endColumn + shift,
    };
  });
}

/** What an approver sees: the diff of each ref's whole old..new, masked, bounded. @param isOf which refs */
export async function readRefDiffs(
  reading: PushReading,
  scanner: Scanner,
  isOf: (ref: string) => boolean,
): Promise<NewRefDiff[]> {
  const diffs: NewRefDiff[] = [];
  const withFindings = new Set(reading.facts.findings.map(({ path }) => path));
  for (const { update, kind } of reading.facts.refs) {
    if (kind === "delete" || !isOf(update.ref)) continue;
    const { text, truncated } = await readRefDiff(reading.objects, update, DIFF_BYTES);
    diffs.push({
      ref: scanner.maskName(update.ref),
      diff: maskDiff(text, scanner, (path) => withFindings.has(path)),
      truncated,
    });
  }
  return diffs;
}
