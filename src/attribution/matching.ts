/**
 * Which lines that a commit adds were suggested by which exchange. Pure: the same input gives the same answer.
 *
 * Looking lines up one by one is wrong in four of ten cases: code repeats itself. So the evidence is a chain: lines of one suggested
 * block that stand in a file in the block's order, close together, weighted by how much each says. Chains are taken heaviest
 * first, and every line, suggested or added, belongs to one chain at most. See docs/decisions/0005-attribution-first-form.md.
 */
import type { AddedHunk } from "../model/added-hunk.ts";
import type { LineLink, SessionLink } from "../model/attribution.ts";
import { splitHunks, type AddedLines } from "./added-lines.ts";
import { fillChain, findHeaviestChain, type Budget, type Chain, type ChainEvidence, type Pairs } from "./chains.ts";
import { linkSessions, scoreChain } from "./confidence.ts";
import { BLANK } from "./fingerprints.ts";
import { relatePaths, type PathRelation } from "./paths.ts";

/** A block of lines that one exchange suggested. */
export interface SuggestionBlock {
  readonly exchangeId: string;
  /** Which block of the exchange. */
  readonly ordinal: number;
  readonly sessionId: string;
  readonly path: string | null;
  /** Milliseconds since 1970. */
  readonly suggestedAt: number;
  /** A fingerprint a line, made with the same key. */
  readonly hashes: Float64Array;
}

/** Plain data, so that a worker thread can be given it. */
export interface MatchInput {
  /** Of one commit. */
  readonly hunks: readonly AddedHunk[];
  /** Of the person who pushed, from before the push. */
  readonly blocks: readonly SuggestionBlock[];
  /** The key of the fingerprints; null where they have none. */
  readonly key: Uint8Array | null;
}

export interface MatchResult {
  /** Covers every added line once, by path and line; what no suggestion explains is `unknown`. */
  readonly lines: readonly LineLink[];
  /** Best first. */
  readonly sessions: readonly SessionLink[];
  readonly chains: readonly ChainEvidence[];
  /** False when a bound stopped the search: there may be more to find in the oldest suggestions. */
  readonly complete: boolean;
}

const MAX_LINES = 200_000;
const MAX_PAIRS = 1_000_000;
/** Of one line within one block. */
const MAX_REPEATS_IN_BLOCK = 8;
const MAX_COMPARISONS = 50_000_000;

/** Evidence that a chain needs, in weights of lines; a block that is there as a whole needs half of it. */
const THRESHOLD: Readonly<Record<PathRelation, number>> = { same: 1.6, unknown: 3.2, other: 8 };
/** Chains whose weights differ by less explain the lines equally well. */
const TIE = 0.92;
const PREFERENCE: Readonly<Record<PathRelation, number>> = { same: 2, unknown: 1, other: 0 };

/** One block against one file. */
interface Candidate {
  readonly block: SuggestionBlock;
  readonly relation: PathRelation;
  readonly pairs: Pairs;
  /** Lines of the block that are not blank. */
  readonly blockLines: number;
  chain: Chain;
}

const compare = <T extends string | number>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/** Positive when `a` is the later suggestion. */
const compareAge = (a: SuggestionBlock, b: SuggestionBlock): number =>
  compare(a.suggestedAt, b.suggestedAt) || compare(a.exchangeId, b.exchangeId) || compare(a.ordinal, b.ordinal);

/** Positive when `a` is to be preferred where both explain the lines equally well. */
const comparePreference = (a: Candidate, b: Candidate): number =>
  compare(PREFERENCE[a.relation], PREFERENCE[b.relation]) || compareAge(a.block, b.block);

const compareCandidates = (a: Candidate, b: Candidate): number =>
  compare(a.chain.weight, b.chain.weight) ||
  comparePreference(a, b) ||
  compare(a.pairs.positions[0]!, b.pairs.positions[0]!);

