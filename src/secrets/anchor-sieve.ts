/**
 * Tells of nearly all places of a text that no anchor ends there, at about a nanosecond for each character, whatever the number of
 * anchors. What it lets pass is looked at by `AnchorFinder`.
 *
 * It asks of every two neighbouring characters at which places of an anchor they may stand (shift-or over pairs, as in Hyperscan's
 * FDR, https://www.usenix.org/conference/nsdi19/presentation/wang-xiang). The anchors are dealt to eight buckets. By pair there are eight
 * times eight bits: whether it may stand at one of the last eight places of an anchor of one of the buckets. The answers for the
 * last eight pairs, shifted by their distance from here and put together, say which buckets may have an anchor that ends here. Unlike an
 * automaton's, no step waits for what the one before it found in memory, and the table fits the nearest cache.
 */
import { bytes16, either, encodeModule, i32, i64, inOrder, local, repeat, when, type Code } from "./wasm-code.ts";

/** How many pairs of its last characters an anchor of each bucket is known by: the shorter, the fewer share a bucket. */
const bucketWidths = [6, 6, 6, 4, 4, 3, 2, 1] as const;
const widest = 8;
const widthOf = (anchor: string): number => bucketWidths.find((width) => width < anchor.length) ?? 1;
/** Code units in one go; a multiple of `lane`. */
export const sieveBlock = 32_768;
/** Zeros before the first class. */
export const classesBefore = 4;
/** What is read at once. */
const lane = 16;
/** Steps without a question. */
const unrolled = 8;

/** Where what lies in memory; before the text and its classes, and behind, there are zeros. */
const textAt = lane;
const classesAt = textAt + sieveBlock + 2 * lane;
const runsAt = classesAt + sieveBlock + 2 * lane;
const placesAt = runsAt + 4 * (sieveBlock / lane + 1);
const tableAt = placesAt + 4 * (sieveBlock + lane);
const classes = 64;
/** The second class of a pair stands in the next byte. */
const tableLength = 8 * 256 * classes;
/** A bit for each key that some anchor ends with, by its hash. */
const knownAt = tableAt + tableLength;
const knownLength = 8192;
const pageLength = 65_536;

const every = Array.from({ length: classes }, (_, own) => own);
/** Letters fold, and with them some signs: 64 classes in all. The same for sixteen bytes is in `foldCode`. */
export const classOf = (unit: number): number => ((unit | 0x20) & 0x1f) | (((unit | 0x20) >> 1) & 0x20);

/** An anchor is known by the classes of its last four characters, one a byte, or of as many as it has. */
export const keyMasks = [-1, -1 << 8, -1 << 16] as const;

/** @returns the keys that a place has where the anchor ends, each with the index of its mask; any of them will do */
export function keysOf(anchor: string): { readonly key: number; readonly mask: number }[] {
  // One that is shorter than any key stands behind any character.
  if (anchor.length === 1)
    return every.map((own) => ({ key: (classOf(anchor.charCodeAt(0)) << 24) | (own << 16), mask: 2 }));
  let key = 0;
  for (const sign of anchor.slice(-4)) key = (classOf(sign.charCodeAt(0)) << 24) | (key >>> 8);
  return [{ key, mask: Math.max(0, 4 - anchor.length) }];
}

/** Of sixteen bits. */
const hashFactor = 0x9e3779b1 | 0;
const hashOf = (key: number): number => Math.imul(key, hashFactor) >>> 16;

/**
 * Turns bytes into classes, and finds runs of digits of base64.
 * @returns code for a function of the text's length, which gives the number of runs
 */
