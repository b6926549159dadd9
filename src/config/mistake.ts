import { escapeLine } from "../model/printable.ts";

/** One thing wrong with the configuration. Values are never repeated: one of them may be a secret in the wrong place. */
export interface ConfigMistake {
  /** The file as the operator would name it, or the environment variable. */
  readonly file: string;
  /** 1-based; null where the whole file is meant. */
  readonly line: number | null;
  readonly column: number | null;
  /** Where in the document, e.g. `connections.code.url` or `pushes[0].protect`; empty for the whole. */
  readonly path: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

export type DocumentPath = readonly (string | number)[];

export const formatPath = (path: DocumentPath): string =>
  path.map((part, at) => (typeof part === "number" ? `[${part}]` : at === 0 ? part : `.${part}`)).join("");

/** What stands at a place; undefined where nothing does. */
export function valueAt(value: unknown, path: DocumentPath): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string | number, unknown>)[part];
  }
  return at;
}

/** `file:line:column: path: message`, one line, as compilers and editors have it. */
export function formatMistake({ file, line, column, path, message }: ConfigMistake): string {
  const place = line === null ? file : `${file}:${line}:${column ?? 1}`;
  return escapeLine(`${place}: ${path === "" ? "" : `${path}: `}${message}`, 1_000);
}

/** The known word nearest to a misspelt one, or null if none is near. */
export function findNearest(word: string, known: readonly string[]): string | null {
  const [best] = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.ceil(candidate.length / 3))
    .sort((a, b) => a.distance - b.distance);
  return best?.candidate ?? null;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
