/**
 * Reading a push that stands in the quarantine: every new commit and tag, all that they add, and the secrets in it; and the
 * commits that are upstream already and that refs move over. Constant memory whatever the size: texts are looked through as
 * they come, and only places are kept.
 */
import { createAdditionMeter, readChangedFiles, readWhole, type ChangedFile } from "../../git/additions.ts";
import type { Advertisement } from "../../git/advertisement.ts";
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
import { Findings } from "./findings.ts";
import { KeptHunks } from "./kept-hunks.ts";
import { KnownSecrets, type Origin } from "./known-secrets.ts";
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
  { request, advertised, quarantine, scanner, verify }: ReadPushOptions,
  signal: AbortSignal,
): Promise<PushReading> {
  const { head } = request;
  const tips = [...new Set([...advertised.refs.values(), ...advertised.peeled.values()])];
  const objects = await readNewObjects(quarantine, { updates: head.updates, tips, signal });
  const reader = new PushReader(objects, scanner, verify);

  for (const oid of objects.older.keys()) await reader.readCommit(oid, true);
  for (const oid of objects.commits) await reader.readCommit(oid, false);
  await reader.readTags();
  await reader.readLoose();

  const { findings, files, hunks, pointers, commits } = reader;
  for (const { ref } of head.updates) findings.add(ref, { source: "ref-name", oid: null, root: ref });
  for (const option of head.pushOptions) findings.add(option, { source: "push-option", oid: null, root: null });
  if (head.certificate !== null) {
    findings.add(head.certificate, { source: "push-certificate", oid: null, root: null });
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

/** Goes through the commits, tags and files of a push, and gathers what is to be known of them. */
class PushReader {
  readonly commits = new Map<string, CommitFacts>();
  readonly findings: Findings;
  readonly files = new NewFiles();
  readonly hunks: KeptHunks;
  readonly pointers: PushedPointer[] = [];
  readonly #objects: NewObjects;
  readonly #known: KnownSecrets;
  readonly #verify: VerifyCommit;
  readonly #meter: ReturnType<typeof createAdditionMeter>;

  constructor(objects: NewObjects, scanner: Scanner, verify: VerifyCommit) {
    this.#objects = objects;
    this.#verify = verify;
    this.findings = new Findings(scanner);
    this.hunks = new KeptHunks(scanner);
    this.#known = new KnownSecrets(objects, scanner);
    this.#meter = createAdditionMeter(objects);
  }

  /** @param isOlder it is upstream already: looked through again, and not the pusher's doing */
  async readCommit(oid: string, isOlder: boolean): Promise<void> {
    const { changes, turns } = this.#objects;
    const { facts, texts } = await readCommit(this.#objects, oid, this.#verify);
    this.commits.set(oid, facts);
    for (const { source, text } of texts) {
      const secrets = source === "commit-identity" ? this.findings.findInIdentity(text) : this.findings.find(text);
      for (const secret of secrets) this.findings.keep(secret, { source, oid, root: oid }, isOlder);
    }
    for (const change of await changes.of(oid)) {
      const { kind, path, mode, size } = fileChange(oid, change, this.#objects.pack);
      if (kind === "delete") continue;
      if (!isOlder) this.files.add(oid, { oid, path, mode, bytes: size });
      for (const secret of this.findings.find(path, path)) {
        const origin = kind === "change" ? await this.#known.inPath(oid, change.path, secret.fingerprint) : "new";
        this.#keep(secret, oid, { source: "path", path }, isOlder ? "upstream" : origin);
      }
    }
    for await (const file of readChangedFiles(this.#objects, oid, this.#meter))
      await this.#readFile(oid, file, isOlder);
    if (turns.due) await turns.take();
  }

  async readTags(): Promise<void> {
    for await (const { oid, texts } of readNewTags(this.#objects)) {
      for (const { source, text } of texts) this.findings.add(text, { source, oid, root: oid });
    }
  }

  /** What refs and tags on trees and files bring. The record's lines belong to commits: these are looked through, and not kept. */
  async readLoose(): Promise<void> {
    const { looseBlobs, looseNames, pack, turns } = this.#objects;
    for (const { from, root, path, mode, oid } of [...looseNames, ...looseBlobs]) {
      this.files.add(root, { oid: from, path, mode, bytes: pack.size(oid) });
      this.findings.add(path, { source: "path", oid: from, root, path });
      if (turns.due) await turns.take();
    }
    for (const blob of looseBlobs) {
      const { from, root, path } = blob;
      for await (const { text, startLine, startColumn } of readWhole(this.#objects, blob, this.#meter)) {
        for (const secret of placed(this.findings.find(text, path), startLine, startColumn)) {
          this.findings.keep(secret, { source: "file", oid: from, root, path }, false);
        }
      }
      await this.#readPointer(blob.oid, from, path);
    }
  }

  async #readFile(commit: string, { file, additions }: ChangedFile, isOlder: boolean): Promise<void> {
    const found: { readonly secret: PlacedSecret; readonly path: string }[] = [];
    for await (const addition of additions) {
      const { text, path, startLine, startColumn } = addition;
      const secrets = placed(this.findings.find(text, path), startLine, startColumn);
      if (!isOlder) this.hunks.add(addition, secrets.length === 0);
      for (const secret of secrets) found.push({ secret, path });
    }
    if (!isOlder) await this.#readPointer(file.change.oid, commit, pathText(file.change.path));
    // Only now: where they come from is read from other files.
    for (const [at, { secret, path }] of found.entries()) {
      const isTraced = !isOlder && at < TRACED_FINDINGS;
      const origin = isTraced ? await this.#known.inFile(commit, file.change.path, secret.fingerprint) : "new";
      this.#keep(secret, commit, { source: "file", path }, isOlder ? "upstream" : origin);
    }
  }

  #keep(
    secret: PlacedSecret,
    commit: string,
    where: { readonly source: "file" | "path"; readonly path: string },
    origin: Origin,
  ): void {
    if (origin === "told") return;
    this.findings.keep(secret, { ...where, oid: commit, root: commit }, origin === "upstream");
    if (origin === "new") this.#known.tell(commit, secret.fingerprint);
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
  for (const { update, kind } of reading.facts.refs) {
    if (kind === "delete" || !isOf(update.ref)) continue;
    const { text, truncated } = await readRefDiff(reading.objects, update, DIFF_BYTES);
    diffs.push({ ref: scanner.mask(update.ref).text, diff: scanner.mask(text).text, truncated });
  }
  return diffs;
}
