import { GatewayError } from "../../errors.ts";
import { parseLfsBatchAnswer } from "../../git/lfs/batch-answer.ts";
import { encodeLfsBatchRequest, type LfsBatchRequest } from "../../git/lfs/batch-request.ts";
import type { LfsUpstream } from "../../git/lfs/lfs-upstream.ts";
import type { LfsPointer } from "../../git/lfs/pointer.ts";
import type { PushRequest } from "../../git/push-exchange.ts";
import { escapeLine } from "../../model/printable.ts";
import type { Queryable } from "../../store/database.ts";
import { findLfsObjects } from "../../store/lfs-objects.ts";

/** A pointer that a push brings, and where. */
export interface PushedPointer extends LfsPointer {
  /** The file, as UTF-8. */
  readonly path: string;
  /** The new commit (or tag) that has it. */
  readonly commit: string;
}

export interface CheckPointersDependencies {
  readonly db: Queryable;
  /** Names of repositories stand masked in the record. */
  readonly mask: (text: string) => string;
  /** The upstream's LFS server, of the push's connection. */
  readonly lfs: LfsUpstream;
  readonly now: () => Date;
}

export type PointersRequest = Pick<
  PushRequest,
  "connection" | "repository" | "upstreamPath" | "clientHeaders" | "signal"
>;

/** What git-lfs itself asks for at a time. */
const BATCH = 100;
const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/**
 * The pointers whose object nobody has looked at: it did not pass the gateway, and the upstream does not have it from before
 * either. A `.lfsconfig` sends objects to a server of its own choice, where a secret would be out of sight, and whoever
 * clones would still get it.
 * @returns those of `pointers` that must be refused, in their order; empty: none
 * @throws GatewayError `upstream_*`, `client_gone` where the upstream cannot be asked; database errors as they come. Then the push
 *   is refused: what cannot be looked up has not been seen.
 */
export async function checkPointers(
  deps: CheckPointersDependencies,
  request: PointersRequest,
  pointers: readonly PushedPointer[],
): Promise<readonly PushedPointer[]> {
  // Nothing can be hidden in nothing, and no client sends it.
  const asked = pointers.filter(({ oid, bytes }) => oid !== EMPTY_SHA256 || bytes !== 0);
  if (asked.length === 0) return [];
  const passed = await findLfsObjects(deps.db, deps.mask(request.repository), [
    ...new Set(asked.map(({ oid }) => oid)),
  ]);
  const unknown = asked.filter(({ oid, bytes }) => passed.get(oid) !== bytes);
  const upstream = await findUpstream(deps, request, unknown);
  return unknown.filter((pointer) => !upstream.has(keyOf(pointer)));
}

/** The size belongs to the name: a pointer that gives another one names no object. */
const keyOf = ({ oid, bytes }: LfsPointer): string => `${oid} ${bytes}`;

/** Which of these objects the upstream has, by {@link keyOf}. */
async function findUpstream(
  deps: CheckPointersDependencies,
  request: PointersRequest,
  pointers: readonly LfsPointer[],
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  // A question has one size for each object: of two pointers that disagree the second is not found.
  const objects = [...new Map(pointers.toReversed().map((pointer) => [pointer.oid, pointer])).values()].filter(
    // Beyond that it is not exact, and no object is that large.
    ({ bytes }) => Number.isSafeInteger(bytes),
  );
  for (let from = 0; from < objects.length; from += BATCH) {
    const batch = objects.slice(from, from + BATCH).map(({ oid, bytes }) => ({ oid, bytes }));
    const answer = await askUpstream(deps, request, { operation: "download", ref: null, objects: batch });
    if (answer === null) return found;
    for (const object of answer) if (object.kind === "actions") found.add(keyOf(object));
  }
  return found;
}

/** Null from an upstream without LFS, which can have no object. */
async function askUpstream(deps: CheckPointersDependencies, request: PointersRequest, batch: LfsBatchRequest) {
  const { connection, repository, upstreamPath, clientHeaders, signal } = request;
  const { status, json } = await deps.lfs.call(upstreamPath, {
    method: "POST",
    path: "objects/batch",
    body: encodeLfsBatchRequest(batch),
    clientHeaders,
    isInternal: true,
    signal,
  });
  if (status === 404 || status === 405 || status === 410 || status === 501) return null;
  const what = `the upstream of “${connection.name}” could not be asked for the LFS objects of ${escapeLine(repository)}`;
  if (status === 401 || status === 403) {
    throw new GatewayError("upstream_unauthorized", `${what}: it refused the credential (HTTP ${status})`);
  }
  if (status !== 200) throw new GatewayError("upstream_unreachable", `${what} (HTTP ${status}); try again later`);
  const answer = parseLfsBatchAnswer(json, batch, deps.now().getTime());
  if (!answer.ok) throw new GatewayError("upstream_misbehaved", `${what}: it answers ${answer.error}`);
  return answer.value;
}
