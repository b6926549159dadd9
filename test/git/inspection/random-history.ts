/** Histories made by chance from a seed: the same seed makes the same one. */

export interface Random {
  /** From 0 to `below` − 1. */
  int(below: number): number;
  pick<T>(items: readonly T[]): T;
  chance(share: number): boolean;
}

/** mulberry32 */
export function createRandom(seed: number): Random {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (below: number): number => Math.floor(next() * below);
  return {
    int,
    pick: (items) => {
      const item = items[int(items.length)];
      if (item === undefined) throw new Error("nothing to pick from");
      return item;
    },
    chance: (share) => next() < share,
  };
}

type Entry =
  | { readonly mode: "100644" | "100755" | "120000"; readonly content: Buffer }
  | { readonly mode: "160000"; /** A digit that the id is made of. */ readonly oid: string };

/** Path (one character a byte) → what is there. */
type Tree = ReadonlyMap<string, Entry>;

const NAMES = ["a.txt", "b c.txt", 'quo"te', "größe", "\xff\xfe.bin", "tab\there", "x", "dir", "deep"];

const name = (random: Random): string =>
  Buffer.from(random.pick(NAMES)).toString("latin1") + (random.chance(0.5) ? `-${random.int(4)}` : "");

function path(random: Random): string {
  const names = [name(random)];
  while (random.chance(0.4) && names.length < 4) names.unshift(`d${random.int(3)}`);
  return names.join("/");
}

const line = (random: Random): string =>
  random.pick(["", "}", "  return;", `value ${random.int(40)}`, `unique ${random.int(1e9)}`, "ends\r", "größe"]);

function text(random: Random): string[] {
  return Array.from({ length: random.int(60) }, () => line(random));
}

const asText = (lines: readonly string[], random: Random): Buffer =>
  Buffer.from(lines.join("\n") + (lines.length > 0 && random.chance(0.8) ? "\n" : ""));

function binary(random: Random): Buffer {
  const pieces = Array.from({ length: 1 + random.int(12) }, () =>
    random.chance(0.5)
      ? Buffer.from(Array.from({ length: random.int(200) }, () => random.int(256)))
      : Buffer.from(`printable-${random.int(1000)}\n`),
  );
  return Buffer.concat([Buffer.from("\0\x01\x02"), ...pieces]);
}

function newEntry(random: Random): Entry {
  const kind = random.int(20);
  if (kind === 0) return { mode: "160000", oid: String(random.int(9) + 1) };
  if (kind === 1) return { mode: "120000", content: Buffer.from(`target/${random.int(100)}`) };
  if (kind < 5) return { mode: "100644", content: binary(random) };
  if (kind === 5) return { mode: "100644", content: Buffer.alloc(0) };
  return { mode: random.chance(0.1) ? "100755" : "100644", content: asText(text(random), random) };
}

function edit(random: Random, entry: Entry): Entry {
  if (entry.mode === "160000" || random.chance(0.1)) return newEntry(random);
  if (random.chance(0.1)) return { mode: entry.mode === "100644" ? "100755" : "100644", content: entry.content };
  if (entry.content.includes(0)) {
    return { ...entry, content: Buffer.concat([entry.content, Buffer.from(`\0appended-${random.int(1000)}\n`)]) };
  }
  const lines = entry.content.toString().split("\n");
  for (let edits = 1 + random.int(4); edits > 0; edits--) {
    const at = random.int(lines.length + 1);
    const block = text(random).slice(0, random.int(8));
    // Some are moved, not made.
    if (random.chance(0.2)) block.push(...lines.slice(0, random.int(4)));
    lines.splice(at, random.int(4), ...block);
  }
  return { ...entry, content: Buffer.from(lines.join("\n")) };
}

function change(random: Random, before: Tree): Tree {
  const tree = new Map(before);
  for (let changes = 1 + random.int(5); changes > 0; changes--) {
    const old = tree.size === 0 ? undefined : random.pick([...tree.keys()]);
    const entry = old === undefined ? undefined : tree.get(old);
    if (old === undefined || entry === undefined || random.chance(0.35)) put(tree, path(random), newEntry(random));
    else if (random.chance(0.15)) tree.delete(old);
    else if (random.chance(0.2)) {
      tree.delete(old);
      put(tree, path(random), random.chance(0.5) ? entry : edit(random, entry));
    } else tree.set(old, edit(random, entry));
  }
  return tree;
}

/** A file and a directory cannot have one name. */
function put(tree: Map<string, Entry>, at: string, entry: Entry): void {
  for (const other of tree.keys()) if (other.startsWith(`${at}/`) || at.startsWith(`${other}/`)) tree.delete(other);
  tree.set(at, entry);
}

const quoted = (at: string): string =>
  `"${at.replace(/[^ -!#-[\]-~]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`)}"`;

/**
 * A stream for git fast-import (git-fast-import, "Input Format"): `count` commits on `main`, among them merges of two and three
 * parents, some with changes of their own, and new roots.
 */
export function randomHistory(random: Random, count: number, digits: 40 | 64): Buffer {
  const parts: Buffer[] = [];
  const write = (...pieces: (string | Buffer)[]): void => void parts.push(...pieces.map((piece) => Buffer.from(piece)));
  const trees: Tree[] = [];
  for (let mark = 1; mark <= count; mark++) {
    const parents = new Set<number>();
    if (mark > 1 && !random.chance(0.05)) parents.add(random.chance(0.6) ? mark - 1 : 1 + random.int(mark - 1));
    for (let more = mark > 3 && parents.size > 0 ? random.int(16) : 0; more >= 13; more--)
      parents.add(1 + random.int(mark - 1));
    // The last one leads to all that would be lost.
    if (mark === count) for (let other = 1; other < mark; other++) parents.add(other);
    const [first, ...rest] = [...parents];
    let tree: Tree = first === undefined ? new Map() : (trees[first - 1] ?? new Map());
    for (const other of rest) {
      const merged = new Map(tree);
      for (const [at, entry] of trees[other - 1] ?? []) if (random.chance(0.5)) put(merged, at, entry);
      tree = merged;
    }
    if (rest.length === 0 || random.chance(0.5)) tree = change(random, tree);
    trees.push(tree);
    const message = `commit ${mark}`;
    // Without this, git takes the branch's tip for a parent.
    if (first === undefined) write("reset refs/heads/main\n");
    write(`commit refs/heads/main\nmark :${mark}\ncommitter A <a@x> ${1_700_000_000 + mark} +0000\n`);
    write(`data ${message.length}\n${message}\n`);
    if (first !== undefined) write(`from :${first}\n`, ...rest.map((other) => `merge :${other}\n`));
    write("deleteall\n");
    for (const [at, entry] of tree) {
      if (entry.mode === "160000") write(`M 160000 ${entry.oid.repeat(digits)} ${quoted(at)}\n`);
      else write(`M ${entry.mode} inline ${quoted(at)}\ndata ${entry.content.length}\n`, entry.content, "\n");
    }
  }
  write("done\n");
  return Buffer.concat(parts);
}
