import type { AddedLines } from "./added-lines.ts";
import type { PathRelation } from "./paths.ts";

/** What matching may still spend, in comparisons. It runs out on hostile input only; what was found until then stands. */
export interface Budget {
  left: number;
}

/** Places where a line of one suggested block equals an added line of one file. */
export interface Pairs {
  /** Positions in {@link AddedLines}, ascending; equal ones by ordinal. */
  readonly positions: Int32Array;
  /** Indexes into the block. */
  readonly ordinals: Int32Array;
}

/** Lines of a block that stand in a file in the block's own order. Both lists ascend. */
export interface Chain {
  readonly positions: readonly number[];
  readonly ordinals: readonly number[];
  /** Positions of trivial lines that the chain encloses, and that the block need not hold. */
  readonly enclosed: readonly number[];
  /** The sum of the anchors' weights. */
  readonly weight: number;
}

/** Why lines were linked. */
export interface ChainEvidence {
  readonly exchangeId: string;
  readonly ordinal: number;
  readonly sessionId: string;
  readonly path: string;
  readonly relation: PathRelation;
  /** The weight of the anchors. */
  readonly weight: number;
  /** 0..1 */
  readonly score: number;
  /** Numbers of the added lines, in the new file. */
  readonly lines: readonly number[];
  /** The suggested lines they equal, as indexes into the block. */
  readonly ordinals: readonly number[];
  /** The other exchange that explained some of these lines nearly as well. */
  readonly runnerUp: string | null;
}

/** Whether neither the added line nor the suggested one belongs to a chain yet. */
export type IsFree = (position: number, ordinal: number) => boolean;

/** How many lines may lie between two anchors, in the file and in the block: what lies farther apart is another piece. */
const MAX_GAP = 25;

/** The heaviest increasing chain over free pairs; between equals, the one whose anchors are closest. */
export function findHeaviestChain(pairs: Pairs, lines: AddedLines, isFree: IsFree, budget: Budget): Chain | null {
  const { positions, ordinals } = pairs;
  const size = positions.length;
  const sums = new Float64Array(size);
  const previous = new Int32Array(size).fill(-1);
  let best = -1;
  for (let i = 0; i < size; i++) {
    const position = positions[i]!;
    const ordinal = ordinals[i]!;
    budget.left -= 1;
    if (!isFree(position, ordinal)) continue;
    const line = lines.line[position]!;
    let carried = 0;
    for (let j = i - 1; j >= 0 && line - lines.line[positions[j]!]! <= MAX_GAP; j--) {
      budget.left -= 1;
      const step = ordinal - ordinals[j]!;
      if (positions[j] === position || step <= 0 || step > MAX_GAP || sums[j]! <= carried) continue;
      carried = sums[j]!;
      previous[i] = j;
    }
    sums[i] = carried + lines.weightAt(position);
    if (best < 0 || sums[i]! > sums[best]!) best = i;
    if (budget.left <= 0) break;
  }
  if (best < 0) return null;
  const chain: { positions: number[]; ordinals: number[] } = { positions: [], ordinals: [] };
  for (let i = best; i >= 0; i = previous[i]!) {
    chain.positions.push(positions[i]!);
    chain.ordinals.push(ordinals[i]!);
  }
  chain.positions.reverse();
  chain.ordinals.reverse();
  return { ...chain, enclosed: [], weight: sums[best]! };
}

/** The longest run of equal lines in order, between two anchors (exclusive): at most 24 by 24 lines. */
function alignBetween(
  from: readonly [number, number],
  to: readonly [number, number],
  isEqual: IsFree,
): (readonly [number, number])[] {
  const height = to[0] - from[0] - 1;
  const width = to[1] - from[1] - 1;
  if (height <= 0 || width <= 0) return [];
  const longest = Array.from({ length: height + 1 }, () => new Uint8Array(width + 1));
  for (let i = height - 1; i >= 0; i--) {
    for (let j = width - 1; j >= 0; j--) {
      longest[i]![j] = isEqual(from[0] + 1 + i, from[1] + 1 + j)
        ? longest[i + 1]![j + 1]! + 1
        : Math.max(longest[i + 1]![j]!, longest[i]![j + 1]!);
    }
  }
  const aligned: (readonly [number, number])[] = [];
  for (let i = 0, j = 0; i < height && j < width;) {
    if (longest[i]![j] === longest[i + 1]![j]) i += 1;
    else if (longest[i]![j] === longest[i]![j + 1]) j += 1;
    else aligned.push([from[0] + 1 + i++, from[1] + 1 + j++]);
  }
  return aligned;
}

/**
 * Trivial lines between two neighbours of a chain, where nothing else lies between them. The index lacks such lines when the
 * request held an equal one (`}`, `return;`): the echo was taken out.
 */
function findEnclosed(
  positions: readonly number[],
  lines: AddedLines,
  isUnowned: (position: number) => boolean,
): number[] {
  return positions.flatMap((position, i) => {
    const next = positions[i + 1] ?? position;
    // Only added lines lie between, by number as by position: otherwise lines that were there before do.
    if (next - position < 2 || lines.line[next]! - lines.line[position]! !== next - position) return [];
    const between = Array.from({ length: next - position - 1 }, (_, step) => position + 1 + step);
    return between.every((one) => lines.weightAt(one) === 0 && isUnowned(one)) ? between : [];
  });
}

/**
 * The chain with the lines that say nothing alone (`}`, blank lines) and are equal between its anchors, or next to its first and
 * last anchor without a break. Its weight stays that of the anchors.
 */
export function fillChain(
  chain: Chain,
  block: Float64Array,
  lines: AddedLines,
  isFree: IsFree,
  isUnowned: (position: number) => boolean,
  budget: Budget,
): Chain {
  const isEqual: IsFree = (position, ordinal) => {
    budget.left -= 1;
    return lines.hash[position] === block[ordinal] && isFree(position, ordinal);
  };
  const isNext = (position: number, next: number): boolean =>
    lines.file[position] === lines.file[next] && Math.abs(lines.line[position]! - lines.line[next]!) === 1;

  const extend = (position: number, ordinal: number, step: 1 | -1): (readonly [number, number])[] => {
    const found: (readonly [number, number])[] = [];
    while (isNext(position, position + step) && isEqual(position + step, ordinal + step)) {
      position += step;
      ordinal += step;
      found.push([position, ordinal]);
    }
    return found;
  };

  const anchors = chain.positions.map((position, i) => [position, chain.ordinals[i]!] as const);
  const first = anchors[0];
  const last = anchors.at(-1);
  if (first === undefined || last === undefined) return chain;
  const filled = [
    ...extend(first[0], first[1], -1).toReversed(),
    ...anchors.flatMap((anchor, i) => {
      const next = anchors[i + 1];
      return next === undefined ? [anchor] : [anchor, ...alignBetween(anchor, next, isEqual)];
    }),
    ...extend(last[0], last[1], 1),
  ];
  const positions = filled.map(([position]) => position);
  return {
    positions,
    ordinals: filled.map(([, ordinal]) => ordinal),
    enclosed: findEnclosed(positions, lines, isUnowned),
    weight: chain.weight,
  };
}
