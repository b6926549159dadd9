/** Sets of UTF-16 code units, as ascending ranges that neither touch nor overlap. Ends are inclusive. */
export type CharSet = readonly (readonly [from: number, to: number])[];

const lastUnit = 0xffff;

export const anyUnit: CharSet = [[0, lastUnit]];

export function union(a: CharSet, b: CharSet): CharSet {
  const merged: [number, number][] = [];
  for (const [from, to] of [...a, ...b].sort((x, y) => x[0] - y[0])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

export function negate(set: CharSet): CharSet {
  const rest: [number, number][] = [];
  let next = 0;
  for (const [from, to] of set) {
    if (from > next) rest.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= lastUnit) rest.push([next, lastUnit]);
  return rest;
}

export const isDisjoint = (a: CharSet, b: CharSet): boolean =>
  a.every(([from, to]) => b.every(([otherFrom, otherTo]) => to < otherFrom || otherTo < from));

export const sizeOf = (set: CharSet): number => set.reduce((sum, [from, to]) => sum + to - from + 1, 0);

/** Adds the other case of every ASCII letter. */
export function foldCase(set: CharSet): CharSet {
  let folded = set;
  for (const [from, to] of set) {
    for (const [first, last, shift] of [
      [0x41, 0x5a, 32],
      [0x61, 0x7a, -32],
    ] as const) {
      const low = Math.max(from, first);
      const high = Math.min(to, last);
      if (low <= high) folded = union(folded, [[low + shift, high + shift]]);
    }
  }
  return folded;
}

const digit: CharSet = [[0x30, 0x39]];
const lower: CharSet = [[0x61, 0x7a]];
const upper: CharSet = [[0x41, 0x5a]];
const alpha = union(lower, upper);
const word = union(union(alpha, digit), [[0x5f, 0x5f]]);
const perlSpace: CharSet = [
  [9, 10],
  [12, 13],
  [32, 32],
];

/** RE2's Perl classes (by their letter) and POSIX classes (by their name); ASCII, as RE2 has them. */
const classes: ReadonlyMap<string, CharSet> = new Map<string, CharSet>([
  ["d", digit],
  ["D", negate(digit)],
  ["s", perlSpace],
  ["S", negate(perlSpace)],
  ["w", word],
  ["W", negate(word)],
  ["alnum", union(alpha, digit)],
  ["alpha", alpha],
  ["ascii", [[0, 0x7f]]],
  ["blank", union([[9, 9]], [[32, 32]])],
  ["cntrl", union([[0, 0x1f]], [[0x7f, 0x7f]])],
  ["digit", digit],
  ["graph", [[0x21, 0x7e]]],
  ["lower", lower],
  ["print", [[0x20, 0x7e]]],
  ["punct", union(union([[0x21, 0x2f]], [[0x3a, 0x40]]), union([[0x5b, 0x60]], [[0x7b, 0x7e]]))],
  ["space", union(perlSpace, [[11, 11]])],
  ["upper", upper],
  ["word", word],
  ["xdigit", union(digit, union([[0x41, 0x46]], [[0x61, 0x66]]))],
]);

/** @returns the class, or the empty set if RE2 has none of that name. */
export const charClass = (name: string): CharSet => classes.get(name) ?? [];
