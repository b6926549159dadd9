/**
 * Secrets of every rule, the gateway's own and a foreign file's, in clear and written in other ways: what tests plant, and what must
 * not be found again afterwards.
 */
import { setImmediate } from "node:timers/promises";
import type { Detector } from "../../src/secrets/detector.ts";
import { builtinRules } from "../secrets/builtin-rules.ts";

/** What a company has in a gitleaks file of its own. */
export const foreignToml = `
[[rules]]
id = "acme-robot"
regex = '''\\brobot_([a-z0-9]{24})\\b'''
keywords = ["robot_"]

[[rules]]
id = "acme-vault"
regex = '''(?i)acme[_-]vault\\s*[:=]\\s*["']?([0-9a-f]{40})'''
entropy = 3
secretGroup = 1
keywords = ["acme"]
`;
const foreign = [
  { id: "acme-robot", text: `run with ${["robot", "k3v9x1m7q2w8z4t6b5n0c3d7"].join("_")} today`, path: null },
  { id: "acme-vault", text: `acme_vault = "${["9f2c4e7a1b8d", "3056e1f49a7c2b8d6e03f5a1c4b7"].join("")}"`, path: null },
];

/** A text with a secret in it, and what must not be found again. */
export interface Plant {
  readonly id: string;
  readonly text: string;
  /** In a push, the name of the file. */
  readonly path: string;
  readonly needles: readonly string[];
}

const SHORTEST = 8;

/** A line of key material, where a secret has several: the names around it are none. */
const KEY_LINE = 24;

const needlesOf = (secret: string): string[] => {
  const lines = secret.split(/\r?\n/);
  return lines.filter((line) => line.trim().length >= (lines.length === 1 ? SHORTEST : KEY_LINE));
};

export const encodings: Readonly<Record<string, (text: string) => string>> = {
  clear: (text) => text,
  base64: (text) => `data: ${Buffer.from(text).toString("base64")}`,
  hexadecimal: (text) => `data = ${Buffer.from(text).toString("hex")} end`,
  percent: (text) =>
    `?q=${[...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")}&x=1`,
  json: (text) => JSON.stringify({ output: text, more: [text.toUpperCase().length] }),
  escapes: (text) => `"${text.replace(/[^]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`,
  kubernetes: (text) =>
    `apiVersion: v1\nkind: Secret\ndata:\n  value: ${Buffer.from(text).toString("base64")}\ntype: Opaque\n`,
};

const examples = [
  ...builtinRules().flatMap(({ id, examples }) => examples.match.map((text) => ({ id, text, path: examples.path }))),
  ...foreign,
];

export const exampleIds: ReadonlySet<string> = new Set(examples.map(({ id }) => id));

/** What is found in a text, and what of the text that is. */
const needlesIn = (detector: Detector, text: string, path?: string): readonly string[] =>
  detector
    .find(text, path)
    .flatMap(({ detection: { start, end }, secret }) => [...needlesOf(secret), ...needlesOf(text.slice(start, end))]);

/**
 * What of these texts the detector knows: the rest is its recall, which other tests measure.
 * @param where in a push, the directory; `null`: it is no file's
 * @param isMeant which of the examples, by their place in the list
 */
export function plants(
  detector: Detector,
  where: string | null,
  encode: (text: string) => string,
  isMeant: (at: number) => boolean = () => true,
): Plant[] {
  return examples.flatMap(({ id, text, path: own }, at): Plant[] => {
    if (!isMeant(at)) return [];
    const path = `${where}/${at}/${own ?? "notes.txt"}`;
    const encoded = encode(text);
    const needles = needlesIn(detector, encoded, where === null ? undefined : path);
    return needles.length === 0 ? [] : [{ id, text: encoded, path, needles }];
  });
}

/** All examples in clear, and each of them written in one other way, in turn. */
export function plantsInTurn(detector: Detector, where: string | null): Plant[] {
  const { clear = (text: string) => text, ...others } = encodings;
  const ways = Object.entries(others);
  return [
    ...plants(detector, where === null ? null : `${where}/clear`, clear),
    ...ways.flatMap(([name, encode], way) =>
      plants(detector, where === null ? null : `${where}/${name}`, encode, (at) => at % ways.length === way),
    ),
  ];
}

/** What a name may hold, and what of it must not be found again. */
interface NamePart {
  readonly text: string;
  readonly needles: readonly string[];
}

const bare: Readonly<Record<"base64" | "hexadecimal", (text: string) => string>> = {
  base64: (text) => Buffer.from(text).toString("base64url"),
  hexadecimal: (text) => Buffer.from(text).toString("hex"),
};

