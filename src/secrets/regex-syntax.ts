/**
 * RE2 syntax → tree. Source: https://github.com/google/re2/wiki/Syntax
 *
 * Rules are written in RE2 so that they can be run by any engine. V8 takes another dialect (`\s`, `.`, `\z` and
 * `[[:alnum:]]` mean something else or nothing there), so that a pattern is never handed over as it stands: it is read into
 * this tree, in which every atom is a plain set of UTF-16 code units, and written anew by `regex-source.ts`.
 *
 * Differences from RE2, all of them told: letters fold in ASCII only; `\p{…}`, `\C` and characters outside the Basic
 * Multilingual Plane inside a class are refused; an unbounded repetition means "up to `unboundedRepeat` times".
 */
import { err, ok, type Result } from "../errors.ts";
import { anyUnit, charClass, foldCase, negate, union, type CharSet } from "./char-set.ts";

export type RegexNode =
  | { readonly kind: "char"; readonly set: CharSet }
  | { readonly kind: "sequence"; readonly nodes: readonly RegexNode[] }
  | { readonly kind: "choice"; readonly nodes: readonly RegexNode[] }
  | {
      readonly kind: "repeat";
      readonly node: RegexNode;
      readonly min: number;
      readonly max: number;
      readonly lazy: boolean;
    }
  | { readonly kind: "group"; readonly node: RegexNode; readonly capture: boolean }
  | { readonly kind: "assert"; readonly what: "word" | "notWord" | "textStart" | "textEnd" | "lineStart" | "lineEnd" };

/** What `*`, `+` and `{n,}` are cut to: nothing that a rule matches may grow with the input. */
const unboundedRepeat = 2048;
/** RE2's own limit for a counted repetition. */
const largestCount = 1000;
const deepestNesting = 100;

interface Flags {
  readonly ignoreCase: boolean;
  readonly multiLine: boolean;
  readonly dotAll: boolean;
  readonly ungreedy: boolean;
}

class SyntaxMistake extends Error {}

/** @returns the tree, or what is wrong with the pattern, in words for the person who wrote it. */
export function parseRegex(pattern: string): Result<RegexNode, string> {
  try {
    return ok(new RegexReader(pattern).read());
  } catch (error) {
    if (error instanceof SyntaxMistake) return err(error.message);
    throw error;
  }
}

const escapedUnits: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };

class RegexReader {
  private at = 0;
  private depth = 0;
  private flags: Flags = { ignoreCase: false, multiLine: false, dotAll: false, ungreedy: false };
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  read(): RegexNode {
    const node = this.choice();
    if (this.at < this.text.length) throw new SyntaxMistake("unmatched `)`");
    return node;
  }

  private takes(expected: string): boolean {
    if (!this.text.startsWith(expected, this.at)) return false;
    this.at += expected.length;
    return true;
  }

  private choice(): RegexNode {
    const outer = this.flags;
    const branches: RegexNode[] = [this.sequence()];
    while (this.takes("|")) branches.push(this.sequence());
    // A flag group such as `(?i)` holds to the end of the group that it stands in.
    this.flags = outer;
    return branches.length === 1 ? branches[0]! : { kind: "choice", nodes: branches };
  }

  private sequence(): RegexNode {
    const nodes: RegexNode[] = [];
    while (this.at < this.text.length && this.text[this.at] !== "|" && this.text[this.at] !== ")") {
      if (this.takes("\\Q")) {
        const end = this.text.indexOf("\\E", this.at);
        const literal = this.text.slice(this.at, end < 0 ? undefined : end);
        this.at = end < 0 ? this.text.length : end + 2;
        const atoms = literal.split("").map((unit) => this.unit(unit.charCodeAt(0)));
        // A repetition behind `\E` repeats the last character, as behind any other.
        nodes.push(...atoms.slice(0, -1), ...atoms.slice(-1).map((last) => this.repeated(last)));
        continue;
      }
      const atom = this.atom();
      if (atom !== null) nodes.push(this.repeated(atom));
    }
    return nodes.length === 1 ? nodes[0]! : { kind: "sequence", nodes };
  }

