/**
 * Reading a push that stands in the quarantine: every new commit and tag, all that they add, and the secrets in it. Constant
 * memory whatever the size: texts are looked through as they come, and only places are kept.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { readAdditions, type Addition } from "../../git/additions.ts";
import type { Advertisement } from "../../git/advertisement.ts";
import { readChanges, readNewCommits, readNewTags } from "../../git/commits.ts";
import { isForced, readRefDiff } from "../../git/diff.ts";
import { readNewObjects, type NewObjects } from "../../git/new-objects.ts";
import type { PushRequest } from "../../git/push-exchange.ts";
import type { Quarantine } from "../../git/quarantine.ts";
import type { AddedHunk } from "../../model/added-hunk.ts";
import type { Finding, FindingSource } from "../../model/finding.ts";
import type { CommitFacts, PushFacts, RefFacts } from "../../model/push-facts.ts";
import { isZeroOid, refUpdateKind, type RefUpdate } from "../../model/ref-update.ts";
import type { Scanner } from "../../secrets/scanner.ts";
import type { NewRefDiff } from "../../store/pushes.ts";
import { MAX_TEXT_LENGTH, MAX_TEXTS, rememberAnswers } from "./remember.ts";

export interface PushReading {
  readonly facts: PushFacts;
  /** Added lines for the record and for attribution, masked; the first of them where there are very many. */
  readonly hunks: readonly AddedHunk[];
  readonly linesTruncated: boolean;
  readonly objects: NewObjects;
}

export interface ReadPushOptions {
  readonly request: PushRequest;
  readonly advertised: Advertisement;
  /** Has received the pack. */
  readonly quarantine: Quarantine;
  readonly scanner: Scanner;
}

/** Characters of added lines that the record keeps of one push. All of them are inspected. */
const KEPT_CHARACTERS = 8 * 1024 * 1024;
/** Findings that are kept of one push: a thousand refuse it as well as a million do. */
const KEPT_FINDINGS = 1_000;
/** Characters looked through before other requests get a turn. */
const TURN_CHARACTERS = 256 * 1024;
const DIFF_BYTES = 1024 * 1024;

/** @throws GatewayError as `readNewObjects` and `readAdditions`; what cannot be read whole is refused, not passed over */
export async function readPush(options: ReadPushOptions): Promise<PushReading> {
  const { request, advertised, quarantine, scanner } = options;
  const { head } = request;
  const tips = [...new Set([...advertised.refs.values(), ...advertised.peeled.values()])];
  const objects = await readNewObjects(quarantine, { updates: head.updates, tips, signal: request.signal });
  const findings = createFindings(scanner);

  const commits: CommitFacts[] = [];
  for await (const commit of readNewCommits(objects)) {
    commits.push(commit.facts);
    for (const { source, text } of commit.texts) findings.add(text, { source, oid: commit.facts.oid });
    await findings.turn();
  }
  for await (const tag of readNewTags(objects)) {
    for (const { source, text } of tag.texts) findings.add(text, { source, oid: tag.oid });
    await findings.turn();
  }
  // Looked through once: thousands of commits touch the same ones.
  const paths = new Set<string>();
  for await (const change of readChanges(objects)) {
    if (change.kind === "delete" || paths.has(change.path)) continue;
    if (paths.size < MAX_TEXTS && change.path.length <= MAX_TEXT_LENGTH) paths.add(change.path);
    findings.add(change.path, { source: "path", oid: change.commit, path: change.path });
    await findings.turn();
  }
  const kept = createKeptHunks(scanner);
  const newCommits = new Set(objects.commits);
  for await (const addition of readAdditions(objects)) {
    const isClean = findings.addAddition(addition);
    // The record's lines belong to commits: the file of a tag on a blob is looked through, and not kept.
    if (newCommits.has(addition.commit)) kept.add(addition, isClean);
    await findings.turn();
  }
  for (const { ref } of head.updates) findings.add(ref, { source: "ref-name", oid: null });
  for (const option of head.pushOptions) findings.add(option, { source: "push-option", oid: null });
  if (head.certificate !== null) findings.add(head.certificate, { source: "push-certificate", oid: null });

  return {
    objects,
    hunks: kept.hunks,
    linesTruncated: kept.isTruncated(),
    facts: {
      principal: request.principal,
      connection: request.connection.name,
      repository: request.repository,
      refs: await readRefs(objects, head.updates, commits, findings.all),
      pushOptions: head.pushOptions,
      commits,
      findings: findings.all,
      packBytes: quarantine.received?.packBytes ?? 0,
    },
  };
}

