/**
 * What reads every byte of every text for anchors, as WebAssembly: where everything lies in its memory, and its functions. What they are for
 * is told in `AnchorSieve`.
 */
import {
  bytes16,
  either,
  encodeModule,
  i32,
  i64,
  inOrder,
  local,
  pairs8,
  repeat,
  when,
  type Code,
} from "./wasm-code.ts";

/** Code units in one go; a multiple of `lane`. */
export const sieveBlock = 32_768;
/** What is read at once. */
const lane = 16;
/** Steps without a question. */
const unrolled = 8;
export const classes = 64;
/** Letters fold, and with them some signs: 64 classes in all. The same for sixteen bytes is in `foldCode`. */
export const classOf = (unit: number): number => ((unit | 0x20) & 0x1f) | (((unit | 0x20) >> 1) & 0x20);

/** An anchor is known by the classes of its last four characters, one a byte, or of as many as it has. */
export const keyMasks = [-1, -1 << 8, -1 << 16] as const;
/** Of sixteen bits. */
const hashFactor = 0x9e3779b1 | 0;
export const hashOf = (key: number): number => Math.imul(key, hashFactor) >>> 16;
/** Records are found by the upper bits of the hash, and by the mask. */
const slotBits = 3;
export const slotOf = (hash: number, mask: number): number => keyMasks.length * (hash >> slotBits) + mask;
export const slots = keyMasks.length * 2 ** (16 - slotBits);

/** What an anchor is compared with at most: its last characters. */
export const comparedLength = lane;
/** Between these, counted from its last one, lie the characters beside an anchor that are looked at. */
export const furthestBefore = lane;
export const furthestBehind = 24;

/** Of an anchor, offsets in bytes. */
export const record = {
  /** Its last characters, the last one in the last byte; and which bits of them matter. */
  text: 0,
  care: lane,
  /** Characters beside it: how far behind `furthestBefore` before its last one, and a bit for each that may stand there. */
  distances: 2 * lane,
  ending: 2 * lane + 12,
  sets: 3 * lane,
  setLength: 32,
  length: 9 * lane,
} as const;
export const besides = 3;
/** More than one text has ever had in one go; a set of anchors that may need more for a single place says so. */
const usualHits = 65_536;

/** Where what lies in memory. Before the text and its classes there are zeros, and behind the text what stands in no anchor. */
const textAt = lane;
export const behindText = 2 * lane;
const classesAt = textAt + sieveBlock + behindText + lane;
const runsAt = classesAt + sieveBlock + 2 * lane;
const placesAt = runsAt + 4 * (sieveBlock / lane + 1);
const wideAt = placesAt + 4 * (sieveBlock + lane);
const zerosAt = wideAt + 2 * (sieveBlock + lane);
/** By two classes, the second in the upper byte, eight times eight bits; see `AnchorSieve`. */
const tableAt = zerosAt + lane;
export const tableLength = 8 * 256 * classes;
/** A bit for each key that some anchor ends with, by its hash. */
const knownAt = tableAt + tableLength;
export const knownLength = 2 ** 16 / 8;
/** By slot, where its records begin; the next one's beginning is their end. */
const headsAt = knownAt + knownLength;
const recordsAt = headsAt + 4 * (slots + 4);
const pageLength = 65_536;

/** Turns numbers of sixteen bits into the text's bytes; what is none of Latin-1 becomes 255. */
function narrowCode(): Code {
  const [length, at] = [0, 1] as const;
  const { get, tee } = local;
  const wide = (offset: number): Code =>
    inOrder(get(at), i32.const(1), i32.shiftLeft, bytes16.load(wideAt + offset), bytes16.const(0xff, 0), pairs8.least);
  return inOrder(
    repeat(
      inOrder(get(at), wide(0), wide(lane), bytes16.narrow, bytes16.store(textAt)),
      inOrder(get(at), i32.const(lane), i32.add, tee(at), get(length), i32.lessThan),
    ),
    i32.const(0),
  );
}

/**
 * Turns bytes into classes, finds runs of digits of base64, and notes at `zerosAt` whether U+0000 stands in the text.
 * @returns code for a function of the text's length, which gives the number of runs
 */
