/**
 * The request target of a Git request, taken apart once. Everything that decides (connection, repository, kind) comes from
 * here: never from a header, never from a path that somebody normalised or decoded before.
 *
 *     target     = ["/u/" token] "/git/" connection "/" repository "/" operation ["?service=" service]
 *     repository = segment *("/" segment) [".git"]
 *     operation  = "info/refs" / "git-upload-pack" / "git-receive-pack" / "HEAD" / "objects/" … / "info/lfs/" …
 *
 * Two programs that read one path differently are the attack: policy is asked about one repository, the upstream opens
 * another. So each segment is decoded exactly once, ambiguous ones are refused, and what goes upstream is encoded anew.
 */
import { err, ok, type Result } from "../errors.ts";
import { escapeLine } from "../model/printable.ts";

export type GitService = "git-upload-pack" | "git-receive-pack";

export type GitOperation =
  | { readonly kind: "advertisement"; readonly service: GitService }
  | { readonly kind: "rpc"; readonly service: GitService }
  /** The dumb protocol: files of the repository, by name. `file` is decoded, below the repository. */
  | { readonly kind: "dumb"; readonly file: string }
  /** `path` is what follows `info/lfs/`, as it came. */
  | { readonly kind: "lfs"; readonly path: string };

export interface GitTarget {
  readonly connection: string;
  /** Decoded, below the connection, without `.git`: what rules and people name. */
  readonly path: string;
  /** `<connection>/<path>`. */
  readonly repository: string;
  /** Decoded, with `.git` where the client wrote it, without a leading slash: what is asked of the upstream. */
  readonly upstreamPath: string;
  readonly operation: GitOperation;
  /** The gateway token in the path; never to be logged or stored. */
  readonly pathToken: string | null;
  /** What stands before `/git/`, for addresses sent back to this client: empty, or `/u/<token>`. */
  readonly prefix: string;
}

const MAX_TARGET_LENGTH = 4096;
const MAX_SEGMENT_LENGTH = 255;
const MAX_SEGMENTS = 32;

const TARGET = /^(?<prefix>\/u\/(?<token>[^/]*))?\/git\/(?<rest>.*)$/s;

/** Whether a raw request target is one of Git's, well-formed or not. */
export const isGitTarget = (rawTarget: string): boolean => TARGET.test(rawTarget);

/** @returns the target, or a text (400) that says what is wrong with it, without the token */
export function parseGitTarget(rawTarget: string): Result<GitTarget, string> {
  if (rawTarget.length > MAX_TARGET_LENGTH) return err(`the address is longer than ${MAX_TARGET_LENGTH} bytes`);
  const { prefix = "", token, rest = "" } = TARGET.exec(rawTarget)?.groups ?? {};
  const mark = rest.indexOf("?");
  const query = mark === -1 ? null : rest.slice(mark + 1);
  const raw = (mark === -1 ? rest : rest.slice(0, mark)).split("/");

  const segments: string[] = [];
  for (const segment of raw) {
    const decoded = decodeSegment(segment);
    if (!decoded.ok) return decoded;
    segments.push(decoded.value);
  }
  const [connection, ...tail] = segments;
  if (connection === undefined || tail.length === 0) return err("the address names no repository");
  const split = splitOperation(tail, query);
  if (!split.ok) return split;
  const named = nameRepository(split.value.repository);
  if (!named.ok) return named;

  return ok({
    connection,
    path: named.value,
    repository: `${connection}/${named.value}`,
    upstreamPath: split.value.repository.join("/"),
    operation: split.value.operation,
    pathToken: token ?? null,
    prefix,
  });
}

