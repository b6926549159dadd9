/**
 * The output of `git diff-tree --stdin -p -U0 --full-index` (git's "GENERATING PATCH TEXT WITH -P"), line by line.
 *
 * Lines of content come only inside hunks, and a hunk says how many there are: what a file holds can never be taken for a
 * header. Names are quoted by git where they are unusual (`core.quotePath`), so that a line is a line.
 */
import { GatewayError } from "../errors.ts";

export type PatchEvent =
  | { readonly kind: "file"; readonly commit: string; readonly path: string; readonly mode: string }
  /** One added line; `number` is 1-based in the new file. */
  | { readonly kind: "line"; readonly number: number; readonly bytes: Buffer }
  /** git took the content for binary, or it is too large to compare. `oldOid` is all zeros for a new file. */
  | { readonly kind: "binary"; readonly oldOid: string; readonly newOid: string };

const unexpected = (): GatewayError => new GatewayError("inspection_failed", "git diff-tree answered with no patch");

const HUNK = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;
const EXTENDED = /^(?:old mode|deleted file mode|similarity index|dissimilarity index|rename from|--- ) ?/;
const PLUS = 0x2b;
const MINUS = 0x2d;
const BACKSLASH = 0x5c;

export class PatchParser {
  #commit = "";
  #path = "";
  #mode = "";
  #oldOid = "";
  #newOid = "";
  #isTold = false;
  #removedLeft = 0;
  #addedLeft = 0;
  #number = 0;

  /** @returns what the line says, often nothing. @throws GatewayError `inspection_failed` */
  parse(line: Buffer): readonly PatchEvent[] {
    const first = line[0];
    if (this.#removedLeft > 0 || this.#addedLeft > 0) {
      if (first === PLUS && this.#addedLeft > 0) {
        this.#addedLeft -= 1;
        return [{ kind: "line", number: this.#number++, bytes: line.subarray(1) }];
      }
      if (first === MINUS && this.#removedLeft > 0) {
        this.#removedLeft -= 1;
        return [];
      }
      if (first === BACKSLASH) return [];
      throw unexpected();
    }
    if (first === BACKSLASH) return [];
    return this.#parseHeader(line.toString("latin1"));
  }

  #parseHeader(text: string): readonly PatchEvent[] {
    if (text.startsWith("@@ ")) {
      const [, removed = "1", start, added = "1"] = HUNK.exec(text) ?? [];
      if (start === undefined) throw unexpected();
      this.#removedLeft = Number(removed);
      this.#addedLeft = Number(added);
      this.#number = Number(start);
      return this.#tellFile();
    }
    if (text.startsWith("diff --git ")) {
      this.#path = samePath(text.slice("diff --git ".length));
      this.#mode = "";
      this.#isTold = false;
    } else if (text.startsWith("new file mode ") || text.startsWith("new mode ")) {
      this.#mode = text.slice(text.lastIndexOf(" ") + 1);
    } else if (text.startsWith("rename to ")) {
      this.#path = unquote(text.slice("rename to ".length));
    } else if (text.startsWith("index ")) {
      const [, oldOid, newOid, mode] = /^index ([0-9a-f]+)\.\.([0-9a-f]+)(?: (\d+))?$/.exec(text) ?? [];
      if (oldOid === undefined || newOid === undefined) throw unexpected();
      this.#oldOid = oldOid;
      this.#newOid = newOid;
      if (mode !== undefined) this.#mode = mode;
    } else if (text.startsWith("+++ ")) {
      // A tab ends a name that has a space in it.
      const name = unquote(text.slice("+++ ".length).replace(/\t$/, ""));
      if (name !== "/dev/null") this.#path = name.slice("b/".length);
    } else if (text.startsWith("Binary files ")) {
      return [...this.#tellFile(), { kind: "binary", oldOid: this.#oldOid, newOid: this.#newOid }];
    } else if (/^[0-9a-f]{40,64}$/.test(text)) {
      this.#commit = text;
    } else if (!EXTENDED.test(text)) {
      throw unexpected();
    }
    return [];
  }

  #tellFile(): readonly PatchEvent[] {
    if (this.#isTold) return [];
    this.#isTold = true;
    const path = Buffer.from(this.#path, "latin1").toString("utf8");
    return [{ kind: "file", commit: this.#commit, path, mode: this.#mode }];
  }
}

/** `a/NAME b/NAME`, both quoted or neither. Where the names differ, it is a rename, and lines of its own tell them. */
function samePath(names: string): string {
  if (names.startsWith('"')) {
    const end = /^"(?:[^"\\]|\\.)*"/.exec(names)?.[0].length ?? 0;
    return unquote(names.slice(0, end)).slice("a/".length);
  }
  return names.slice("a/".length, (names.length - 1) / 2);
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  t: "\t",
  n: "\n",
  v: "\v",
  f: "\f",
  r: "\r",
  '"': '"',
  "\\": "\\",
};

/** git's C-style quoting (quote.c): octal for bytes, a few letters. @returns one character a byte */
function unquote(name: string): string {
  if (!name.startsWith('"')) return name;
  return name
    .slice(1, -1)
    .replace(/\\([0-3][0-7]{2}|.)/gs, (_, escape: string) =>
      escape.length === 3 ? String.fromCharCode(Number.parseInt(escape, 8)) : (ESCAPES[escape] ?? escape),
    );
}
