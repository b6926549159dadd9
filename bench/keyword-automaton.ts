/**
 * A dense Aho–Corasick automaton: a table look-up for each code unit, whatever the number of words. What scanners look for keywords with, and
 * here the yardstick: the detector as a whole is measured against it alone.
 */

const asciiSize = 128;
const root = 0;
const columnBits = 6;
/** Those that text is made of stand side by side, and in the processor's cache; 0 is for what stands in no word. */
const byFrequency = "etaoinsrlcdupmhgfybvkwjxqz0123456789_-/+";
const columns = 1 << columnBits;

export class KeywordAutomaton {
  readonly states: number;
  private readonly columnOf = new Uint8Array(65_536);
  private readonly table: Uint16Array | Int32Array;
  /** States from here on, and no others, end a word. */
  private readonly firstHit: number;

  /** @param words in any case, ASCII, none empty. */
  constructor(words: readonly string[]) {
    const folded = words.map((word) => word.toLowerCase());
    assignColumns(folded, this.columnOf);
    const { children, ends } = buildTrie(folded, this.columnOf);
    const { order, fail } = linkFailures(children);
    for (const state of order) if (ends[fail[state]!]!) ends[state] = true;
    // Hits last, so that one comparison tells them; the others by depth, so that those in use lie together.
    const renumbered = [...order.filter((state) => !ends[state]!), ...order.filter((state) => ends[state]!)];
    const position = new Int32Array(order.length);
    for (const [place, state] of renumbered.entries()) position[state] = place;
    const size = order.length * columns;
    this.states = order.length;
    this.table = order.length <= 65_536 ? new Uint16Array(size) : new Int32Array(size);
    for (const state of order) {
      const row = position[state]! * columns;
      const via = position[fail[state]!]! * columns;
      if (state !== root) this.table.copyWithin(row, via, via + columns);
      for (const [column, child] of children[state]!) this.table[row + column] = position[child]!;
    }
    this.firstHit = order.filter((state) => !ends[state]!).length;
  }

  /** @returns how many places of the text end a word. */
  count(text: string): number {
    const { columnOf, table, firstHit } = this;
    let state = root;
    let hits = 0;
    for (let i = 0; i < text.length; i++) {
      state = table[(state << columnBits) | columnOf[text.charCodeAt(i)]!]!;
      if (state >= firstHit) hits++;
    }
    return hits;
  }
}

function assignColumns(words: readonly string[], columnOf: Uint8Array): void {
  const used = new Set(words.join(""));
  let next = 1;
  for (const letter of [...byFrequency.split("").filter((own) => used.has(own)), ...used]) {
    const unit = letter.charCodeAt(0);
    if (unit >= asciiSize || columnOf[unit] !== 0) continue;
    // Rare signs share the last one.
    const column = Math.min(next++, columns - 1);
    columnOf[unit] = column;
    columnOf[letter.toUpperCase().charCodeAt(0)] = column;
  }
}

/** The words as a tree; state 0 is its root, `ends` says whether a word is complete in a state. */
function buildTrie(words: readonly string[], columnOf: Uint8Array) {
  const children: Map<number, number>[] = [new Map()];
  const ends = [false];
  for (const word of words) {
    let state = root;
    for (let i = 0; i < word.length; i++) {
      const column = columnOf[word.charCodeAt(i)]!;
      let next = children[state]!.get(column);
      if (next === undefined) {
        next = children.length;
        children.push(new Map());
        ends.push(false);
        children[state]!.set(column, next);
      }
      state = next;
    }
    ends[state] = true;
  }
  return { children, ends };
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
