/**
 * What every new commit adds, file by file: the lines that its parent does not have. Of a merge, the lines that none of its
 * parents has ("evil merges"). Never the net difference: what a later commit undoes has been pushed all the same.
 *
 * `git diff-tree -p -U0` does the comparing for text; what it calls binary, what is larger than 4 MiB and merges are read
 * from the objects themselves. Nothing in the push can change that: a bare repository reads no `.gitattributes` from
 * commits, its own `info/attributes` unsets what could, and no external diff, text conversion or configuration is in reach.
 */
import { createReadStream } from "node:fs";
import { GatewayError } from "../errors.ts";
import type { AddedHunk } from "../model/added-hunk.ts";
import { isZeroOid } from "../model/ref-update.ts";
import { AdditionAssembler } from "./addition-assembler.ts";
import { ObjectReader, readCommand } from "./cat-file.ts";
import { RENAME_LIMIT } from "./changed-paths.ts";
import { readContentLines, textLine } from "./content-lines.ts";
import { splitRecords } from "./git-output.ts";
import { LineSet } from "./line-set.ts";
import { overLimit } from "./limits.ts";
import type { NewObjects } from "./new-objects.ts";
import { PatchParser, type PatchEvent } from "./patch-parser.ts";
import { isBlobMode, RawDiffParser, SUBMODULE_MODE } from "./raw-diff.ts";

/** Added lines in one piece. Findings in an overlap have the same place in both pieces: they are the same finding. */
export interface Addition extends AddedHunk {
  /** 1-based column of the text's first character, in UTF-16 code units: more than 1 in later pieces of a very long line. */
  readonly startColumn: number;
  /** How many code units at the beginning the addition before had already. */
  readonly overlap: number;
  /** `extracted`: the printable part of what is no text; lines are right, columns mean nothing. Not for attribution. */
  readonly kind: "text" | "extracted";
}

export const PATCH_OPTIONS = [
  "-p",
  "--full-index",
  "--src-prefix=a/",
  "--dst-prefix=b/",
  "--find-renames",
  `-l${RENAME_LIMIT}`,
  "--no-color",
  "--no-ext-diff",
  "--no-textconv",
  "--submodule=short",
  "--ignore-submodules=none",
];

const ADDED_LINES = ["diff-tree", "--stdin", "--root", "-r", "-U0", "--diff-filter=d", ...PATCH_OPTIONS];

/**
 * Every addition of every new commit, and all content that no commit has; each in some hundred KiB at most (a line of up
 * to 4 MiB stays whole). Commits without a second parent come first.
 * @throws GatewayError `inspection_failed`, `limit_exceeded`
 */
export async function* readAdditions(objects: NewObjects): AsyncGenerator<Addition, void, undefined> {
  const limit = objects.quarantine.limits.additionBytes;
  let left = limit;
  const reader = new ObjectReader(objects.context);
  try {
    for (const part of [ofPlainCommits, ofMerges, ofLooseBlobs]) {
      for await (const additions of part(objects, reader)) {
        for (const addition of additions) {
          left -= addition.text.length;
          if (left < 0) throw overLimit.additionBytes(limit);
          yield addition;
        }
      }
    }
  } finally {
    await reader.close();
  }
}

async function* ofPlainCommits(objects: NewObjects, reader: ObjectReader): AsyncGenerator<Addition[]> {
  const plain = objects.commits.filter((oid) => (objects.graph.get(oid)?.parents.length ?? 0) < 2);
  if (plain.length === 0) return;
  const input = plain.map((oid) => `${[oid, ...(objects.graph.get(oid)?.parents ?? [])].join(" ")}\n`);
  const output = objects.context.git.stream({ ...readCommand(objects.context, ADDED_LINES), input });
  const parser = new PatchParser();
  let file: Extract<PatchEvent, { kind: "file" }> | null = null;
  let assembler: AdditionAssembler | null = null;
  for await (const lines of splitRecords(output, 0x0a)) {
    const ready: Addition[] = [];
    for (const line of lines) {
      for (const event of parser.parse(line)) {
        if (event.kind === "file") {
          if (assembler !== null) ready.push(...assembler.end());
          file = event;
          assembler = new AdditionAssembler(event.commit, event.path);
        } else if (file === null || assembler === null) {
          throw new GatewayError("inspection_failed", "git diff-tree told of content before the file that it is in");
        } else if (event.kind === "line") {
          // The line of a submodule is git's own.
          if (file.mode !== SUBMODULE_MODE) {
            for (const text of textLine(event.number, event.bytes)) ready.push(...assembler.add(text));
          }
        } else {
          yield ready.splice(0);
          const parents = isZeroOid(event.oldOid) ? [] : [event.oldOid];
          yield* ofBlob({ reader, commit: file.commit, path: file.path, oid: event.newOid, parents });
        }
      }
    }
    if (ready.length > 0) yield ready;
  }
  if (assembler !== null) yield assembler.end();
}

async function* ofMerges(objects: NewObjects, reader: ObjectReader): AsyncGenerator<Addition[]> {
  const parser = new RawDiffParser();
  for await (const records of splitRecords(createReadStream(objects.changesFile), 0)) {
    for (const record of records) {
      const entry = parser.parse(record);
      if (entry === null || entry.oldOids.length < 2 || !isBlobMode(entry.newMode)) continue;
      const parents = entry.oldOids.filter((_, parent) => isBlobMode(entry.oldModes[parent] ?? ""));
      const path = entry.path.toString("utf8");
      yield* ofBlob({ reader, commit: entry.commit, path, oid: entry.newOid, parents });
    }
  }
}

async function* ofLooseBlobs(objects: NewObjects, reader: ObjectReader): AsyncGenerator<Addition[]> {
  for (const { oid, from, path } of objects.looseBlobs) {
    yield* ofBlob({ reader, commit: from, path, oid, parents: [] });
  }
}

interface BlobReading {
  readonly reader: ObjectReader;
  readonly commit: string;
  readonly path: string;
  readonly oid: string;
  /** The same file before. */
  readonly parents: readonly string[];
}

async function* ofBlob({ reader, commit, path, oid, parents }: BlobReading): AsyncGenerator<Addition[]> {
  const before = new LineSet();
  for (const parent of new Set(parents)) await before.addAll(readContentLines(reader.read(parent)));
  const text = new AdditionAssembler(commit, path);
  for await (const lines of readContentLines(reader.read(oid))) {
    yield lines.filter((line) => !before.has(line)).flatMap((line) => text.add(line));
  }
  yield text.end();
}
