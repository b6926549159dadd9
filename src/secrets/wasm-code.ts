/**
 * Writes a small module of WebAssembly: what one loop over every byte of every text needs, and JavaScript has no words for (64-bit and
 * 128-bit numbers, loads without a check of their bounds).
 * @see https://webassembly.github.io/spec/core/binary/ the format and the numbers of the instructions
 */

/** Instructions, in order; each leaves its outcome on the stack for the next. */
export type Code = readonly number[];

export const valueType = { i32: 0x7f, i64: 0x7e, v128: 0x7b } as const;
const noResult = 0x40;

export const unsigned = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];

export function signed(value: number): number[] {
  const low = value & 0x7f;
  const rest = value >> 7;
  const isLast = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
  return isLast ? [low] : [low | 0x80, ...signed(rest)];
}

const vector = (items: readonly Code[]): number[] => [...unsigned(items.length), ...items.flat()];
const sized = (bytes: Code): number[] => [...unsigned(bytes.length), ...bytes];
const section = (id: number, bytes: Code): number[] => [id, ...sized(bytes)];
const name = (text: string): number[] => sized([...Buffer.from(text)]);
const simd = (instruction: number): number[] => [0xfd, ...unsigned(instruction)];

export const local = {
  get: (index: number): Code => [0x20, index],
  set: (index: number): Code => [0x21, index],
  tee: (index: number): Code => [0x22, index],
};

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  load: (offset: number): Code => [0x28, 0, ...unsigned(offset)],
  load8: (offset: number): Code => [0x2d, 0, ...unsigned(offset)],
  load16: (offset: number): Code => [0x2f, 0, ...unsigned(offset)],
  store: (offset: number): Code => [0x36, 0, ...unsigned(offset)],
  isZero: [0x45],
  equal: [0x46],
  lessThan: [0x48],
  notEqual: [0x47],
  add: [0x6a],
  subtract: [0x6b],
  multiply: [0x6c],
  and: [0x71],
  or: [0x72],
  shiftLeft: [0x74],
  shiftRight: [0x76],
} as const;

export const i64 = {
  const: (value: number): Code => [0x42, ...signed(value)],
  load: (offset: number): Code => [0x29, 0, ...unsigned(offset)],
  notEqual: [0x52],
  and: [0x83],
  or: [0x84],
  shiftLeft: [0x86],
  shiftRight: [0x88],
} as const;

/** Sixteen bytes at once. */
export const bytes16 = {
  /** @param each the bytes, repeated */
  const: (...each: readonly number[]): Code => [
    ...simd(12),
    ...Array.from({ length: 16 }, (_, at) => each[at % each.length]!),
  ],
  load: (offset: number): Code => [...simd(0), 0, ...unsigned(offset)],
  store: (offset: number): Code => [...simd(11), 0, ...unsigned(offset)],
  equal: simd(35),
  lessThan: simd(38),
  and: simd(78),
  or: simd(80),
  xor: simd(81),
  /** Whether any bit is set. */
  isAny: simd(83),
  /** Of each byte the highest bit, as sixteen bits. */
  highestBits: simd(100),
  shiftRight: simd(109),
  subtract: simd(113),
  /** Of two times eight numbers below 2^15, sixteen bits each; what a byte cannot hold becomes 255. */
  narrow: simd(102),
} as const;

/** Eight numbers of sixteen bits at once. */
export const pairs8 = {
  least: simd(151),
} as const;

/** One after the other. */
export const inOrder = (...parts: readonly Code[]): Code => parts.flat();
export const when = (...then: readonly Code[]): Code => [0x04, noResult, ...then.flat(), 0x0b];
export const either = (then: Code, otherwise: Code): Code => [0x04, noResult, ...then, 0x05, ...otherwise, 0x0b];
/** Runs `body` again as long as it leaves a number other than 0. */
export const repeat = (...body: readonly Code[]): Code => [0x03, noResult, ...body.flat(), 0x0d, 0, 0x0b];

export interface CodeFunction {
  readonly name: string;
  /** The first of its local variables, numbers of 32 bits, as is the result. */
  readonly parameters: 1 | 2;
  /** The others. */
  readonly locals: readonly (keyof typeof valueType)[];
  readonly body: Code;
}

/** @returns a module that exports the functions, and its memory as `memory`. */
export function encodeModule(functions: readonly CodeFunction[], pages: number): Uint8Array<ArrayBuffer> {
  const signatures = [1, 2].map((parameters) => {
    const numbers = Array.from({ length: parameters }, () => [valueType.i32]);
    return [0x60, ...vector(numbers), ...vector([[valueType.i32]])];
  });
  const bodies = functions.map(({ locals, body }) =>
    sized([...vector(locals.map((type) => [1, valueType[type]])), ...body, 0x0b]),
  );
  const memory = [1, ...unsigned(pages), ...unsigned(pages)];
  const exported = functions.map((own, index) => [...name(own.name), 0, ...unsigned(index)]);
  return Uint8Array.from(
    [
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, vector(signatures)),
      section(3, vector(functions.map(({ parameters }) => [parameters - 1]))),
      section(5, vector([memory])),
      section(7, vector([[...name("memory"), 2, 0], ...exported])),
      section(10, vector(bodies)),
    ].flat(),
  );
}
