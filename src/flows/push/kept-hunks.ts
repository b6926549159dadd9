import type { Addition } from "../../git/additions.ts";
import type { AddedHunk } from "../../model/added-hunk.ts";
import type { Scanner } from "../../secrets/scanner.ts";
import { rememberAnswers } from "./remember.ts";

/** Characters of added lines that the record keeps of one push. All of them are inspected. */
const KEPT_CHARACTERS = 8 * 1024 * 1024;

/** Collects the added lines of text files, masked, up to a bound. */
export class KeptHunks {
  readonly hunks: AddedHunk[] = [];
  isTruncated = false;
  readonly #maskPath: (path: string) => string;
  #characters = 0;

  constructor(scanner: Scanner) {
    this.#maskPath = rememberAnswers((path) => scanner.maskName(path));
  }

  /** Whether anything more is kept. */
  get hasRoom(): boolean {
    return this.#characters <= KEPT_CHARACTERS;
  }

  /** @param masked its text, masked: called where it is kept */
  add(addition: Addition, masked: () => string): void {
    if (addition.kind !== "text") return;
    // Part of a line that is megabytes long: nothing that anybody wrote, or reads.
    if (addition.startColumn > 1) return;
    this.#characters += addition.text.length - addition.overlap;
    if (this.#characters > KEPT_CHARACTERS) {
      this.isTruncated = true;
      return;
    }
    // The overlap ends with a line. It is masked with the rest: a secret may reach from it into what follows.
    const told = addition.text.slice(0, addition.overlap).split("\n").length - 1;
    const text = masked();
    this.hunks.push({
      commit: addition.commit,
      path: this.#maskPath(addition.path),
      startLine: addition.startLine + told,
      text: told === 0 ? text : text.split("\n").slice(told).join("\n"),
    });
  }
}
