/**
 * All anchors side by side, for the comparison with what a text has where the sieve lets it pass; and what may stand beside each of them. Of
 * the places where an anchor stands, nearly all are no beginning of a match by one of three characters near it. To learn that from the
 * rules themselves costs more than to find the anchor: they lie far apart in memory.
 */
import {
  besides,
  classes,
  classOf,
  comparedLength,
  furthestBefore,
  furthestBehind,
  hashOf,
  keyMasks,
  knownLength,
  record,
  slotOf,
  slots,
} from "./anchor-code.ts";
import { maskedPlaces } from "./regex-filter.ts";
import { mayEndBeforeWord } from "./word-start.ts";

/** How the matches that an anchor is looked for begin. */
export interface Beginning {
  /** As of `beginningMasks`. */
  readonly masks: Uint32Array;
  /** The least and the most that lies between the match's beginning and the anchor's. */
  readonly least: number;
  readonly most: number;
  /** As of `Rule`. */
  readonly wordStart: boolean;
}

const every = Array.from({ length: classes }, (_, own) => own);

/** @returns the keys that a place has where the anchor ends, each with the index of its mask; any of them will do */
function keysOf(anchor: string): { readonly key: number; readonly mask: number }[] {
  // One that is shorter than any key stands behind any character.
  if (anchor.length === 1)
    return every.map((own) => ({ key: (classOf(anchor.charCodeAt(0)) << 24) | (own << 16), mask: 2 }));
  let key = 0;
  for (const sign of anchor.slice(-4)) key = (classOf(sign.charCodeAt(0)) << 24) | (key >>> 8);
  return [{ key, mask: Math.max(0, keyMasks.length - anchor.length + 1) }];
}

/** How often a character stands in ordinary text, roughly; of `a` as of most letters. */
function weightOf(unit: number): number {
  if (unit >= 0x61 && unit <= 0x7a) return 2;
  if (unit === 0x20) return 15;
  if ((unit >= 0x41 && unit <= 0x5a) || unit < 0x20) return 0.3;
  return 0.7;
}

/** Of equally good ones the furthest: where a word is no such key, it ends soon. */
function bestOf(weights: Float64Array, from: number, to: number): number {
  let best = from;
  for (let place = from; place < to; place++) if (weights[place]! <= weights[best]!) best = place;
  return best;
}

/** Of two characters behind an anchor that are looked at, one is among so many. */
const nearPlaces = 6;

export class AnchorRecords {
  /** As they are in the machine's memory. */
  readonly bytes: Uint8Array;
  readonly heads = new Int32Array(slots + 1);
  readonly known = new Uint8Array(knownLength);
  /** Hits at a single place are no more than this. */
  readonly mostAtOnce: number;
  private readonly anchors: readonly string[];
  private readonly view: DataView;
  /** By anchor, where its records begin. */
  private readonly places: number[][];

  /** @param anchors in lower case, ASCII, none empty. Nothing is known of what may stand beside them yet. */
  constructor(anchors: readonly string[]) {
    this.anchors = anchors;
    const owners = anchors
      .flatMap((anchor, ending) => keysOf(anchor).map(({ key, mask }) => ({ ending, hash: hashOf(key), mask })))
      .sort((a, b) => slotOf(a.hash, a.mask) - slotOf(b.hash, b.mask));
    this.bytes = new Uint8Array(record.length * owners.length);
    this.view = new DataView(this.bytes.buffer);
    this.places = anchors.map(() => []);
    const longest = keyMasks.map(() => 0);
    let slot = 0;
    for (const [index, { ending, hash, mask }] of owners.entries()) {
      const at = record.length * index;
      for (; slot < slotOf(hash, mask); slot++) this.heads[slot + 1] = at;
      longest[mask] = Math.max(longest[mask]!, at / record.length + 1 - this.heads[slot]! / record.length);
      this.known[hash >> 3]! |= 1 << (hash & 7);
      this.places[ending]!.push(at);
      this.write(at, ending);
    }
    this.heads.fill(this.bytes.length, slot + 1);
    this.mostAtOnce = longest.reduce((sum, own) => sum + own, 0);
  }

  private write(at: number, ending: number): void {
    const text = this.anchors[ending]!.slice(-comparedLength);
    for (let i = 0; i < text.length; i++) {
      const place = at + comparedLength - text.length + i;
      this.bytes[place + record.text] = text.charCodeAt(i);
      this.bytes[place + record.care] = /[a-z]/.test(text[i]!) ? 0xff - 0x20 : 0xff;
    }
    this.view.setInt32(at + record.ending, ending, true);
    for (let index = 0; index < besides; index++) this.allow(at, index, 1, () => true);
  }

  /**
   * @param beginnings all matches that the anchor is looked for begin in one of these ways
   * @returns offsets of the records that are not what they were
   */
  learn(ending: number, beginnings: readonly Beginning[]): readonly number[] {
    const { length } = this.anchors[ending]!;
    if (length > comparedLength) return [];
    const behind = new Int32Array(128);
    for (const { masks, least, most } of beginnings) {
      for (let place = length + least; place <= length + most; place++) {
        const shift = Math.min(place, maskedPlaces);
        // What lies further is not known.
        const unknown = -1 << (maskedPlaces - shift);
        for (let unit = 0; unit < 128; unit++) behind[unit]! |= (masks[unit]! >>> shift) | unknown;
      }
    }
    const weights = new Float64Array(furthestBehind);
    for (let unit = 0; unit < 128; unit++) {
      const weight = weightOf(unit);
      for (let place = 0; place < furthestBehind; place++)
        if (((behind[unit]! >>> place) & 1) === 1) weights[place]! += weight;
    }
    const chosen = [bestOf(weights, 0, nearPlaces), bestOf(weights, nearPlaces, furthestBehind)];
    const isWordStart = beginnings.every(({ most, wordStart }) => most === 0 && wordStart);
    const places = this.places[ending]!;
    for (const at of places) {
      for (const [index, place] of chosen.entries()) {
        this.allow(at, index, place + 1, (unit) => ((behind[unit]! >>> place) & 1) === 1);
      }
      if (isWordStart) this.allow(at, chosen.length, -length, mayEndBeforeWord);
    }
    return places;
  }

  /** @param distance from the anchor's last character */
  private allow(at: number, index: number, distance: number, mayStand: (unit: number) => boolean): void {
    this.view.setInt32(at + record.distances + 4 * index, furthestBefore + distance, true);
    const set = at + record.sets + record.setLength * index;
    // Beyond the end of what is read stands 255, and of other characters less is known.
    this.bytes.fill(0xff, set, set + record.setLength);
    for (let unit = 0; unit < 128; unit++) {
      if (!mayStand(unit)) this.bytes[set + (unit >> 3)]! &= ~(1 << (unit & 7));
    }
  }
}
