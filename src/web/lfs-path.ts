/**
 * What stands behind `info/lfs/`. A list of what is carried, not of what is refused: under a credential of the gateway's own,
 * an address that nobody thought of would be asked in its name.
 */

export type LfsRoute =
  | { readonly kind: "batch" }
  | {
      readonly kind: "locks";
      readonly method: "GET" | "POST";
      readonly right: "read" | "write";
      /** Below `info/lfs/` at the upstream, with its query. */
      readonly upstreamPath: string;
    }
  | { readonly kind: "upload" | "download" | "verify"; readonly oid: string };

const TRANSFER_METHODS = { upload: "PUT", download: "GET", verify: "POST" } as const;
const LOCK_QUERY = ["path", "id", "cursor", "limit", "refspec"];

/** @param path encoded, with its query @returns null for whatever is not carried */
export function parseLfsPath(method: string, path: string): LfsRoute | null {
  const mark = path.indexOf("?");
  const query = mark === -1 ? "" : path.slice(mark + 1);
  const [first = "", second, third, ...others] = (mark === -1 ? path : path.slice(0, mark)).split("/");
  if (others.length > 0) return null;
  if (first === "locks" && method === "GET" && second === undefined) {
    return { kind: "locks", method, right: "read", upstreamPath: lockListPath(query) };
  }
  if (query !== "") return null;
  if (first === "objects" && second === "batch" && third === undefined && method === "POST") return { kind: "batch" };
  if (first === "locks" && method === "POST") return lockRoute(second, third);
  if (first === "sallyport" && third !== undefined && /^[0-9a-f]{64}$/.test(third)) {
    for (const kind of ["upload", "download", "verify"] as const) {
      if (second === kind && method === TRANSFER_METHODS[kind]) return { kind, oid: third };
    }
  }
  return null;
}

function lockRoute(second: string | undefined, third: string | undefined): LfsRoute | null {
  const route = (upstreamPath: string): LfsRoute => ({ kind: "locks", method: "POST", right: "write", upstreamPath });
  if (second === undefined) return route("locks");
  if (second === "verify" && third === undefined) return route("locks/verify");
  return third === "unlock" ? route(`locks/${second}/unlock`) : null;
}

function lockListPath(query: string): string {
  const given = new URLSearchParams(query);
  const kept = new URLSearchParams();
  for (const name of LOCK_QUERY) {
    const value = given.get(name);
    if (value !== null) kept.set(name, value);
  }
  return kept.size === 0 ? "locks" : `locks?${kept.toString()}`;
}