const partsOf = new WeakMap<Detector, readonly (readonly NamePart[])[]>();

/** By example: its text, the secret alone, and for every fifth of them that in another writing, as far as they are found. */
function nameParts(detector: Detector): readonly (readonly NamePart[])[] {
  const known = partsOf.get(detector);
  if (known !== undefined) return known;
  const parts = examples.map(({ text, path }, at): readonly NamePart[] => {
    const [secret] = detector.find(text, path ?? undefined);
    const encode = at % 5 === 0 ? bare.base64 : at % 5 === 1 ? bare.hexadecimal : null;
    return [
      ...(encode === null || secret === undefined ? [] : [encode(secret.secret)]),
      text,
      ...(secret === undefined ? [] : [secret.secret]),
    ].flatMap((candidate) => {
      const needles = needlesIn(detector, candidate).filter((needle) => candidate.includes(needle));
      return needles.length === 0 ? [] : [{ text: candidate, needles }];
    });
  });
  partsOf.set(detector, parts);
  return parts;
}

/**
 * One secret of every rule that has one which fits in a name: written in another way, as it is, or alone.
 * @param isName what fits
 * @param wrap makes the name of it
 */
export function names(
  detector: Detector,
  isName: (text: string) => boolean,
  wrap: (text: string, at: number) => string = (text) => text,
): Plant[] {
  const found = new Map<string, Plant>();
  for (const [at, parts] of nameParts(detector).entries()) {
    const { id } = examples[at]!;
    const part = parts.find(({ text }) => isName(text));
    if (part === undefined || found.has(id)) continue;
    const name = wrap(part.text, at);
    found.set(id, { id, text: name, path: name, needles: part.needles });
  }
  return [...found.values()];
}

/** A needle in one of the forms that it may stand there in, and what it is of. */
type Form = readonly [form: string, id: string];

interface Forms {
  readonly byHead: ReadonlyMap<string, readonly Form[]>;
  /** Not zero where a form begins like this (`beginningAt`): most places of a long text are done with by one look. */
  readonly beginnings: Uint8Array;
}

const BEGINNINGS = 2 ** 16;
/** A number for the four characters that stand there. */
const beginningAt = (text: string, at: number): number =>
  (text.charCodeAt(at) ^
    (text.charCodeAt(at + 1) << 3) ^
    (text.charCodeAt(at + 2) << 6) ^
    (text.charCodeAt(at + 3) << 9)) &
  (BEGINNINGS - 1);

/** By their first characters. */
function formsOf(needles: Iterable<readonly [needle: string, id: string]>): Forms {
  const byHead = new Map<string, Form[]>();
  const beginnings = new Uint8Array(BEGINNINGS);
  for (const [needle, id] of needles) {
    for (const form of new Set([
      needle,
      // As jsonb, as an array's element and as a row's text show it.
      JSON.stringify(needle).slice(1, -1),
      needle.replaceAll("\\", "\\\\"),
      // As an address has it.
      encodeURIComponent(needle),
    ])) {
      const head = form.slice(0, SHORTEST);
      beginnings[beginningAt(head, 0)] = 1;
      const others = byHead.get(head);
      if (others === undefined) byHead.set(head, [[form, id]]);
      else others.push([form, id]);
    }
  }
  return { byHead, beginnings };
}

function* findForms(haystack: string, { byHead, beginnings }: Forms, from: number, to: number): Generator<string> {
  for (let at = from; at < Math.min(to, haystack.length - SHORTEST + 1); at++) {
    if (beginnings[beginningAt(haystack, at)] === 0) continue;
    for (const [form, id] of byHead.get(haystack.slice(at, at + SHORTEST)) ?? []) {
      if (haystack.startsWith(form, at)) {
        yield `${id}: …${haystack.slice(Math.max(0, at - 60), at + form.length + 20)}…`;
      }
    }
  }
}

/** Looks for all needles in one pass. @returns those that are there, with what stands around them */
export const findNeedles = (haystack: string, needles: Iterable<readonly [needle: string, id: string]>): string[] => [
  ...new Set(findForms(haystack, formsOf(needles), 0, haystack.length)),
];

const TURN = 500_000;

/** The same for a long text: others have their turn in between, or the gateway of the test closes connections that it seems to keep in vain. */
export async function findNeedlesInTurns(
  haystack: string,
  needles: Iterable<readonly [needle: string, id: string]>,
): Promise<string[]> {
  const forms = formsOf(needles);
  const found = new Set<string>();
  for (let from = 0; from < haystack.length; from += TURN) {
    for (const one of findForms(haystack, forms, from, from + TURN)) found.add(one);
    await setImmediate();
  }
  return [...found];
}
