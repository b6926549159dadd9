/**
 * Finds anchors in a text, at about a nanosecond for each character, whatever the number of anchors.
 *
 * A sieve tells of nearly all places that no anchor ends there. It asks of every two neighbouring characters at which places of an anchor
 * they may stand (shift-or over pairs, as in Hyperscan's FDR, https://www.usenix.org/conference/nsdi19/presentation/wang-xiang). The
 * anchors are dealt to eight buckets. By pair there are eight times eight bits: whether it may stand at one of the last eight places of an
 * anchor of one of the buckets. The answers for the last eight pairs, shifted by their distance from here and put together, say which
 * buckets may have an anchor that ends here. Unlike an automaton's, no step waits for what the one before it found in memory, and the
 * table fits the nearest cache. What it lets pass is compared with the anchors that end alike.
 */
import {
  behindText,
  classes,
  classOf,
  record,
  startAnchorMachine,
  tableLength,
  type AnchorMachine,
} from "./anchor-code.ts";
import { bucketWidths, dealAnchors, widest } from "./anchor-deal.ts";
import { AnchorRecords, type Beginning } from "./anchor-records.ts";

const every = Array.from({ length: classes }, (_, own) => own);

/** One for a thread: what it works with is scratch, but for what it knows of the anchors that it was used for last. */
let machine: AnchorMachine | null = null;
let loaded: AnchorRecords | null = null;

const notLatin1 = /[\u0100-\uffff]/;

export class AnchorSieve {
  /** Of the last `pass`: for each hit the place of its last character, and which anchor it is; ascending by place. */
  hits: Int32Array = new Int32Array(1024);
  hitCount = 0;
  /**
   * Also of the last `pass`: ends of sixteen characters each that are digits of base64. Every run of 24 holds such sixteen, longer ones
   * side by side.
   */
  runs: Int32Array = new Int32Array();
  runCount = 0;
  /** Whether U+0000 stands in the text of the last `pass`. */
  hasZeros = false;
  private readonly table = new Uint8Array(tableLength);
  private readonly records: AnchorRecords;

  /** @param anchors in lower case, ASCII, none empty, none twice. */
  constructor(anchors: readonly string[]) {
    this.records = new AnchorRecords(anchors);
    const dealt = dealAnchors(anchors);
    // What stands before an anchor's last characters is nobody's business.
    const anyPair = new Uint8Array(widest).fill(255);
    for (const bucket of new Set(dealt)) {
      for (let place = 0; place < widest - bucketWidths[bucket]!; place++) anyPair[place]! &= ~(1 << bucket);
    }
    for (let at = 0; at < tableLength; at++) this.table[at] = anyPair[at % widest]!;
    for (const [index, anchor] of anchors.entries()) this.deal(anchor, dealt[index]!);
  }

  /** As of `AnchorRecords`: from now on, hits that cannot be such beginnings are left out. */
  learn(ending: number, beginnings: readonly Beginning[]): void {
    for (const at of this.records.learn(ending, beginnings)) {
      if (loaded === this.records) machine?.records.set(this.records.bytes.subarray(at, at + record.length), at);
    }
  }

  /** @param text at most `sieveBlock` code units. Of anchors that are longer than `comparedLength` only their ends are looked at. */
  pass(text: string): void {
    const own = this.load();
    if (notLatin1.test(text)) {
      own.wide.write(text, "utf16le");
      own.narrow(text.length);
    } else own.text.write(text, "latin1");
    own.text.fill(0xff, text.length, text.length + behindText);
    this.runs = own.runs;
    this.runCount = own.fold(text.length);
    this.hasZeros = own.zeros[0] !== 0;
    this.hitCount = 0;
    const places = own.sieve(text.length);
    const step = Math.floor(own.mostHits / Math.max(1, this.records.mostAtOnce));
    for (let from = 0; from < places; from += step) this.add(own.hits, own.meet(from, Math.min(places, from + step)));
  }

  private load(): AnchorMachine {
    const { table, records } = this;
    if (machine === null || machine.records.length < records.bytes.length || machine.mostHits < records.mostAtOnce) {
      machine = startAnchorMachine(records.bytes.length, records.mostAtOnce);
      loaded = null;
    }
    if (loaded !== records) {
      machine.table.set(table);
      machine.known.set(records.known);
      machine.heads.set(records.heads);
      machine.records.set(records.bytes);
      loaded = records;
    }
    return machine;
  }

  private add(hits: Int32Array, count: number): void {
    if (2 * (this.hitCount + count) > this.hits.length) {
      const larger = new Int32Array(4 * (this.hitCount + count));
      larger.set(this.hits);
      this.hits = larger;
    }
    for (let i = 0; i < 2 * count; i++) this.hits[2 * this.hitCount + i] = hits[i]!;
    this.hitCount += count;
  }

  private deal(anchor: string, bucket: number): void {
    const width = bucketWidths[bucket]!;
    const bit = 1 << bucket;
    const mayStand = (first: number, second: number, place: number): void => {
      this.table[8 * (first | (second << 8)) + place]! &= ~bit;
    };
    const own = Array.from(anchor.slice(-width - 1), (sign) => classOf(sign.charCodeAt(0)));
    for (let place = 0; place < width; place++) {
      const second = own.at(place - width)!;
      for (const first of own.length > width ? [own.at(place - width - 1)!] : every) {
        mayStand(first, second, widest - width + place);
      }
    }
  }
}
