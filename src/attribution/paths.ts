/** How the path that a suggestion names stands to the path of a committed file. */
export type PathRelation = "same" | "unknown" | "other";

const segments = (path: string): string[] =>
  path
    .replace(/^file:\/\//, "")
    .replace(/\\/g, "/")
    .split("/")
    .filter((segment) => segment !== "" && segment !== ".");

/**
 * Tools name files as they please: absolute, relative to a working directory, as a URL, with back-slashes. The two are the same when
 * one ends with the other, segment by segment. A bare `index.ts` that is only the last segment of either proves nothing
 * (`unknown`), nor does a suggestion without a path.
 */
export function relatePaths(suggested: string | null, committed: string): PathRelation {
  if (suggested === null) return "unknown";
  if (suggested === committed) return "same";
  const left = segments(suggested);
  const right = segments(committed);
  const shared = Math.min(left.length, right.length);
  if (shared === 0) return "unknown";
  for (let i = 1; i <= shared; i++) if (left[left.length - i] !== right[right.length - i]) return "other";
  // A file at the repository's root has one segment: an absolute path that ends with it may be that file or a deeper one.
  return shared > 1 || left.length === right.length ? "same" : "unknown";
}