/** The path as it goes on a wire: every segment encoded anew. */
export const encodeRepositoryPath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Percent-decodes one segment, once, and refuses what another program could read as something else. */
function decodeSegment(raw: string): Result<string, string> {
  const shown = `“${escapeLine(raw, 80)}” in the address`;
  if (raw === "") return err("the address has an empty segment (two slashes in a row, or one at its end)");
  let text: string;
  try {
    // A Node header or target holds bytes as latin1: raw bytes beyond ASCII are not a URI (RFC 3986), so they never decode.
    if (/[^\u0021-\u007e]/.test(raw)) return err(`${shown} holds a byte that has to be percent-encoded`);
    text = decodeURIComponent(raw);
  } catch {
    return err(`${shown} is not percent-encoded UTF-8`);
  }
  if (text.length > MAX_SEGMENT_LENGTH) return err(`${shown} is longer than ${MAX_SEGMENT_LENGTH} characters`);
  if (CONTROL.test(text)) return err(`${shown} holds a control byte`);
  if (/[/\\]/.test(text)) return err(`${shown} holds a slash or backslash`);
  // `%252e` is `%2e` to us and `.` to an upstream that decodes twice; no repository needs it.
  if (text.includes("%")) return err(`${shown} is percent-encoded twice`);
  if (text === "." || text === ".." || /%2e/i.test(raw)) return err(`${shown} is a dot segment or an encoded dot`);
  if (text !== text.normalize("NFC")) return err(`${shown} is not in Unicode normalisation form C`);
  return ok(text);
}

/**
 * The repository's name, refused where an upstream could open the same directory under another one: `x/.git`, `x.GIT`,
 * `x.git/worktrees/y` (git looks for directories under all of these), `x.` and `x ` (the same as `x` on Windows).
 */
function nameRepository(segments: readonly string[]): Result<string, string> {
  if (segments.length > MAX_SEGMENTS) return err(`the address has more than ${MAX_SEGMENTS} segments`);
  const names = segments.map((segment, i) =>
    i === segments.length - 1 ? segment.replace(/(?<=.)\.git$/, "") : segment,
  );
  const bad = names.find((name) => /\.git$/i.test(name) || /^\s|[\s.]$/.test(name));
  if (bad !== undefined) {
    return err(`“${escapeLine(bad, 80)}” cannot be part of a repository's address: it could stand for another one`);
  }
  return ok(names.join("/"));
}

interface Split {
  readonly repository: readonly string[];
  readonly operation: GitOperation;
}

const SERVICES: readonly GitService[] = ["git-upload-pack", "git-receive-pack"];

function splitOperation(segments: readonly string[], query: string | null): Result<Split, string> {
  const lfs = segments.findIndex((segment, i) => segment === "info" && segments[i + 1] === "lfs");
  const objects = segments.indexOf("objects", 1);
  const last = segments.at(-1) ?? "";
  let split: Split;

  if (segments.at(-2) === "info" && last === "refs") {
    const operation = advertisementOf(query);
    if (!operation.ok) return operation;
    return found({ repository: segments.slice(0, -2), operation: operation.value });
  }
  const service = SERVICES.find((name) => name === last);
  if (service !== undefined) {
    split = { repository: segments.slice(0, -1), operation: { kind: "rpc", service } };
  } else if (lfs > 0) {
    const path = segments
      .slice(lfs + 2)
      .map(encodeURIComponent)
      .join("/");
    return found({
      repository: segments.slice(0, lfs),
      operation: { kind: "lfs", path: query === null ? path : `${path}?${query}` },
    });
  } else if (last === "HEAD") {
    split = { repository: segments.slice(0, -1), operation: { kind: "dumb", file: "HEAD" } };
  } else if (objects !== -1) {
    const file = segments.slice(objects).join("/");
    split = { repository: segments.slice(0, objects), operation: { kind: "dumb", file } };
  } else {
    return err(
      "the address is no Git operation: expected info/refs, git-upload-pack or git-receive-pack behind the repository",
    );
  }
  return query === null ? found(split) : err("this address takes no query");
}

const found = (split: Split): Result<Split, string> =>
  split.repository.length === 0 ? err("the address names no repository") : ok(split);

/** The whole query has to be the one parameter: a second `service`, however encoded, could be the one that counts. */
function advertisementOf(query: string | null): Result<GitOperation, string> {
  if (query === null || query === "") return ok({ kind: "dumb", file: "info/refs" });
  const service = SERVICES.find((name) => query === `service=${name}`);
  if (service !== undefined) return ok({ kind: "advertisement", service });
  return err(
    `“${escapeLine(query, 80)}” is no query of info/refs: expected service=git-upload-pack or service=git-receive-pack, once`,
  );
}
