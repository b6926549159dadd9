/** YAML files as one value, with the way back from a place in the value to a line in a file. */
import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
} from "yaml";
import { formatPath, type ConfigMistake, type DocumentPath } from "./mistake.ts";

/** An alias may stand for at most this many nodes, so that ten lines cannot become a billion ("billion laughs"). */
const MAX_ALIASES = 100;

export interface ConfigFile {
  /** As shown in mistakes. */
  readonly name: string;
  /** Absolute: what the file names is relative to its directory. */
  readonly path: string;
  readonly text: string;
}

interface ParsedFile extends ConfigFile {
  readonly document: Document;
  readonly lines: LineCounter;
  readonly value: Readonly<Record<string, unknown>>;
}

export interface ConfigDocument {
  /** The files' top-level keys together. */
  readonly value: Readonly<Record<string, unknown>>;
  /** The file that a place in the value was read from. */
  fileOf(path: DocumentPath): ConfigFile | undefined;
  /** A mistake at the value at `path`, at its key, or at the nearest thing around it that exists. */
  mistake(path: DocumentPath, message: string, at?: "value" | "key"): ConfigMistake;
}

/** Merges files by top-level key. What cannot be read as YAML is a mistake, and left out. */
export function parseConfigFiles(files: readonly ConfigFile[]): {
  readonly document: ConfigDocument;
  readonly mistakes: readonly ConfigMistake[];
} {
  const mistakes: ConfigMistake[] = [];
  const value: Record<string, unknown> = {};
  const owners = new Map<string, ParsedFile>();
  for (const file of files) {
    const parsed = parseFile(file, mistakes);
    if (parsed === null) continue;
    for (const [key, part] of Object.entries(parsed.value)) {
      const owner = owners.get(key);
      if (owner === undefined) {
        owners.set(key, parsed);
        // Not an assignment: a key named __proto__ is a key like any other, and refused later as unknown.
        Object.defineProperty(value, key, { value: part, enumerable: true });
      } else {
        const message = `is set in ${owner.name} too; keep one of them, files are merged by whole top-level keys`;
        mistakes.push({ ...locate(parsed, [key], "key"), path: key, message });
      }
    }
  }
  return {
    mistakes,
    document: {
      value,
      fileOf: (path) => owners.get(String(path[0])),
      mistake: (path, message, at = "value") => {
        const owner = owners.get(String(path[0]));
        const place =
          owner === undefined ? { file: files[0]?.name ?? "", line: null, column: null } : locate(owner, path, at);
        return { ...place, path: formatPath(path), message };
      },
    },
  };
}

function parseFile(file: ConfigFile, mistakes: ConfigMistake[]): ParsedFile | null {
  const lines = new LineCounter();
  const at = (offset: number | null, message: string): void => {
    const place = offset === null ? null : lines.linePos(offset);
    mistakes.push({ file: file.name, line: place?.line ?? null, column: place?.col ?? null, path: "", message });
  };
  let isReadable = true;
  let document: Document;
  try {
    // prettyErrors would quote the file, secrets in the wrong place included.
    document = parseDocument(file.text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      uniqueKeys: true,
    });
  } catch {
    at(null, "cannot be read as YAML; is it nested too deeply?");
    return null;
  }
  for (const problem of [...document.errors, ...document.warnings]) {
    at(problem.pos[0], YAML_PROBLEMS[problem.code] ?? `is no valid YAML here (${problem.code})`);
    // The rest of a file with a key too many can still be read, and its mistakes be told in the same go.
    isReadable &&= problem.code === "DUPLICATE_KEY";
  }
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) !== undefined) return;
      at(startOf(alias), "this alias (*name) has no anchor (&name) before it");
      isReadable = false;
    },
  });
  if (!isReadable) return null;
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    at(null, "its aliases (*name) stand for too much; write the values out");
    return null;
  }
  if (value === null || value === undefined) value = {};
  if (typeof value !== "object" || Array.isArray(value)) {
    at(0, "expected a mapping at the top: listen, connections, pushes, …");
    return null;
  }
  return { ...file, document, lines, value: value as Record<string, unknown> };
}

/** Our own words, since the library's quote the text. */
const YAML_PROBLEMS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "this key stands twice in the same mapping; the second would silently win, so take one out",
  NON_STRING_KEY: "keys are plain text; quote this one",
  BAD_INDENT: "the indentation is wrong here",
  TAB_AS_INDENT: "YAML is indented by spaces, never by tabs",
  MULTIPLE_DOCS: "one document a file; take the --- out",
  TAG_RESOLVE_FAILED: "unknown YAML tag; quote the text if it should start with an exclamation mark",
};

/** Follows `path` as far as the document goes. */
function locate(
  { name, document, lines }: ParsedFile,
  path: DocumentPath,
  at: "value" | "key",
): Pick<ConfigMistake, "file" | "line" | "column"> {
  let node: unknown = document.contents;
  let offset: number | null = null;
  for (const [index, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    const isLast = index === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => (isScalar(key) ? key.value === part : key === part));
      if (pair === undefined) break;
      const keyOffset = isNode(pair.key) ? startOf(pair.key) : null;
      const valueOffset = isNode(pair.value) ? startOf(pair.value) : null;
      // A mapping begins at its first key, which is a worse place to point at than the name it goes by.
      const pointAtKey = (isLast && at === "key") || !isScalar(pair.value);
      offset = (pointAtKey ? keyOffset : valueOffset) ?? keyOffset ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === "number") {
      node = node.items[part];
      if (node === undefined) break;
      offset = isNode(node) ? (startOf(node) ?? offset) : offset;
    } else break;
  }
  if (offset === null) return { file: name, line: null, column: null };
  const { line, col } = lines.linePos(offset);
  return { file: name, line, column: col };
}

const startOf = (node: Node): number | null => node.range?.[0] ?? null;
