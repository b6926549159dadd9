/**
 * Which names a ref may have (git-check-ref-format), decided here because git asks only when it writes the ref: a name
 * that two programs read differently would be judged as one ref and moved as another.
 */

const MAX_REF_BYTES = 1024;

// Rules 4, 5 and 10: control bytes, space, ~ ^ : ? * [ and backslash.
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u0020\u007f~^:?*[\\]/;

/** Whether `name` is a full, well-formed ref name below `refs/`, of at most 1,024 bytes. */
export function isRefName(name: string): boolean {
  if (!name.startsWith("refs/") || Buffer.byteLength(name) > MAX_REF_BYTES) return false;
  if (FORBIDDEN.test(name) || name.includes("..") || name.includes("@{") || name.endsWith(".")) return false;
  return name.split("/").every((part) => part !== "" && !part.startsWith(".") && !part.endsWith(".lock"));
}
