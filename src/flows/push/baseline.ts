/** Findings that were accepted beforehand: the entries of the baseline, held against what a push brings. */
import type { Acceptance, Finding } from "../../model/finding.ts";
import { matchesGlob } from "../../model/glob.ts";
import type { Scanner } from "../../secrets/scanner.ts";
import { listLiveBaseline, type BaselineRow } from "../../store/baseline.ts";
import type { Queryable } from "../../store/database.ts";

/** What an entry is about. */
export type FindingPlace = Pick<Finding, "fingerprint" | "path">;

/** Reads the entries for one push. @returns says of each finding which of them accepts it; null: none does */
export type ReadBaseline = () => Promise<(finding: FindingPlace) => Acceptance | null>;

/** @param repository `<connection>/<path>` */
export const createBaseline =
  (db: Queryable, repository: string, scanner: Pick<Scanner, "maskName">, now: () => Date): ReadBaseline =>
  async () => {
    // By the name that the record has as well: an entry made from a recorded push has that one.
    const names = [repository, scanner.maskName(repository)];
    const entries = (await listLiveBaseline(db, now())).filter((entry) =>
      names.some((name) => matches(entry.repository, name)),
    );
    const byFingerprint = new Map<string, BaselineRow[]>();
    for (const entry of entries) {
      const others = byFingerprint.get(entry.fingerprint);
      if (others === undefined) byFingerprint.set(entry.fingerprint, [entry]);
      else others.push(entry);
    }
    return ({ fingerprint, path }) => {
      const entry = byFingerprint.get(fingerprint)?.find((entry) => matches(entry.path, path));
      return entry === undefined ? null : { id: entry.id, reason: entry.reason };
    };
  };

/**
 * To the letter: what lets through is not widened by a name that only resembles the one that was meant. A path may itself hold
 * a star.
 */
const matches = (glob: BaselineRow["path"], text: string | null): boolean =>
  glob === null || (text !== null && (glob === text || matchesGlob(glob, text)));