async function readRefs(
  objects: NewObjects,
  updates: readonly RefUpdate[],
  commits: readonly CommitFacts[],
  findings: readonly Finding[],
): Promise<RefFacts[]> {
  const refs: RefFacts[] = [];
  for (const update of updates) {
    refs.push({
      update,
      kind: refUpdateKind(update),
      forced: await isForced(objects, update),
      target: isZeroOid(update.newOid) ? null : "commit",
      commits,
      paths: [],
      files: [],
      findings,
    });
  }
  return refs;
}

interface Place {
  readonly source: FindingSource;
  readonly oid: string | null;
  readonly path?: string;
}

/** Looks texts through, and keeps the places of what is found. */
function createFindings(scanner: Scanner) {
  const all: Finding[] = [];
  const seen = new Set<string>();
  let characters = 0;

  const keep = (finding: Finding): void => {
    const key = [finding.rule, finding.oid, finding.path, finding.line, finding.column, finding.source].join("\0");
    if (seen.has(key) || seen.size >= KEPT_FINDINGS) return;
    seen.add(key);
    all.push(finding);
  };
  const look = (text: string, place: Place, startLine: number, startColumn: number): boolean => {
    characters += text.length;
    const found = scanner.find(text, place.path);
    for (const { line, column, endColumn, ...secret } of found) {
      const shift = line === 1 ? startColumn - 1 : 0;
      keep({
        ...secret,
        source: place.source,
        oid: place.oid,
        path: place.path === undefined ? null : scanner.mask(place.path).text,
        line: startLine + line - 1,
        column: column + shift,
        endColumn: endColumn + shift,
        known: false,
      });
    }
    return found.length === 0;
  };

  return {
    /** A block refuses the push: it stands before what only warns, however much of that there is. */
    get all(): readonly Finding[] {
      return [
        ...all.filter(({ severity }) => severity === "block"),
        ...all.filter(({ severity }) => severity === "warn"),
      ];
    },
    add: (text: string, place: Place): void => void look(text, place, 1, 1),
    /** @returns whether nothing was found */
    addAddition: ({ text, commit, path, startLine, startColumn }: Addition): boolean =>
      look(text, { source: "file", oid: commit, path }, startLine, startColumn),
    /** Lets other requests have a turn once enough was looked through. */
    turn: async (): Promise<void> => {
      if (characters < TURN_CHARACTERS) return;
      characters = 0;
      await nextTurn();
    },
  };
}

/** Collects the added lines of text files, masked, up to a bound. */
function createKeptHunks(scanner: Scanner) {
  const hunks: AddedHunk[] = [];
  const maskPath = rememberAnswers((path) => scanner.mask(path).text);
  let characters = 0;
  let isTruncated = false;
  return {
    hunks,
    isTruncated: () => isTruncated,
    add: (addition: Addition, isClean: boolean): void => {
      if (addition.kind !== "text") return;
      // Part of a line that is megabytes long: nothing that anybody wrote, or reads.
      if (addition.startColumn > 1) return;
      characters += addition.text.length - addition.overlap;
      if (characters > KEPT_CHARACTERS) {
        isTruncated = true;
        return;
      }
      // The overlap ends with a line. It is masked with the rest: a secret may reach from it into what follows.
      const told = addition.text.slice(0, addition.overlap).split("\n").length - 1;
      const text = isClean ? addition.text : scanner.mask(addition.text).text;
      hunks.push({
        commit: addition.commit,
        path: maskPath(addition.path),
        startLine: addition.startLine + told,
        text: told === 0 ? text : text.split("\n").slice(told).join("\n"),
      });
    },
  };
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