/** The places where a block's lines stand in the commit, by file. */
function pairLines(block: SuggestionBlock, lines: AddedLines): Map<number, Pairs> {
  const byFile = new Map<number, number[]>();
  const repeats = new Map<number, number>();
  for (let ordinal = 0; ordinal < block.hashes.length; ordinal++) {
    const hash = block.hashes[ordinal]!;
    const positions = lines.anchorsOf(hash);
    if (positions.length === 0) continue;
    const seen = (repeats.get(hash) ?? 0) + 1;
    repeats.set(hash, seen);
    if (seen > MAX_REPEATS_IN_BLOCK) continue;
    for (const position of positions) {
      const file = lines.file[position]!;
      const codes = byFile.get(file) ?? [];
      if (codes.length === 0) byFile.set(file, codes);
      // Position and ordinal in one number, so that one numeric sort orders both.
      codes.push(position * 2 ** 32 + ordinal);
    }
  }
  const pairs = new Map<number, Pairs>();
  for (const [file, codes] of byFile) {
    const sorted = Float64Array.from(codes).sort();
    pairs.set(file, {
      positions: Int32Array.from(sorted, (code) => Math.floor(code / 2 ** 32)),
      ordinals: Int32Array.from(sorted, (code) => code % 2 ** 32),
    });
  }
  return pairs;
}

