import { GatewayError, type GatewayErrorCode } from "../errors.ts";
import { unreadable } from "./cat-file.ts";
import type { GitChild } from "./git-child.ts";
import type { Git } from "./process.ts";

export interface IndexPackOptions {
  readonly git: Git;
  readonly gitDir: string;
  readonly signal?: AbortSignal | undefined;
}

const DAY_MS = 24 * 60 * 60_000;

/**
 * `git index-pack --stdin --fix-thin`: checks every object's bytes against its id, completes a thin pack from old objects,
 * and tells the pack's name on stdout. What it completes with has to be there: given a promisor it would ask it for every base
 * that a delta names, those among them that the pack itself makes, and fail when the upstream knows one of them not.
 *
 * Without `--fsck-objects`: git hosts let pass what old versions of git wrote (zero-padded modes, odd time zones), and the
 * levels of single messages cannot be set without `--strict`, which wants every object that the pack refers to. What could
 * hide content from inspection is caught by reading: an object of the pack that no reading has met refuses the push.
 */
export function startIndexPack(options: IndexPackOptions): GitChild {
  return options.git.start({
    args: ["index-pack", "--stdin", "--fix-thin", "--threads=2"],
    gitDir: options.gitDir,
    // While it waits for a slow client it costs nothing; its own time is counted once it has everything.
    timeoutMs: DAY_MS,
    signal: options.signal,
    failure: explainIndexPack,
  });
}

/**
 * Gives git a pack, and keeps the last piece back: with the last byte git looks for what deltas build on, and what comes later
 * comes too late.
 */
export class PackFeed {
  readonly child: GitChild;
  #last: Uint8Array | null = null;

  constructor(child: GitChild) {
    this.child = child;
  }

  /** As `GitChild.write`. */
  async write(chunk: Uint8Array): Promise<boolean> {
    const before = this.#last;
    this.#last = chunk;
    return before === null || this.child.write(before);
  }

  async end(): Promise<void> {
    const last = this.#last;
    this.#last = null;
    if (last !== null) await this.child.write(last);
    this.child.endInput();
  }
}

/** @returns the name of the pack's files without extension, e.g. `pack-<hash>` */
export function parseIndexPackOutput(stdout: string): string {
  const name = /^(?:pack|keep)\t([0-9a-f]{40,64})$/m.exec(stdout)?.[1];
  if (name === undefined) throw new GatewayError("internal", "git index-pack did not say which pack it has written");
  return `pack-${name}`;
}

const EXPLANATIONS: readonly (readonly [RegExp, GatewayErrorCode, string])[] = [
  [
    /over limit|out of memory|malloc failed/i,
    "limit_exceeded",
    "the pack needs more memory to unpack than a push may use: push fewer commits at a time, and keep large files in Git LFS",
  ],
  [
    /no space left|disk quota/i,
    "storage_failed",
    "the gateway's disk is full: the pack could not be stored; try again later",
  ],
  [
    /unresolved delta|missing base|unable to read/i,
    "inspection_failed",
    "the pack builds on old objects that the gateway could not get from the upstream; push again, if need be with `git push --no-thin`",
  ],
  [
    /collision found/i,
    "inspection_failed",
    "an object of the pack has the id of another object that the upstream has: one of the two is forged",
  ],
  [/pack is corrupted|mismatch|checksum/i, "pack_invalid", "the pack is damaged: its checksum is wrong; push again"],
  [/early EOF|unexpected end/i, "pack_invalid", "the pack is damaged: it ends in the middle; push again"],
];

/** What git says of files that it reads besides the pack: those of the cache. */
const DAMAGED_CACHE = /^error: (?:packfile|index file|object file|unable to mmap|wrong index|bad object header)/m;

function explainIndexPack(stderr: string): GatewayError {
  if (DAMAGED_CACHE.test(stderr)) return unreadable();
  const known = EXPLANATIONS.find(([pattern]) => pattern.test(stderr));
  if (known !== undefined) return new GatewayError(known[1], known[2]);
  return new GatewayError("pack_invalid", "git does not accept the pack: it is damaged; push again");
}
