/** Changes objects of a push and gives everything that refers to them its new id: what comes out is whole, only different. */
import type { ObjectFormat } from "../../src/git/push-command.ts";
import { idBytes, objectId, type GitObject } from "./pack-file.ts";

export interface TreeEntry {
  readonly mode: string;
  readonly name: Buffer;
  readonly oid: string;
}

/** Of a well-formed tree, or as far as it is one. */
export function readTree(content: Buffer, format: ObjectFormat): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < content.length;) {
    const nul = content.indexOf(0, at);
    const space = content.indexOf(0x20, at);
    if (nul === -1 || space === -1 || space > nul || nul + 1 + idBytes(format) > content.length) break;
    const end = nul + 1 + idBytes(format);
    entries.push({
      mode: content.toString("latin1", at, space),
      name: Buffer.from(content.subarray(space + 1, nul)),
      oid: content.toString("hex", nul + 1, end),
    });
    at = end;
  }
  return entries;
}

export const writeTree = (entries: readonly TreeEntry[]): Buffer =>
  Buffer.concat(
    entries.flatMap(({ mode, name, oid }) => [
      Buffer.from(`${mode} `),
      name,
      Buffer.from([0]),
      Buffer.from(oid, "hex"),
    ]),
  );

function referencesOf({ kind, content }: GitObject, format: ObjectFormat): string[] {
  if (kind === "blob") return [];
  if (kind === "tree") return readTree(content, format).map(({ oid }) => oid);
  const end = content.indexOf("\n\n");
  const head = content.toString("latin1", 0, end === -1 ? content.length : end);
  return [...head.matchAll(/^(?:tree|parent|object) ([0-9a-f]+)$/gm)].map((match) => match[1] ?? "");
}

/** Every occurrence; the two are of one length. */
export function replaceAll(bytes: Buffer, from: Buffer, to: Buffer): Buffer {
  let at = bytes.indexOf(from);
  if (at === -1) return bytes;
  const changed = Buffer.from(bytes);
  for (; at !== -1; at = changed.indexOf(from, at + from.length)) to.copy(changed, at);
  return changed;
}

export interface Rehashed {
  readonly objects: Map<string, GitObject>;
  /** Old id → new id, of everything that has another one. */
  readonly renamed: Map<string, string>;
}

/**
 * @param changed by its old id: what an object is to be; references in it may still be the old ones
 * @param added objects that nothing referred to before
 */
export function rehash(
  objects: ReadonlyMap<string, GitObject>,
  changed: ReadonlyMap<string, GitObject>,
  added: Iterable<GitObject>,
  format: ObjectFormat,
): Rehashed {
  const result = new Map<string, GitObject>();
  const renamed = new Map<string, string>();
  const visited = new Set<string>();
  for (const object of added) result.set(objectId(object, format), object);
  const visit = (oid: string): void => {
    const original = objects.get(oid);
    if (original === undefined || visited.has(oid)) return;
    visited.add(oid);
    const object = changed.get(oid) ?? original;
    const references = new Set([...referencesOf(original, format), ...referencesOf(object, format)]);
    for (const reference of references) visit(reference);
    let { content } = object;
    for (const reference of references) {
      const to = renamed.get(reference);
      if (to === undefined) continue;
      content =
        object.kind === "tree"
          ? replaceAll(content, Buffer.from(reference, "hex"), Buffer.from(to, "hex"))
          : replaceAll(content, Buffer.from(reference), Buffer.from(to));
    }
    const next = { kind: object.kind, content };
    const id = objectId(next, format);
    if (id !== oid) renamed.set(oid, id);
    result.set(id, next);
  };
  for (const oid of objects.keys()) visit(oid);
  return { objects: result, renamed };
}