export function matchCommit({ hunks, blocks, key }: MatchInput): MatchResult {
  const lines = splitHunks(hunks, key, MAX_LINES, blocks.length > 0);
  const budget: Budget = { left: MAX_COMPARISONS };
  let pairsLeft = MAX_PAIRS;
  /** Per added line the index of its chain in `chains`, or -1. */
  const owner = new Int32Array(lines.length).fill(-1);
  const consumed = new Map<SuggestionBlock, Uint8Array>();
  const chains: ChainEvidence[] = [];
  /** Ascending: the best is the last. */
  const queue: Candidate[] = [];

  const isUnowned = (position: number): boolean => owner[position] === -1;
  const isFree = (block: SuggestionBlock, position: number, ordinal: number): boolean =>
    isUnowned(position) && consumed.get(block)?.[ordinal] !== 1;

  const isCurrent = ({ block, chain }: Candidate): boolean => {
    budget.left -= chain.positions.length;
    return (
      chain.positions.every((position, i) => isFree(block, position, chain.ordinals[i]!)) &&
      chain.enclosed.every(isUnowned)
    );
  };

  /** The best chain that is left of a block in a file, with its fill, if the evidence suffices. */
  const findChain = (candidate: Omit<Candidate, "chain">): Chain | null => {
    const { block, relation, pairs, blockLines } = candidate;
    const free = (position: number, ordinal: number): boolean => isFree(block, position, ordinal);
    const anchors = findHeaviestChain(pairs, lines, free, budget);
    if (anchors === null || anchors.weight < THRESHOLD[relation] / 2) return null;
    const chain = fillChain(anchors, block.hashes, lines, free, isUnowned, budget);
    const matched = chain.ordinals.filter((ordinal) => block.hashes[ordinal] !== BLANK).length;
    return chain.weight < THRESHOLD[relation] * (1 - matched / blockLines / 2) ? null : chain;
  };

  const enqueue = (candidate: Omit<Candidate, "chain">): void => {
    if (budget.left <= 0) return;
    const chain = findChain(candidate);
    if (chain === null) return;
    const entry = { ...candidate, chain };
    let low = 0;
    let high = queue.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareCandidates(queue[middle]!, entry) < 0) low = middle + 1;
      else high = middle;
    }
    queue.splice(low, 0, entry);
  };

  /** Who else explains some of the best chain's lines nearly as well; stale chains wait for their own turn. */
  const findRivals = (best: Candidate): Candidate[] => {
    const rivals: Candidate[] = [];
    const covered = new Set(best.chain.positions);
    const [first, last] = [best.chain.positions[0]!, best.chain.positions.at(-1)!];
    for (let i = queue.length - 1; i >= 0 && queue[i]!.chain.weight >= best.chain.weight * TIE; i--) {
      const rival = queue[i]!;
      budget.left -= 1;
      if (budget.left <= 0) break;
      const { positions } = rival.chain;
      if (positions[0]! > last || positions.at(-1)! < first) continue;
      if (positions.some((position) => covered.has(position)) && isCurrent(rival)) rivals.push(rival);
    }
    return rivals;
  };

  const accept = (candidate: Candidate, runnerUp: Candidate | undefined): void => {
    const { block, chain, relation } = candidate;
    const used = consumed.get(block) ?? new Uint8Array(block.hashes.length);
    consumed.set(block, used);
    for (const position of [...chain.positions, ...chain.enclosed]) owner[position] = chains.length;
    for (const ordinal of chain.ordinals) used[ordinal] = 1;
    chains.push({
      exchangeId: block.exchangeId,
      ordinal: block.ordinal,
      sessionId: block.sessionId,
      path: lines.paths[lines.file[chain.positions[0]!]!]!,
      relation,
      weight: chain.weight,
      score: scoreChain(chain.weight, relation, THRESHOLD[relation]),
      lines: chain.positions.map((position) => lines.line[position]!),
      ordinals: chain.ordinals,
      runnerUp: runnerUp?.block.exchangeId ?? null,
    });
  };

  let complete = !lines.truncated;
  // Latest first: when a bound is reached, it is the oldest suggestions that are left out.
  for (const block of [...blocks].sort((a, b) => compareAge(b, a))) {
    const blockLines = block.hashes.reduce((total, hash) => (hash === BLANK ? total : total + 1), 0);
    for (const [file, pairs] of pairLines(block, lines)) {
      pairsLeft -= pairs.positions.length;
      if (pairsLeft <= 0) break;
      enqueue({ block, relation: relatePaths(block.path, lines.paths[file]!), pairs, blockLines });
    }
    if (pairsLeft <= 0 || budget.left <= 0) {
      complete = false;
      break;
    }
  }
  // What the search for candidates has used up must not keep the found ones from being settled.
  budget.left = Math.max(budget.left, 0) + MAX_COMPARISONS / 10;
  for (let best = queue.pop(); best !== undefined; best = queue.pop()) {
    if (!isCurrent(best)) {
      enqueue(best);
      continue;
    }
    const ranked = [best, ...findRivals(best)].sort((a, b) => comparePreference(b, a));
    const chosen = ranked[0]!;
    accept(
      chosen,
      ranked.find(({ block }) => block.exchangeId !== chosen.block.exchangeId),
    );
    if (chosen !== best) {
      queue.splice(queue.indexOf(chosen), 1);
      enqueue(best);
    }
    enqueue(chosen);
  }
  if (budget.left <= 0) complete = false;
  return { lines: runsOf(lines, owner, chains), sessions: linkSessions(lines, owner, chains), chains, complete };
}

/** Neighbouring lines with the same origin, as one run. */
function runsOf(lines: AddedLines, owner: Int32Array, chains: readonly ChainEvidence[]): LineLink[] {
  const runs: LineLink[] = [];
  for (let start = 0, at = 0; start < lines.length; start = at) {
    for (at = start + 1; at < lines.length; at++) {
      const isNext = lines.file[at] === lines.file[start] && lines.line[at] === lines.line[at - 1]! + 1;
      if (!isNext || owner[at] !== owner[start]) break;
    }
    const chain = chains[owner[start]!];
    runs.push({
      path: lines.paths[lines.file[start]!]!,
      from: lines.line[start]!,
      to: lines.line[at - 1]!,
      verdict: chain === undefined ? "unknown" : "ai",
      exchangeId: chain?.exchangeId ?? null,
      sessionId: chain?.sessionId ?? null,
      score: chain?.score ?? 0,
    });
  }
  return runs;
}