function foldCode(): Code {
  const [length, at, count, digits, before, bytes, zeros] = [0, 1, 2, 3, 4, 5, 6] as const;
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
      inOrder(get(zeros), is("\0"), bytes16.or, set(zeros)),
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
    inOrder(i32.const(0), get(zeros), bytes16.isAny, i32.store(zerosAt)),
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
 * Compares what stands at the places with the anchors whose keys stand there, and what stands beside it with what may.
 * @param hitsAt where they are written: for each the place and the ending
 * @returns code for a function of the first place and the one behind the last, which gives the number of hits
 */
function meetCode(hitsAt: number): Code {
  const [at, end, place, key, hash, own, last, count, beside, here] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;
  const { get, set, tee } = local;
  const ofOwn = (offset: number): Code => inOrder(get(own), i32.load(recordsAt + offset));
  const mayStand = (index: number): Code =>
    inOrder(
      inOrder(
        get(place),
        ofOwn(record.distances + 4 * index),
        i32.add,
        i32.load8(textAt - furthestBefore),
        tee(beside),
      ),
      inOrder(i32.const(3), i32.shiftRight, get(own), i32.add),
      inOrder(i32.load8(recordsAt + record.sets + record.setLength * index)),
      inOrder(get(beside), i32.const(7), i32.and, i32.shiftRight),
    );
  const isEqual = inOrder(
    inOrder(get(here), get(own), bytes16.load(recordsAt + record.text), bytes16.xor),
    inOrder(get(own), bytes16.load(recordsAt + record.care), bytes16.and, bytes16.isAny, i32.isZero),
  );
  /** Written in any case, and kept if all that stands beside it may. */
  const hit = inOrder(
    inOrder(get(count), get(place), i32.store(hitsAt)),
    inOrder(get(count), ofOwn(record.ending), i32.store(hitsAt + 4)),
    Array.from({ length: besides }, (_, index) => inOrder(mayStand(index), index === 0 ? [] : i32.and)).flat(),
    inOrder(i32.const(1), i32.and, i32.const(3), i32.shiftLeft, get(count), i32.add, set(count)),
  );
  return inOrder(
    inOrder(get(at), i32.const(2), i32.shiftLeft, set(at)),
    inOrder(get(end), i32.const(2), i32.shiftLeft, set(end)),
    repeat(
      inOrder(get(at), i32.load(placesAt), tee(place), i32.load(classesAt - 3), set(key)),
      inOrder(get(place), bytes16.load(textAt + 1 - lane), set(here)),
      keyMasks.flatMap((mask, index) =>
        inOrder(
          inOrder(get(key), i32.const(mask), i32.and, i32.const(hashFactor), i32.multiply),
          inOrder(i32.const(16), i32.shiftRight, tee(hash), i32.const(slotBits), i32.shiftRight),
          inOrder(i32.load8(knownAt), get(hash), i32.const(7), i32.and, i32.shiftRight, i32.const(1), i32.and),
          when(
            inOrder(
              get(hash),
              i32.const(slotBits),
              i32.shiftRight,
              i32.const(4 * keyMasks.length),
              i32.multiply,
              tee(hash),
            ),
            inOrder(i32.load(headsAt + 4 * index), set(own), get(hash), i32.load(headsAt + 4 * index + 4), set(last)),
            inOrder(get(own), get(last), i32.lessThan),
            when(
              repeat(
                inOrder(isEqual, when(hit)),
                inOrder(get(own), i32.const(record.length), i32.add, tee(own), get(last), i32.lessThan),
              ),
            ),
          ),
        ),
      ),
      inOrder(get(at), i32.const(4), i32.add, tee(at), get(end), i32.lessThan),
    ),
    inOrder(get(count), i32.const(3), i32.shiftRight),
  );
}

export interface AnchorMachine {
  readonly text: Buffer;
  readonly wide: Buffer;
  readonly runs: Int32Array;
  readonly zeros: Int32Array;
  readonly hits: Int32Array;
  readonly mostHits: number;
  readonly table: Uint8Array;
  readonly known: Uint8Array;
  readonly heads: Int32Array;
  readonly records: Uint8Array;
  readonly narrow: (length: number) => number;
  readonly fold: (length: number) => number;
  readonly sieve: (length: number) => number;
  readonly meet: (from: number, to: number) => number;
}

/** What of it is used; neither this project's libraries nor Node's types declare it. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** @param recordsLength in bytes. @param leastHits there is room for as many at least */
export function startAnchorMachine(recordsLength: number, leastHits: number): AnchorMachine {
  const hitsAt = Math.ceil((recordsAt + recordsLength) / lane) * lane;
  const mostHits = Math.max(usualHits, leastHits);
  const keptAnswers = Array.from({ length: unrolled }, () => "i64" as const);
  const numbers = (count: number) => Array.from({ length: count }, () => "i32" as const);
  const code = encodeModule(
    [
      { name: "narrow", parameters: 1, locals: numbers(1), body: narrowCode() },
      { name: "fold", parameters: 1, locals: [...numbers(4), "v128", "v128"], body: foldCode() },
      { name: "sieve", parameters: 1, locals: [...numbers(2), "i64", ...keptAnswers], body: sieveCode() },
      { name: "meet", parameters: 2, locals: [...numbers(7), "v128"], body: meetCode(hitsAt) },
    ],
    Math.ceil((hitsAt + 8 * (mostHits + 1)) / pageLength),
  );
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code));
  const { memory, ...functions } = exports as unknown as Pick<AnchorMachine, "narrow" | "fold" | "sieve" | "meet"> & {
    readonly memory: { readonly buffer: ArrayBuffer };
  };
  const { buffer } = memory;
  return {
    ...functions,
    text: Buffer.from(buffer, textAt, sieveBlock + behindText),
    wide: Buffer.from(buffer, wideAt, 2 * sieveBlock),
    runs: new Int32Array(buffer, runsAt, sieveBlock / lane + 1),
    zeros: new Int32Array(buffer, zerosAt, 1),
    hits: new Int32Array(buffer, hitsAt, 2 * mostHits),
    mostHits,
    table: new Uint8Array(buffer, tableAt, tableLength),
    known: new Uint8Array(buffer, knownAt, knownLength),
    heads: new Int32Array(buffer, headsAt, slots + 1),
    records: new Uint8Array(buffer, recordsAt, recordsLength),
  };
}
