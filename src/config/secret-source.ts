/** Secrets named by the configuration: found wherever they stand in it, and read from the environment or from files. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { ConfigDocument } from "./document.ts";
import { formatPath, type ConfigMistake, type DocumentPath } from "./mistake.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The secrets by their place in the document. */
export interface Secrets {
  /** @param path a place where the schema has a secret; empty text where it could not be read, which is a mistake already */
  at(...path: DocumentPath): string;
}

type Source = { readonly env: string } | { readonly file: string };

/** Header fields and request lines are built from these: a line break inside would add to them. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/;

const MAX_SECRET_BYTES = 64 * 1024;

/**
 * Reads every `{ env }` and `{ file }` in the document, whatever else is wrong in it, so that all mistakes come at once. A line
 * break at the end (editors and `echo` leave one) is not part of the secret.
 */
export async function readSecrets(
  document: ConfigDocument,
  env: Environment,
): Promise<{ readonly secrets: Secrets; readonly mistakes: readonly ConfigMistake[] }> {
  const values = new Map<string, string>();
  const mistakes: ConfigMistake[] = [];
  for (const { path, source } of findSources(document.value)) {
    const text = "env" in source ? env[source.env] : await readSecretFile(document, path, source.file);
    const value = text?.replace(/\r?\n$/, "");
    const problem = "env" in source ? envProblem(source.env, value) : fileProblem(value);
    if (problem === null) values.set(formatPath(path), value ?? "");
    else mistakes.push(document.mistake([...path, "env" in source ? "env" : "file"], problem));
  }
  return { mistakes, secrets: { at: (...path) => values.get(formatPath(path)) ?? "" } };
}

function envProblem(name: string, value: string | undefined): string | null {
  if (value === undefined || value === "") {
    return `the environment variable ${name} is not set; set it before the gateway starts, or name a { file: … }`;
  }
  return CONTROL.test(value)
    ? `the environment variable ${name} holds a line break or another control character`
    : null;
}

function fileProblem(value: string | undefined): string | null {
  if (value === undefined)
    return "the file cannot be read; check that it exists and that the gateway's user may read it";
  if (value === "") return "the file is empty; it should hold the secret alone";
  return CONTROL.test(value) ? "the file holds more than one line; it should hold the secret alone" : null;
}

async function readSecretFile(document: ConfigDocument, path: DocumentPath, file: string): Promise<string | undefined> {
  const base = dirname(document.fileOf(path)?.path ?? ".");
  try {
    const text = await readFile(resolve(base, file), "utf8");
    return text.length > MAX_SECRET_BYTES ? undefined : text;
  } catch {
    return undefined;
  }
}

function findSources(
  value: unknown,
  path: DocumentPath = [],
): { readonly path: DocumentPath; readonly source: Source }[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => findSources(item, [...path, index]));
  if (typeof value !== "object" || value === null) return [];
  const entries = Object.entries(value);
  const [only] = entries;
  if (entries.length === 1 && only !== undefined && typeof only[1] === "string" && only[1] !== "") {
    if (only[0] === "env") return [{ path, source: { env: only[1] } }];
    if (only[0] === "file") return [{ path, source: { file: only[1] } }];
  }
  return entries.flatMap(([key, item]) => findSources(item, [...path, key]));
}
