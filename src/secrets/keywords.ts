/**
 * One dense Aho–Corasick automaton over all keywords: a table lookup for each code unit, whatever the number of keywords.
 * Letters fold in ASCII; every character that stands in no keyword shares one column.
 */
const asciiSize = 128;
const root = 0;

export interface KeywordAutomaton {
  /**
   * Reads `text` from `from` to its end.
   * @param state what the previous call returned, or 0 at the beginning.
   * @param onHit is called with the keyword's index and its offset (negative if it began in an earlier text), in ascending
   * order of the keywords' ends.
   * @returns the state to go on with.
   */
  scan(text: string, from: number, state: number, onHit: (keyword: number, start: number) => void): number;
  /** How many of the last code units could be the beginning of a keyword. */
  pendingLength(state: number): number;
}

/** @param keywords in any case, ASCII, none empty. */
export function createKeywordAutomaton(keywords: readonly string[]): KeywordAutomaton {
  const folded = keywords.map((keyword) => keyword.toLowerCase());
  const columnOf = new Uint8Array(asciiSize);
  let columns = 1;
  for (const keyword of folded) {
    for (let i = 0; i < keyword.length; i++) {
      const code = keyword.charCodeAt(i);
      if (columnOf[code] !== 0) continue;
      columnOf[code] = columns;
      const upper = keyword[i]!.toUpperCase().charCodeAt(0);
      columnOf[upper] = columns++;
    }
  }

  const { children, depths, ends } = buildTrie(folded, columnOf);
  const { order, fail } = linkFailures(children);
  for (const state of order) {
    const inherited = ends[fail[state]!]!;
    if (inherited.length > 0) ends[state] = [...ends[state]!, ...inherited];
  }

  // States that end a keyword are numbered last, so that one comparison tells a hit from ordinary text.
  const renumbered = [...order.keys()].sort(
    (a, b) => Math.min(ends[a]!.length, 1) - Math.min(ends[b]!.length, 1) || a - b,
  );
  const position = new Int32Array(order.length);
  for (const [place, state] of renumbered.entries()) position[state] = place;
  const table = new Int32Array(order.length * columns);
  const lengths = new Int32Array(order.length);
  const hits: number[][] = [];
  for (const state of order) {
    const row = position[state]! * columns;
    lengths[position[state]!] = depths[state]!;
    hits[position[state]!] = ends[state]!;
    for (let column = 0; column < columns; column++) {
      const child = children[state]!.get(column);
      const via = position[fail[state]!]! * columns + column;
      table[row + column] = child !== undefined ? position[child]! * columns : state === root ? root : table[via]!;
    }
  }
  const firstHit = renumbered.findIndex((state) => ends[state]!.length > 0) * columns;

  return {
    scan(text, from, start, onHit) {
      let state = start;
      for (let i = from; i < text.length; i++) {
        const code = text.charCodeAt(i);
        state = table[state + (code < asciiSize ? columnOf[code]! : 0)]!;
        if (state >= firstHit) {
          for (const keyword of hits[state / columns]!) onHit(keyword, i + 1 - folded[keyword]!.length);
        }
      }
      return state;
    },
    pendingLength: (state) => lengths[state / columns]!,
  };
}

/** The keywords as a tree; state 0 is its root, `ends` names the keywords that are complete in a state. */
function buildTrie(keywords: readonly string[], columnOf: Uint8Array) {
  const children: Map<number, number>[] = [new Map()];
  const depths = [0];
  const ends: number[][] = [[]];
  for (const [index, keyword] of keywords.entries()) {
    let state = root;
    for (let i = 0; i < keyword.length; i++) {
      const column = columnOf[keyword.charCodeAt(i)]!;
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
