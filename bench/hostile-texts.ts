/**
 * Texts made to keep a detector busy and give it nothing, for one rule at a time and from its own pattern: what begins as a match does and
 * fails as late as it can, what overlaps itself, what matches and is no secret after all.
 */
import { sizeOf, type CharSet } from "../src/secrets/char-set.ts";
import { includesUnit } from "../src/secrets/regex-program.ts";
import { parseRegex, type RegexNode } from "../src/secrets/regex-syntax.ts";
import type { Rule } from "../src/secrets/rule.ts";

export interface HostileText {
  readonly kind: string;
  readonly text: string;
}

/** Repetitions are filled up to these lengths: as few as it takes, a token's, a line's, as many as there can be. */
const FILLS = [0, 40, 300, 2048] as const;
/** Longer matches come too seldom in a text to be told from its fill. */
const LONGEST_MATCH = 8192;

interface Choices {
  /** A member of the set for the `place`th character of a repetition. */
  readonly unit: (set: CharSet, place: number) => string;
  readonly count: (min: number, max: number, perTurn: number) => number;
  readonly branch: (count: number) => number;
}

interface Written {
  readonly text: string;
  /** What may stand at each place. */
  readonly sets: readonly CharSet[];
}

/** @returns one match of the pattern; assertions are taken to hold */
function write(node: RegexNode, choices: Choices): Written {
  const sets: CharSet[] = [];
  let text = "";
  const add = (part: RegexNode, place: number): void => {
    if (text.length > LONGEST_MATCH) return;
    if (part.kind === "char") {
      text += choices.unit(part.set, place);
      sets.push(part.set);
    } else if (part.kind === "group") add(part.node, place);
    else if (part.kind === "sequence") for (const one of part.nodes) add(one, 0);
    else if (part.kind === "choice") add(part.nodes[choices.branch(part.nodes.length)]!, place);
    else if (part.kind === "repeat") {
      const before = text.length;
      for (let turn = 0; turn < Math.min(part.max, 1 + part.min); turn++) {
        if (turn >= part.min && choices.count(part.min, part.max, 1) <= turn) break;
        add(part.node, turn);
      }
      const perTurn = Math.max(1, text.length - before) / Math.min(Math.max(1, part.max), 1 + part.min);
      const count = choices.count(part.min, part.max, perTurn);
      for (let turn = 1 + part.min; turn < count; turn++) add(part.node, turn);
    }
  };
  add(node, 0);
  return { text, sets };
}

/** Letters before digits before signs: they stand in most classes. */
const PREFERRED = "aA1_- /+=.:\"'\n\t";

function memberOf(set: CharSet, preferred: string): string {
  for (const sign of preferred) if (includesUnit(set, sign.charCodeAt(0))) return sign;
  return String.fromCharCode(set[0]?.[0] ?? 0x20);
}

const randomMember = (set: CharSet, random: () => number): string => {
  const ascii = set.filter(([from]) => from < 127).map(([from, to]) => [from, Math.min(to, 126)] as const);
  let at = Math.floor(random() * sizeOf(ascii));
  for (const [from, to] of ascii) {
    if (at <= to - from) return String.fromCharCode(from + at);
    at -= to - from + 1;
  }
  return memberOf(set, PREFERRED);
};

const fillOf =
  (fill: number) =>
  (min: number, max: number, perTurn: number): number =>
    Math.max(min, Math.min(max, Math.ceil(fill / perTurn)));

/** @returns a character that cannot stand there, if there is one */
const breakerOf = (set: CharSet): string | undefined =>
  ["\u007f", " ", "\n", "-", "a", "0"].find((sign) => !includesUnit(set, sign.charCodeAt(0)));

/** The same text with the last character that cannot be any replaced by one that it cannot be; and all before it. */
function broken({ text, sets }: Written): string {
  for (let at = text.length - 1; at >= 0; at--) {
    const breaker = breakerOf(sets[at]!);
    if (breaker !== undefined) return text.slice(0, at) + breaker;
  }
  return text;
}

/** The same numbers for everybody (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const toUtf16 = (text: string): string => Buffer.from(text, "utf16le").toString("latin1");
const escaped = (text: string, write: (code: string) => string): string =>
  [...Buffer.from(text, "latin1")].map((byte) => write(byte.toString(16).padStart(2, "0"))).join("");

const repeated = (part: string, length: number): string =>
  part === "" ? "" : part.repeat(Math.ceil(length / part.length)).slice(0, length);

/** Texts are long, and not all are asked for. */
interface Recipe {
  readonly kind: string;
  readonly make: () => string;
}

/**
 * @param length of each text
 * @param kinds those that are wanted; without it all
 */
export function* hostileTexts(rule: Rule, length: number, kinds?: ReadonlySet<string>): Generator<HostileText> {
  for (const { kind, make } of recipes(rule, length)) {
    if (kinds === undefined || kinds.has(kind)) yield { kind, text: make() };
  }
}

