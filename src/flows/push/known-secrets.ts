/**
 * Whether a secret was there before: in the same file (moves followed) of a parent, of its parents, and so on. Asked only where
 * something was found, so that it costs nothing otherwise.
 */
import { createAdditionMeter, readWhole } from "../../git/additions.ts";
import { hasContent } from "../../git/inspection/tree.ts";
import type { NewObjects } from "../../git/new-objects.ts";
import { pathText } from "../../git/object-text.ts";
import type { PlacedSecret, Scanner } from "../../secrets/scanner.ts";
import { rememberAnswers } from "./remember.ts";

/**
 * `upstream`: it stood in the file upstream. `told`: a commit of this push brought it in and was told of. `new`: neither, or it
 * would take too long to know.
 */
export type Origin = "upstream" | "told" | "new";

/** Versions that are looked at for one push: whoever pushes chooses how many there are. */
const MAX_STEPS = 20_000;
/** Versions of files whose secrets are remembered. */
const MAX_VERSIONS = 500;

interface Position {
  readonly commit: string;
  /** One character a byte. */
  readonly path: string;
}

/** As `Scanner.find`, in the course of time. */
export type FindSecrets = (text: string, path: string) => Promise<readonly PlacedSecret[]>;

export class KnownSecrets {
  readonly #objects: NewObjects;
  readonly #find: FindSecrets;
  readonly #isNew: ReadonlySet<string>;
  readonly #told = new Set<string>();
  readonly #versions = new Map<string, ReadonlySet<string>>();
  readonly #findInPath: (path: string) => ReadonlySet<string>;
  #steps = 0;

  /** @param scanner for names @param find for contents */
  constructor(objects: NewObjects, scanner: Scanner, find: FindSecrets) {
    this.#objects = objects;
    this.#find = find;
    this.#isNew = new Set(objects.commits);
    this.#findInPath = rememberAnswers(
      (path) => new Set(scanner.find(path, path).map(({ fingerprint }) => fingerprint)),
    );
  }

  /** Notes that the finding at this commit is told. */
  tell(commit: string, fingerprint: string): void {
    this.#told.add(`${commit} ${fingerprint}`);
  }

  /** Of a secret in a line that a new commit adds to the file at `path`. */
  inFile(commit: string, path: string, fingerprint: string): Promise<Origin> {
    return this.#trace({ commit, path }, fingerprint, (oid, at) => this.#hasSecret(oid, at, fingerprint));
  }

  /** Of a secret in the very name of a file that a new commit changes. */
  inPath(commit: string, path: string, fingerprint: string): Promise<Origin> {
    return this.#trace({ commit, path }, fingerprint, async (_, at) => this.#findInPath(pathText(at)).has(fingerprint));
  }

  /** Up through the versions that have it, to where it came in. */
  async #trace(
    start: Position,
    fingerprint: string,
    hasIt: (oid: string, path: string) => Promise<boolean>,
  ): Promise<Origin> {
    const { changes, turns } = this.#objects;
    const seen = new Set<string>();
    const stack = [start];
    let origin: Origin = "new";
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if ((this.#steps += 1) > MAX_STEPS) return "new";
      if (turns.due) await turns.take();
      const { commit, path } = at;
      const moved = (await changes.files(commit)).find(({ change }) => change.path === path)?.movedFrom?.path;
      let isInherited = false;
      for (const parent of (await changes.node(commit)).parents) {
        const before = { commit: parent, path: moved ?? path };
        const entry = await changes.at(parent, before.path);
        if (entry === null || !hasContent(entry.mode) || !(await hasIt(entry.oid, before.path))) continue;
        if (!this.#isNew.has(parent)) return "upstream";
        isInherited = true;
        const key = `${parent} ${before.path}`;
        if (seen.has(key)) continue;
        seen.add(key);
        stack.push(before);
      }
      // Its introduction. Told of: or it is not, as when only several commits together make the secret.
      if (!isInherited && at !== start && this.#told.has(`${commit} ${fingerprint}`)) origin = "told";
    }
    return origin;
  }

  async #hasSecret(oid: string, path: string, fingerprint: string): Promise<boolean> {
    const key = `${oid} ${path}`;
    let found = this.#versions.get(key);
    if (found === undefined) {
      const all = new Set<string>();
      const text = pathText(path);
      const meter = createAdditionMeter(this.#objects);
      for await (const piece of readWhole(this.#objects, { oid, from: "", path: text }, meter)) {
        for (const secret of await this.#find(piece.text, text)) all.add(secret.fingerprint);
      }
      if (this.#versions.size >= MAX_VERSIONS) this.#versions.clear();
      this.#versions.set(key, all);
      found = all;
    }
    return found.has(fingerprint);
  }
}
