import type { Finding, FindingSource } from "../../model/finding.ts";
import type { PlacedSecret, Scanner } from "../../secrets/scanner.ts";
import type { ReadBaseline } from "./baseline.ts";
import { rememberAnswers } from "./remember.ts";

/** Findings that are kept of one push: a thousand refuse it as well as a million do. */
const KEPT_FINDINGS = 1_000;

/** When somebody did it, in seconds of ten digits: too few for a secret, and no two commits have the same. */
const SECONDS = /> \d{10} /g;

/** Where a text stands. */
export interface Place {
  readonly source: FindingSource;
  /** The commit or tag object; null where there is none. */
  readonly oid: string | null;
  /** What a ref has to reach to bring it: a commit, a tag, a tree or file that a ref points at, or a ref's own name; null: it stands at every ref. */
  readonly root: string | null;
  readonly path?: string;
}

export interface Found {
  readonly finding: Finding;
  readonly root: string | null;
}

/** Looks texts through, and keeps the places of what is found. */
export class Findings {
  readonly #scanner: Scanner;
  readonly #maskPath: (path: string) => string;
  readonly #findInPath: (path: string) => readonly PlacedSecret[];
  readonly #findInPeople: (text: string) => readonly PlacedSecret[];
  readonly #found: Found[] = [];
  readonly #seen = new Set<string>();
  /** Of what has a finding that refuses it, after there was room for all of them. */
  readonly #refused = new Set<string>();

  readonly #readBaseline: ReadBaseline;
  #accepts: ReturnType<ReadBaseline> | null = null;

  constructor(scanner: Scanner, readBaseline: ReadBaseline) {
    this.#scanner = scanner;
    this.#readBaseline = readBaseline;
    this.#maskPath = rememberAnswers((path) => scanner.maskName(path));
    // Thousands of commits touch the same ones.
    this.#findInPeople = rememberAnswers((text) => scanner.find(text));
    this.#findInPath = rememberAnswers((path) => scanner.find(path, path));
  }

  find(text: string, path?: string): readonly PlacedSecret[] {
    return text === path ? this.#findInPath(text) : this.#scanner.find(text, path);
  }

  /** The same for author and committer: the same few people at ever new times. */
  findInIdentity(text: string): readonly PlacedSecret[] {
    return this.#findInPeople(text.replace(SECONDS, "> 0000000000 "));
  }

  async add(text: string, place: Place): Promise<void> {
    for (const secret of this.find(text, place.path)) await this.keep(secret, place, false);
  }

  async keep(secret: PlacedSecret, { source, oid, root, path }: Place, known: boolean): Promise<void> {
    // Asked for with the first finding: most pushes have none.
    const accepts = await (this.#accepts ??= this.#readBaseline());
    const shown = path === undefined ? null : this.#maskPath(path);
    const finding: Finding = {
      ...secret,
      source,
      oid,
      path: shown,
      known,
      // A ref's name or a push option cannot vouch for itself: nobody reads it in a review.
      allowed: source === "file" ? secret.allowed : null,
      baseline: accepts({ fingerprint: secret.fingerprint, path: shown }),
    };
    const key = [finding.rule, root, oid, finding.path, finding.line, finding.column, source].join("\0");
    if (this.#seen.has(key)) return;
    if (this.#seen.size >= KEPT_FINDINGS) {
      // Of each place one that refuses it, and one of what counts for less: verdicts are per ref, and none may pass because others had more.
      const refused = `${root} ${known} ${finding.allowed !== null}`;
      if (finding.severity !== "block" || finding.baseline !== null || this.#refused.has(refused)) return;
      this.#refused.add(refused);
    } else this.#seen.add(key);
    this.#found.push({ finding, root });
  }

  /** A block refuses the push: it stands before what only warns, however much of that there is. */
  all(): readonly Found[] {
    const ofSeverity = (wanted: string) => this.#found.filter(({ finding }) => finding.severity === wanted);
    return [...ofSeverity("block"), ...ofSeverity("warn")];
  }
}
