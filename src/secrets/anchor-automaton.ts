/**
 * One dense Aho–Corasick automaton over all anchors: a table look-up for each code unit, whatever the number of anchors. Letters fold
 * in ASCII; every character that stands in no anchor shares one column.
 */
import { stretchLength } from "./encoded-text.ts";

const asciiSize = 128;
const root = 0;
/** Code units in one go: hits lie in a buffer of fixed size. */
const blockLength = 1365 * stretchLength;
/** The column of base64 digits that stand in no anchor, and of what is neither: columns below the second are digits. */
const otherDigit = 0;
const otherSign = 64;
const columnBits = 7;
const columns = 1 << columnBits;
/** Those that text is made of stand side by side, and in the processor's cache. */
const byFrequency = "etaoinsrlcdupmhgfybvkwjxqz0123456789_-/+";

export class AnchorAutomaton {
  /** Of the last `scan`: for each hit the offset behind it, and the state that it ended in. */
  readonly hits = new Int32Array(2 * blockLength);
  hitCount = 0;
  /** Also of the last `scan`: the ends of stretches in which nothing stands but digits of base64. */
  readonly runs = new Int32Array(blockLength / stretchLength);
  runCount = 0;
  private readonly columnOf = new Uint8Array(65_536);
  /** By state and column the next state. Half as wide where the states' numbers are small enough: it is read at random. */
  private readonly table: Uint16Array | Int32Array;
  /** States from here on, and no others, end an anchor. */
  readonly firstHit: number;
  readonly states: number;
  private readonly depths: Int32Array;
  private readonly ends: readonly (readonly number[])[];

  /** @param anchors in any case, ASCII, none empty. */
  constructor(anchors: readonly string[]) {
    const folded = anchors.map((anchor) => anchor.toLowerCase());
    assignColumns(folded, this.columnOf);
    const { children, depths, ends } = buildTrie(folded, this.columnOf);
    const { order, fail } = linkFailures(children);
    for (const state of order) {
      const inherited = ends[fail[state]!]!;
      if (state !== root && inherited.length > 0) ends[state] = [...ends[state]!, ...inherited];
    }
    // States that end an anchor are numbered last, so that one comparison tells a hit from ordinary text; the others by depth, so
    // that those in use lie together.
    const renumbered = [...order.filter((s) => ends[s]!.length === 0), ...order.filter((s) => ends[s]!.length > 0)];
    const position = new Int32Array(order.length);
    for (const [place, state] of renumbered.entries()) position[state] = place;
    this.states = order.length;
    const size = order.length * columns;
    this.table = order.length <= 65_536 ? new Uint16Array(size) : new Int32Array(size);
    for (const state of order) {
      const row = position[state]! * columns;
      const via = position[fail[state]!]! * columns;
      if (state !== root) this.table.copyWithin(row, via, via + columns);
      for (const [column, child] of children[state]!) this.table[row + column] = position[child]!;
    }
    this.depths = Int32Array.from(renumbered, (state) => depths[state]!);
    this.ends = renumbered.map((state) => ends[state]!);
    const first = renumbered.findIndex((state) => ends[state]!.length > 0);
    this.firstHit = first < 0 ? renumbered.length : first;
  }

  /**
   * Reads on from `from`, for a block at most; its hits are in `hits`.
   * @param state what the previous call gave as `state`, or 0 at the beginning.
   */
  scan(text: string, from: number, state: number): { readonly to: number; readonly state: number } {
    const { columnOf, table, firstHit, hits, runs } = this;
    const to = Math.min(text.length, from + blockLength);
    let at = state;
    let count = 0;
    let runCount = 0;
    for (let i = from; i < to;) {
      const stop = Math.min(to, i + stretchLength);
      const isWhole = stop - i === stretchLength;
      let signs = 0;
      for (; i < stop; i++) {
        const column = columnOf[text.charCodeAt(i)]!;
        signs |= column;
        at = table[(at << columnBits) | column]!;
        if (at >= firstHit) {
          hits[count] = i + 1;
          hits[count + 1] = at;
          count += 2;
        }
      }
      if (signs < otherSign && isWhole) runs[runCount++] = i;
    }
    this.runCount = runCount;
    this.hitCount = count;
    return { to, state: at };
  }

  /** The anchors, by index, that end in a state. */
  endsIn = (state: number): readonly number[] => this.ends[state]!;

  /** How many of the last code units could be the beginning of an anchor. */
  pendingLength = (state: number): number => this.depths[state]!;
}

const isDigit64 = (unit: number): boolean => /[A-Za-z0-9+/_-]/.test(String.fromCharCode(unit));

function assignColumns(words: readonly string[], columnOf: Uint8Array): void {
  columnOf.fill(otherSign);
  for (let unit = 0; unit < asciiSize; unit++) if (isDigit64(unit)) columnOf[unit] = otherDigit;
  const used = new Set(words.join(""));
  let sign = otherSign + 1;
  for (const letter of [...byFrequency.split(""), ...used].filter((letter) => used.has(letter))) {
    const unit = letter.charCodeAt(0);
    if (unit >= asciiSize) throw new RangeError("an anchor is ASCII");
    const column = isDigit64(unit) ? byFrequency.indexOf(letter) + 1 : Math.min(sign++, columns - 1);
    columnOf[unit] = column;
    columnOf[letter.toUpperCase().charCodeAt(0)] = column;
    used.delete(letter);
  }
}

/** The anchors as a tree; state 0 is its root, `ends` names the anchors that are complete in a state. */
function buildTrie(words: readonly string[], columnOf: Uint8Array) {
  const children: Map<number, number>[] = [new Map()];
  const depths = [0];
  const ends: number[][] = [[]];
  for (const [index, word] of words.entries()) {
    let state = root;
    for (let i = 0; i < word.length; i++) {
      const column = columnOf[word.charCodeAt(i)]!;
      let next = children[state]!.get(column);
      if (next === undefined) {
        next = children.length;
        children.push(new Map());
        depths.push(i + 1);
        ends.push([]);
        children[state]!.set(column, next);
      }
      state = next;
    }
    ends[state]!.push(index);
  }
  return { children, depths, ends };
}

/** For every state the longest proper suffix that is a state as well; and the states, shallow before deep. */
function linkFailures(children: readonly ReadonlyMap<number, number>[]): { order: number[]; fail: Int32Array } {
  const fail = new Int32Array(children.length);
  const order = [root];
  for (const state of order) {
    for (const [column, child] of children[state]!) {
      order.push(child);
      if (state === root) continue;
      let candidate = fail[state]!;
      while (candidate !== root && !children[candidate]!.has(column)) candidate = fail[candidate]!;
      fail[child] = children[candidate]!.get(column) ?? root;
    }
  }
  return { order, fail };
}