function foldCode(): Code {
  const [length, at, count, digits, before, bytes] = [0, 1, 2, 3, 4, 5] as const;
  const { get, set } = local;
  const folded = inOrder(get(bytes), bytes16.const(0x20), bytes16.or);
  const isWithin = (value: Code, first: string, many: number): Code =>
    inOrder(
      inOrder(value, bytes16.const(first.charCodeAt(0)), bytes16.subtract),
      inOrder(bytes16.const(many), bytes16.lessThan),
    );
  const is = (sign: string): Code => inOrder(get(bytes), bytes16.const(sign.charCodeAt(0)), bytes16.equal);
  const tell = (distance: number): Code =>
    inOrder(
      inOrder(get(count), get(at), i32.const(distance), i32.add, i32.store(runsAt)),
      inOrder(get(count), i32.const(4), i32.add, set(count)),
    );
  const sixteen = 0xffff;
  const nearer = inOrder(get(digits), i32.const(sixteen), i32.and, i32.const(sixteen), i32.equal);
  const further = inOrder(get(digits), i32.const(8), i32.shiftRight, i32.const(sixteen), i32.equal);
  return inOrder(
    repeat(
      inOrder(get(at), bytes16.load(textAt), set(bytes)),
      inOrder(get(at), folded, bytes16.const(0x1f), bytes16.and),
      inOrder(folded, i32.const(1), bytes16.shiftRight, bytes16.const(0x20), bytes16.and),
      inOrder(bytes16.or, bytes16.store(classesAt)),
      // "/" stands before "0".
      inOrder(isWithin(folded, "a", 26), isWithin(get(bytes), "/", 11), bytes16.or),
      inOrder(is("+"), bytes16.or, is("-"), bytes16.or, is("_"), bytes16.or, bytes16.highestBits),
      // Behind the second half of the last sixteen.
      inOrder(i32.const(8), i32.shiftLeft, get(before), i32.or, set(digits)),
      inOrder(nearer, further, i32.or),
      when(nearer, either(tell(8), tell(16))),
      inOrder(get(digits), i32.const(16), i32.shiftRight, set(before)),
      inOrder(get(at), i32.const(lane), i32.add, local.tee(at), get(length), i32.lessThan),
    ),
    inOrder(get(count), i32.const(2), i32.shiftRight),
  );
}

/** @returns code for a function of the text's length, which gives the number of places that are let pass */
function sieveCode(): Code {
  const [length, at, count, answers, kept] = [0, 1, 2, 3, 4] as const;
  const { get, set, tee } = local;
  const steps = Array.from({ length: unrolled }, (_, step) => step);
  /** Zeros where a bucket may have an anchor that ends. */
  const mayEnd = inOrder(i64.const(56), i64.shiftRight, i64.const(255), i64.notEqual);
  return inOrder(
    // Before the text may stand anything: `answers` begin with zeros.
    repeat(
      steps.flatMap((step) =>
        inOrder(
          inOrder(get(answers), i64.const(8), i64.shiftLeft),
          inOrder(get(at), i32.load16(classesAt - 1 + step), i32.const(3), i32.shiftLeft, i64.load(tableAt)),
          inOrder(i64.or, tee(answers), set(kept + step)),
        ),
      ),
      steps.flatMap((step) => inOrder(get(kept + step), step === 0 ? [] : i64.and)),
      mayEnd,
      // Rare. Which of them it is, is asked without a branch: it would be guessed wrong.
      when(
        steps.flatMap((step) =>
          inOrder(
            inOrder(get(count), get(at), i32.const(step), i32.add, i32.store(placesAt)),
            inOrder(get(count), get(kept + step), mayEnd, i32.const(2), i32.shiftLeft, i32.add, set(count)),
          ),
        ),
      ),
      inOrder(get(at), i32.const(unrolled), i32.add, tee(at), get(length), i32.lessThan),
    ),
    inOrder(get(count), i32.const(2), i32.shiftRight),
  );
}

/**
 * Leaves of the places those that have a known key behind them.
 * @returns code for a function of the number of places, which gives the number that is left; each with bits from 2^16 on that say by
 * which of `keyMasks`
 */
function confirmCode(): Code {
  const [count, at, left, place, key, hash, flags] = [0, 1, 2, 3, 4, 5, 6] as const;
  const { get, set, tee } = local;
  return inOrder(
    inOrder(get(count), i32.const(2), i32.shiftLeft, set(count)),
    repeat(
      inOrder(get(at), i32.load(placesAt), tee(place), i32.load(classesAt - 3), set(key)),
      inOrder(i32.const(0), set(flags)),
      keyMasks.flatMap((mask, index) =>
        inOrder(
          inOrder(get(key), i32.const(mask), i32.and, i32.const(hashFactor), i32.multiply),
          inOrder(i32.const(16), i32.shiftRight, tee(hash), i32.const(3), i32.shiftRight),
          inOrder(i32.load8(knownAt), get(hash), i32.const(7), i32.and, i32.shiftRight),
          inOrder(i32.const(1), i32.and, i32.const(16 + index), i32.shiftLeft, get(flags), i32.or),
          set(flags),
        ),
      ),
      inOrder(get(left), get(place), get(flags), i32.or, i32.store(placesAt)),
      inOrder(get(left), get(flags), i32.const(0), i32.notEqual, i32.const(2), i32.shiftLeft),
      inOrder(i32.add, set(left)),
      inOrder(get(at), i32.const(4), i32.add, tee(at), get(count), i32.lessThan),
    ),
    inOrder(get(left), i32.const(2), i32.shiftRight),
  );
}

