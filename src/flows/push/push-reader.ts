import { createAdditionMeter, readChangedFiles, readWhole, type ChangedFile } from "../../git/additions.ts";
import { GatewayError } from "../../errors.ts";
import { isModulesName } from "../../git/inspection/tree.ts";
import { findModulesFault } from "../../git/submodule-file.ts";
import { fileChange, readCommit, readNewTags } from "../../git/commits.ts";
import type { VerifyCommit } from "../../git/commit-signature.ts";
import { overLimit } from "../../git/limits.ts";
import { parseLfsPointer } from "../../git/lfs/pointer.ts";
import type { NewObjects } from "../../git/new-objects.ts";
import { pathText } from "../../git/object-text.ts";
import type { CommitFacts } from "../../model/push-facts.ts";
import type { PlacedSecret, Scanner } from "../../secrets/scanner.ts";
import type { ScanAhead } from "../scanning/scan-ahead.ts";
import type { ReadBaseline } from "./baseline.ts";
import type { PushedPointer } from "./check-pointers.ts";
import { Findings, type Place } from "./findings.ts";
import { KeptHunks } from "./kept-hunks.ts";
import { KnownSecrets, type Origin } from "./known-secrets.ts";
import { NewFiles } from "./new-files.ts";

/** Findings of one file whose history is asked for; those beyond count as new. */
const TRACED_FINDINGS = 1_000;

export interface PushReaderOptions {
  readonly scanner: Scanner;
  /** What was accepted beforehand. */
  readonly readBaseline: ReadBaseline;
  /** Asked whose a commit's signature is. */
  readonly verify: VerifyCommit;
  readonly ahead: ScanAhead;
  /** As of `PushLimits.findings`. */
  readonly mostFindings: number;
}

/** Goes through the commits, tags and files of a push, and gathers what is to be known of them. */
export class PushReader {
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