function* recipes(rule: Rule, length: number): Generator<Recipe> {
  const parsed = parseRegex(rule.regex);
  if (!parsed.ok) throw new RangeError(`${rule.id}: ${parsed.error}`);
  const node = parsed.value;
  const anchors = rule.plan.anchors?.map(({ text }) => text) ?? rule.keywords;
  const few = [...new Set([anchors[0], anchors[anchors.length >> 1], anchors.at(-1)])].filter(
    (anchor) => anchor !== undefined,
  );
  const of = (kind: string, part: string): Recipe => ({ kind, make: () => repeated(part, length) });
  const many = (
    kind: string,
    choices: (random: () => number) => Choices,
    part: (match: Written) => string,
  ): Recipe => ({
    kind,
    make: () => {
      // Each text has random numbers of its own: it is the same whichever others are made.
      const own = choices(createRandom(rule.line));
      let text = "";
      while (text.length < length) text += part(write(node, own)) || " ";
      return text.slice(0, length);
    },
  });

  for (const anchor of few) {
    yield of(`anchor ${anchor}`, anchor);
    for (const behind of [" ", "=", '="', "-", "a1", ": "]) yield of(`anchor ${anchor}${behind}`, anchor + behind);
    yield of(`anchor ${anchor}, 256 of fill`, `${anchor}${"aB3_".repeat(64)}`);
    yield of(`anchor ${anchor}, 40 of fill`, `${anchor} = "${"aB3/".repeat(10)}`);
    yield of(`anchor ${anchor}, line`, `${anchor} ${"word ".repeat(40)}\n`);
  }
  yield of("all anchors", anchors.join(""));
  yield of("all anchors assigned", anchors.map((anchor) => `${anchor}="`).join(""));

  for (const fill of FILLS) {
    const plain: Choices = {
      unit: (set) => memberOf(set, PREFERRED),
      count: fillOf(fill),
      branch: () => 0,
    };
    const match = write(node, plain);
    const failed = broken(match);
    yield of(`fill ${fill}, fails at its end`, failed);
    yield of(`fill ${fill}, fails at its end, lines`, `${failed}\n`);
    yield of(`fill ${fill}, matches`, match.text);
    yield of(`fill ${fill}, matches, lines`, `${match.text}\n`);
    yield of(`fill ${fill}, half`, match.text.slice(0, match.text.length >> 1));
    // Each candidate's run holds others' beginnings.
    for (const anchor of few) {
      const within = write(node, {
        ...plain,
        unit: (set, place) => {
          const sign = anchor[place % anchor.length]!;
          return includesUnit(set, sign.charCodeAt(0)) ? sign : memberOf(set, PREFERRED);
        },
      });
      yield of(`fill ${fill} of ${anchor}`, within.text);
      yield of(`fill ${fill} of ${anchor}, fails at its end`, broken(within));
    }
    const scattered = (random: () => number): Choices => ({
      unit: (set) => randomMember(set, random),
      count: (min, max, perTurn) =>
        fillOf(min + Math.floor(random() * Math.max(0, fill / perTurn - min)))(min, max, perTurn),
      branch: (count) => Math.floor(random() * count),
    });
    yield many(`random fill ${fill}, matches`, scattered, ({ text }) => text);
    yield many(`random fill ${fill}, matches, lines`, scattered, ({ text }) => `${text}\n`);
    yield many(`random fill ${fill}, fails at its end`, scattered, broken);
  }

  for (const [kind, examples] of [
    ["match", rule.examples.match.slice(0, 3)],
    ["noMatch", rule.examples.noMatch],
  ] as const) {
    for (const [index, example] of examples.entries()) {
      yield of(`${kind} ${index + 1}`, example);
      yield of(`${kind} ${index + 1}, lines`, `${example}\n`);
      yield of(`${kind} ${index + 1} cut`, example.slice(0, -1));
      yield of(`${kind} ${index + 1} broken`, `${example.slice(0, -1)}\u007f`);
      yield of(`${kind} ${index + 1} commented`, `${example} // example\n`);
    }
  }

  const example = rule.examples.match[0] ?? few[0] ?? rule.id;
  const failing = broken(write(node, { unit: (set) => memberOf(set, PREFERRED), count: fillOf(40), branch: () => 0 }));
  for (const [kind, part] of [
    ["match", example],
    ["failing", failing],
    ["anchor", few[0] ?? rule.id],
  ] as const) {
    const longer = `${part}\n`.repeat(Math.ceil(64 / part.length));
    const base64 = Buffer.from(longer, "latin1").toString("base64");
    yield of(`${kind} in base64`, `${base64} `);
    yield of(`${kind} in base64, one run`, Buffer.from(repeated(longer, length), "latin1").toString("base64"));
    yield of(`${kind} in base64 twice`, `${Buffer.from(base64).toString("base64")}\n`);
    yield of(`${kind} in hex`, `${Buffer.from(longer, "latin1").toString("hex")} `);
    yield of(`${kind} in percent signs`, `${escaped(part, (hex) => `%${hex}`)} `);
    yield of(`${kind} in escapes`, `${escaped(part, (hex) => String.raw`\u00${hex}`)} `);
    yield of(`${kind} behind an escape`, String.raw`\x41${part} `);
    yield of(`${kind} in UTF-16`, toUtf16(part));
  }
}