  /** @returns null for a flag group, which matches nothing by itself. */
  private atom(): RegexNode | null {
    const char = this.text[this.at]!;
    switch (char) {
      case "(":
        return this.group();
      case "[":
        return { kind: "char", set: this.bracketed() };
      case ".":
        this.at++;
        return { kind: "char", set: this.flags.dotAll ? anyUnit : negate([[10, 10]]) };
      case "^":
        this.at++;
        return { kind: "assert", what: this.flags.multiLine ? "lineStart" : "textStart" };
      case "$":
        this.at++;
        return { kind: "assert", what: this.flags.multiLine ? "lineEnd" : "textEnd" };
      case "*":
      case "+":
      case "?":
        throw new SyntaxMistake(`\`${char}\` has nothing before it to repeat`);
      case "\\":
        return this.escape();
      default:
        this.at++;
        return this.unit(char.charCodeAt(0));
    }
  }

  private unit(code: number): RegexNode {
    const set: CharSet = [[code, code]];
    return { kind: "char", set: this.flags.ignoreCase ? foldCase(set) : set };
  }

  private group(): RegexNode | null {
    if (++this.depth > deepestNesting) throw new SyntaxMistake(`groups are nested deeper than ${deepestNesting}`);
    this.at++;
    let capture = true;
    const outer = this.flags;
    if (this.takes("?")) {
      for (const look of ["=", "!", "<=", "<!"]) {
        if (this.text.startsWith(look, this.at)) {
          throw new SyntaxMistake(
            `\`(?${look}\` looks around, which RE2 cannot do; match the neighbour or use \`allow\``,
          );
        }
      }
      if (this.text.startsWith(">", this.at)) throw new SyntaxMistake("`(?>` is an atomic group, which RE2 has not");
      const named = /^P?<(\w+)>/.exec(this.text.slice(this.at));
      if (named !== null) {
        this.at += named[0].length;
      } else {
        const flags = /^([imsU]*)(?:-([imsU]+))?([:)])/.exec(this.text.slice(this.at));
        if (flags === null) throw new SyntaxMistake(`\`(?${this.text.slice(this.at, this.at + 4)}\` is not RE2 syntax`);
        this.at += flags[0].length;
        this.flags = withFlags(withFlags(this.flags, flags[1]!, true), flags[2] ?? "", false);
        if (flags[3] === ")") {
          this.depth--;
          return null;
        }
        capture = false;
      }
    }
    const node = this.choice();
    if (!this.takes(")")) throw new SyntaxMistake("a `(` is never closed");
    this.flags = outer;
    this.depth--;
    return { kind: "group", node, capture };
  }

  private repeated(node: RegexNode): RegexNode {
    const match = /^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})/.exec(this.text.slice(this.at));
    if (match === null) return node;
    this.at += match[0].length;
    let min = match[0] === "+" ? 1 : 0;
    let max = match[0] === "?" ? 1 : Infinity;
    if (match[1] !== undefined) {
      min = Number(match[1]);
      max = match[2] === undefined ? min : match[3] === "" ? Infinity : Number(match[3]);
      if (min > largestCount || (max !== Infinity && max > largestCount)) {
        throw new SyntaxMistake(`\`${match[0]}\` counts beyond ${largestCount}, RE2's limit`);
      }
      if (max < min) throw new SyntaxMistake(`\`${match[0]}\` has its numbers in the wrong order`);
    }
    const lazy = this.takes("?") !== this.flags.ungreedy;
    if (/^(?:[*+?]|\{\d+(?:,\d*)?\})/.test(this.text.slice(this.at))) {
      throw new SyntaxMistake(`\`${match[0]}${this.text[this.at]!}\` repeats a repetition, which RE2 has not`);
    }
    return { kind: "repeat", node, min, max: max === Infinity ? unboundedRepeat : max, lazy };
  }

  private escape(): RegexNode {
    const next = this.text[this.at + 1];
    if (next === undefined) throw new SyntaxMistake("the pattern ends in a lone backslash");
    const asserts = { b: "word", B: "notWord", A: "textStart", z: "textEnd" } as const;
    if (next in asserts) {
      this.at += 2;
      return { kind: "assert", what: asserts[next as keyof typeof asserts] };
    }
    if (/[1-9k]/.test(next)) throw new SyntaxMistake(`\`\\${next}\` refers back to a group, which RE2 cannot do`);
    const set = this.escapedSet();
    return { kind: "char", set: this.flags.ignoreCase ? foldCase(set) : set };
  }

  /** An escape that stands for characters, inside a class or outside. */
  private escapedSet(): CharSet {
    const named = /^\\[dDsSwW]/.exec(this.text.slice(this.at, this.at + 2));
    if (named !== null) {
      this.at += 2;
      return charClass(named[0][1]!);
    }
    const code = this.escapedUnit();
    return [[code, code]];
  }

  private escapedUnit(): number {
    const hex = /^\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/.exec(this.text.slice(this.at, this.at + 10));
    if (hex !== null) {
      this.at += hex[0].length;
      const code = Number.parseInt(hex[1] ?? hex[2]!, 16);
      if (code > 0xffff) throw new SyntaxMistake(`\`${hex[0]}\` lies outside the Basic Multilingual Plane`);
      return code;
    }
    const next = this.text[this.at + 1] ?? "";
    this.at += 2;
    const unit = escapedUnits[next];
    if (unit !== undefined) return unit;
    if (next === "0") return 0;
    if (next === "" || /[A-Za-z0-9]/.test(next)) throw new SyntaxMistake(`\`\\${next}\` is not supported`);
    return next.charCodeAt(0);
  }

  private bracketed(): CharSet {
    const start = this.at++;
    const negated = this.takes("^");
    let set: CharSet = [];
    for (let first = true; ; first = false) {
      if (this.at >= this.text.length) {
        throw new SyntaxMistake(`\`${this.text.slice(start, start + 12)}…\` is never closed`);
      }
      if (!first && this.takes("]")) break;
      const posix = /^\[:(\^?)(\w+):\]/.exec(this.text.slice(this.at));
      if (posix !== null) {
        const members = charClass(posix[2]!);
        if (members.length === 0) throw new SyntaxMistake(`\`${posix[0]}\` is not a class that RE2 knows`);
        this.at += posix[0].length;
        set = union(set, posix[1] === "^" ? negate(members) : members);
        continue;
      }
      if (/^\\[dDsSwW]/.test(this.text.slice(this.at, this.at + 2))) {
        set = union(set, this.escapedSet());
        continue;
      }
      const from = this.member();
      let to = from;
      if (this.text[this.at] === "-" && this.text[this.at + 1] !== "]" && this.at + 1 < this.text.length) {
        this.at++;
        to = this.member();
      }
      if (to < from) throw new SyntaxMistake("a range in a class has its ends in the wrong order");
      set = union(set, [[from, to]]);
    }
    if (this.flags.ignoreCase) set = foldCase(set);
    return negated ? negate(set) : set;
  }

  private member(): number {
    if (this.text[this.at] === "\\") return this.escapedUnit();
    const code = this.text.charCodeAt(this.at++);
    if (code >= 0xd800 && code <= 0xdfff) {
      throw new SyntaxMistake("a character in a class lies outside the Basic Multilingual Plane");
    }
    return code;
  }
}

function withFlags(flags: Flags, letters: string, on: boolean): Flags {
  return {
    ignoreCase: letters.includes("i") ? on : flags.ignoreCase,
    multiLine: letters.includes("m") ? on : flags.multiLine,
    dotAll: letters.includes("s") ? on : flags.dotAll,
    ungreedy: letters.includes("U") ? on : flags.ungreedy,
  };
}
