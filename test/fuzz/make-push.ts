/** One mutated push out of the corpus: on three levels, its lengths, streams and checksums repaired wherever it is to get far. */
import type { Corpus, CorpusPush, CorpusRepository } from "./corpus.ts";
import { mutateBytes } from "./mutate-bytes.ts";
import { idsOf, mutateObjects, strayObject } from "./mutate-objects.ts";
import { mutatePack, packObjects } from "./mutate-pack.ts";
import { mutateHead } from "./mutate-request.ts";
import { rehash, replaceAll } from "./object-graph.ts";
import { encodePackFile, idBytes, signPack, type GitObject } from "./pack-file.ts";
import type { Random } from "./random.ts";

export interface MutatedPush {
  readonly shape: string;
  /** What was done to it. */
  readonly levels: readonly string[];
  readonly repository: CorpusRepository;
  readonly body: Buffer;
}

export function makePush(corpus: Corpus, random: Random): MutatedPush {
  const push = random.pick(corpus.pushes);
  const { format } = push.repository;
  const levels: string[] = [];
  let { head, pack, entries } = push;

  // More than half stay well-formed, and are to be read to their end; of all others, most are refused somewhere on the way.
  const isWellFormed = push.entries.length > 0 && random.int(10) < 5;
  if (isWellFormed || (push.entries.length > 0 && random.int(10) < 8)) {
    levels.push(isWellFormed ? "well-formed objects" : "objects");
    const made = changeObjects(push, random, isWellFormed);
    head = made.head;
    entries = packObjects(made.objects, push.repository.objects, format, random);
    pack = encodePackFile(entries, format, { level: random.int(10) });
  }
  if (isWellFormed)
    return { shape: push.shape, levels, repository: push.repository, body: Buffer.concat([head, pack]) };
  if (push.entries.length > 0 && random.int(10) < 2) {
    levels.push("pack");
    pack = mutatePack(entries, format, random);
  }
  if (levels.length === 0 ? random.int(10) < 7 : random.int(10) < 1) {
    levels.push("head");
    const ids = [
      ...push.objects.keys(),
      ...push.repository.tips,
      ...push.repository.objects.keys(),
      "0".repeat(idBytes(format) * 2),
      "f".repeat(idBytes(format) * 2),
    ];
    head = mutateHead(head, ids, random);
  }
  let body = Buffer.concat([head, pack]);
  if (random.int(20) < 1) {
    levels.push("bytes");
    body = Buffer.from(mutateBytes(body, random, [push.head, push.pack]));
    // Half of them with a checksum that is right again.
    if (random.once(2) && body.length > 64)
      body = signPack(body.subarray(0, -idBytes(format)), format) as Buffer<ArrayBuffer>;
  }
  return { shape: push.shape, levels, repository: push.repository, body };
}

/** The objects of a push, some of them changed, and the commands that go with them. */
function changeObjects(
  push: CorpusPush,
  random: Random,
  isWellFormed: boolean,
): { head: Buffer; objects: Map<string, GitObject> } {
  const { repository } = push;
  const added: GitObject[] = [];
  const scene = {
    format: repository.format,
    random,
    objects: push.objects,
    old: repository.objects,
    isWellFormed,
    add: (object: GitObject) => {
      added.push(object);
      return idsOf([object], repository.format)[0] ?? "";
    },
  };
  const changed = mutateObjects(scene);
  if (!isWellFormed && random.once(25)) strayObject(scene);
  const { objects, renamed } = rehash(push.objects, changed, added, repository.format);
  // What nothing refers to any more would only be refused: most of the time it stays out.
  const kept = !isWellFormed && random.once(12) ? objects : reachable(objects, push, renamed);
  let { head } = push;
  for (const [from, to] of renamed) head = replaceAll(head, Buffer.from(from), Buffer.from(to));
  // One of the old objects goes along, as clients do that know little of the other side.
  if (!isWellFormed && random.once(10) && repository.objects.size > 0) {
    const [oid, object] = random.pick([...repository.objects]);
    kept.set(oid, object);
  }
  return { head, objects: kept };
}

function reachable(
  objects: ReadonlyMap<string, GitObject>,
  push: CorpusPush,
  renamed: ReadonlyMap<string, string>,
): Map<string, GitObject> {
  const kept = new Map<string, GitObject>();
  const text = push.head.toString("latin1");
  const stack = [...push.objects.keys()].filter((oid) => text.includes(oid)).map((oid) => renamed.get(oid) ?? oid);
  const byBytes = new Map([...objects.keys()].map((oid) => [oid, Buffer.from(oid, "hex")]));
  for (let oid = stack.pop(); oid !== undefined; oid = stack.pop()) {
    const object = objects.get(oid);
    if (object === undefined || kept.has(oid)) continue;
    kept.set(oid, object);
    if (object.kind === "blob") continue;
    for (const [other, bytes] of byBytes) {
      if (kept.has(other)) continue;
      if (object.kind === "tree" ? object.content.includes(bytes) : object.content.includes(other)) stack.push(other);
    }
  }
  return kept;
}