interface Machine {
  readonly text: Buffer;
  readonly classes: Uint8Array;
  readonly runs: Int32Array;
  readonly places: Int32Array;
  readonly table: Uint8Array;
  readonly known: Uint8Array;
  readonly fold: (length: number) => number;
  readonly sieve: (length: number) => number;
  readonly confirm: (count: number) => number;
}

/** What of it is used; neither this project's libraries nor Node's types declare it. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** One for a thread: what it works with is scratch, but for the table of the sieve that was used last. */
let machine: Machine | null = null;
let loaded: Uint8Array | null = null;

function startMachine(): Machine {
  const keptAnswers = Array.from({ length: unrolled }, () => "i64" as const);
  const code = encodeModule(
    [
      { name: "fold", locals: ["i32", "i32", "i32", "i32", "i32", "v128"], body: foldCode() },
      { name: "sieve", locals: ["i32", "i32", "i32", "i64", ...keptAnswers], body: sieveCode() },
      { name: "confirm", locals: ["i32", "i32", "i32", "i32", "i32", "i32", "i32"], body: confirmCode() },
    ],
    Math.ceil((knownAt + knownLength) / pageLength),
  );
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code));
  const { memory, fold, sieve, confirm } = exports as unknown as Pick<Machine, "fold" | "sieve" | "confirm"> & {
    readonly memory: { readonly buffer: ArrayBuffer };
  };
  const { buffer } = memory;
  return {
    text: Buffer.from(buffer, textAt, sieveBlock + lane),
    classes: new Uint8Array(buffer, classesAt - classesBefore, classesBefore + sieveBlock + lane),
    runs: new Int32Array(buffer, runsAt, sieveBlock / lane + 1),
    places: new Int32Array(buffer, placesAt, sieveBlock + lane),
    table: new Uint8Array(buffer, tableAt, tableLength),
    known: new Uint8Array(buffer, knownAt, knownLength),
    fold,
    sieve,
    confirm,
  };
}

export class AnchorSieve {
  /**
   * Of the last `pass`: in the lower sixteen bits offsets of the characters that an anchor may end with, above them for each of
   * `keyMasks` whether its key is known.
   */
  places: Int32Array = new Int32Array();
  placeCount = 0;
  /** Also of the last `pass`: the text's characters as `classOf` has them; the first is at `classesBefore`. */
  classes: Uint8Array = new Uint8Array();
  /**
   * Also of the last `pass`: ends of sixteen characters each that may all be digits of base64. Every run of 24 holds such sixteen,
   * longer ones side by side.
   */
  runs: Int32Array = new Int32Array();
  runCount = 0;
  private readonly table = new Uint8Array(tableLength);
  private readonly known = new Uint8Array(knownLength);

  /** @param anchors in lower case, ASCII, none empty. */
  constructor(anchors: readonly string[]) {
    const dealt = [...new Set(bucketWidths)].flatMap((width) => {
      const buckets = [...bucketWidths.keys()].filter((bucket) => bucketWidths[bucket] === width);
      // Those that end alike share a bucket: it lets less pass.
      const own = anchors
        .filter((anchor) => widthOf(anchor) === width)
        .toSorted((a, b) => (a.slice(-width - 1) < b.slice(-width - 1) ? -1 : 1));
      return own.map((anchor, place) => ({
        anchor,
        bucket: buckets[Math.floor((place * buckets.length) / own.length)]!,
      }));
    });
    // What stands before an anchor's last characters is nobody's business.
    const anyPair = new Uint8Array(widest).fill(255);
    for (const bucket of new Set(dealt.map((own) => own.bucket))) {
      for (let place = 0; place < widest - bucketWidths[bucket]!; place++) anyPair[place]! &= ~(1 << bucket);
    }
    for (let at = 0; at < tableLength; at++) this.table[at] = anyPair[at % widest]!;
    for (const { anchor, bucket } of dealt) this.deal(anchor, bucket);
    for (const { key } of anchors.flatMap(keysOf)) this.known[hashOf(key) >> 3]! |= 1 << (hashOf(key) & 7);
  }

  /** @param text at most `sieveBlock` code units, of which only the lower eight bits are looked at: too much may pass. */
  pass(text: string): void {
    machine ??= startMachine();
    if (loaded !== this.table) {
      machine.table.set(this.table);
      machine.known.set(this.known);
      loaded = this.table;
    }
    machine.text.write(text, "latin1");
    machine.text.fill(0, text.length, text.length + lane);
    this.classes = machine.classes;
    this.runs = machine.runs;
    this.runCount = machine.fold(text.length);
    this.places = machine.places;
    const count = machine.sieve(text.length);
    this.placeCount = count === 0 ? 0 : machine.confirm(count);
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
