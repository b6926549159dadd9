/**
 * Deals the anchors to the buckets of the sieve, so that it lets little else pass. A bucket lets pass what has, at each of its places, some
 * pair of characters that some anchor of it has there: anchors that are alike belong together, and ordinary pairs where they do no harm.
 */
import { classes, classOf } from "./anchor-code.ts";
import { followsInWords } from "./randomness.ts";

/** Neighbouring pairs of an anchor's last characters that are looked at, at most. */
export const widest = 8;
/** By bucket, how many pairs its anchors are known by: the fewer, the shorter they may be, and the more else passes. */
export const bucketWidths = [8, 8, 6, 5, 4, 3, 2, 1] as const;
/** Each time, every anchor goes where it does least harm; later ones change next to nothing. */
const rounds = 3;

/** Of characters in ordinary text, roughly. */
const letterShare = 0.7;
const spaceShare = 0.12;
const signShare = 0.003;
const letters = 26;

/** @returns how often the second class follows the first in ordinary text, roughly */
function frequencyOf(first: number, second: number): number {
  const [one, other] = [first - classOf(0x61), second - classOf(0x61)];
  const isLetter = (letter: number): boolean => letter >= 0 && letter < letters;
  if (isLetter(one) && isLetter(other)) return (letterShare / letters ** 2) * followsInWords(one, other);
  return shareOf(first) * shareOf(second);
}

function shareOf(own: number): number {
  if (own === classOf(0x20)) return spaceShare;
  return own >= classOf(0x61) && own < classOf(0x61) + letters ? letterShare / letters : signShare;
}

/** What a bucket lets pass. */
class Bucket {
  readonly width: number;
  /** By place from the last on and by pair, how many of its anchors have it. */
  private readonly owners: Uint16Array;
  /** By place, how often a pair stands there that some anchor has. */
  private readonly shares: Float64Array;

  constructor(width: number) {
    this.width = width;
    this.owners = new Uint16Array(width * classes ** 2);
    this.shares = new Float64Array(width);
  }

  /** @param pairs of an anchor, the last first */
  add(pairs: readonly number[], frequencies: Float64Array): void {
    for (let place = 0; place < this.width; place++)
      if (this.owners[place * classes ** 2 + pairs[place]!]!++ === 0)
        this.shares[place]! += frequencies[pairs[place]!]!;
  }

  /** Undoes `add`. */
  remove(pairs: readonly number[], frequencies: Float64Array): void {
    for (let place = 0; place < this.width; place++)
      if (--this.owners[place * classes ** 2 + pairs[place]!]! === 0)
        this.shares[place]! -= frequencies[pairs[place]!]!;
  }

  /** @returns how much more would be let pass with one more anchor */
  harmOf(pairs: readonly number[], frequencies: Float64Array): number {
    let before = 1;
    let after = 1;
    for (let place = 0; place < this.width; place++) {
      const share = this.shares[place]!;
      const isNew = this.owners[place * classes ** 2 + pairs[place]!] === 0;
      before *= share;
      after *= share + (isNew ? frequencies[pairs[place]!]! : 0);
    }
    return after - before;
  }
}

/** @param anchors as of `AnchorSieve`. @returns by anchor its bucket, which is no wider than it has pairs, but for one without any */
export function dealAnchors(anchors: readonly string[]): Uint8Array {
  const frequencies = new Float64Array(classes ** 2);
  for (let pair = 0; pair < frequencies.length; pair++)
    frequencies[pair] = frequencyOf(pair % classes, Math.floor(pair / classes));
  const pairs = anchors.map((anchor) => {
    const own = Array.from(anchor.slice(-widest - 1), (sign) => classOf(sign.charCodeAt(0)));
    return own
      .slice(1)
      .map((second, place) => own[place]! + classes * second)
      .toReversed();
  });
  const buckets = bucketWidths.map((width) => new Bucket(width));
  const dealt = new Uint8Array(anchors.length).fill(buckets.length - 1);
  const dealable = [...anchors.keys()].filter((index) => pairs[index]!.length > 0);
  // Those that end alike come one after another, and find each other.
  const endOf = (index: number): string => anchors[index]!.slice(-widest - 1);
  dealable.sort((a, b) => (endOf(a) < endOf(b) ? -1 : 1));
  for (let round = 0; round < rounds; round++) {
    for (const index of dealable) {
      const own = pairs[index]!;
      if (round > 0) buckets[dealt[index]!]!.remove(own, frequencies);
      let least = Infinity;
      for (const [number, bucket] of buckets.entries()) {
        const harm = bucket.width <= own.length ? bucket.harmOf(own, frequencies) : Infinity;
        if (harm < least) {
          least = harm;
          dealt[index] = number;
        }
      }
      buckets[dealt[index]!]!.add(own, frequencies);
    }
  }
  return dealt;
}
