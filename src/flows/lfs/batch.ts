/** The question before every transfer: where the objects are. The answer is rewritten, so that they pass the gateway. */
import { GatewayError } from "../../errors.ts";
import { parseLfsBatchAnswer, type LfsActionName, type LfsObjectAnswer } from "../../git/lfs/batch-answer.ts";
import { encodeLfsBatchRequest, type LfsBatchRequest } from "../../git/lfs/batch-request.ts";
import type { StorageAction } from "../../git/lfs/storage-action.ts";
import { encodeRepositoryPath } from "../../git/repository-path.ts";
import { createBaseline } from "../push/baseline.ts";
import { callLfs, type LfsAnswer } from "./call.ts";
import type { LfsDependencies, LfsRequest } from "./dependencies.ts";

/** The header that a client shows its ticket in; not in the address, for addresses end in logs. */
export const TICKET_HEADER = "Sallyport-Ticket";

/** How long a client may take to begin a transfer, where the upstream says nothing, or more. */
const MAX_TICKET_MS = 6 * 3_600_000;
/** Node reads no more than 16 KiB of headers in all, and proxies before it often less. */
const MAX_TICKET_LENGTH = 12 * 1024;

/** @throws GatewayError as {@link callLfs} */
export async function answerBatch(
  deps: LfsDependencies,
  request: LfsRequest,
  batch: LfsBatchRequest,
): Promise<LfsAnswer> {
  const now = deps.now().getTime();
  const refused = new Map<string, object>();
  if (batch.operation === "upload") {
    for (const { oid, bytes } of batch.objects) {
      const message = await whyNot(deps, request.repository, oid, bytes);
      if (message !== null) refused.set(oid, { oid, size: bytes, error: { code: 403, message } });
    }
  }
  const asked = { ...batch, objects: batch.objects.filter(({ oid }) => !refused.has(oid)) };
  const answers = new Map<string, object>(refused);
  if (asked.objects.length > 0) {
    const answer = await callLfs(deps, request, {
      method: "POST",
      path: "objects/batch",
      body: encodeLfsBatchRequest(asked),
    });
    if (answer.status !== 200) return answer;
    const parsed = parseLfsBatchAnswer(answer.body, asked, now);
    if (!parsed.ok) {
      const { name } = request.connection;
      throw new GatewayError("upstream_misbehaved", `the upstream of “${name}” answers ${parsed.error}`);
    }
    for (const object of parsed.value) answers.set(object.oid, rewrite(deps, request, object, now));
  }
  return {
    status: 200,
    headers: {},
    body: { transfer: "basic", objects: batch.objects.map(({ oid }) => answers.get(oid)), hash_algo: "sha256" },
  };
}

async function whyNot(deps: LfsDependencies, repository: string, oid: string, bytes: number): Promise<string | null> {
  const limit = deps.maxObjectBytes(repository);
  if (bytes > limit)
    return `Sallyport: this object has ${bytes} bytes; objects of up to ${limit} bytes may be pushed here`;
  const refused = deps.refusals.find(repository, oid);
  if (refused === null) return null;
  const accepts = await createBaseline(deps.db, repository, deps.scanner, deps.now)();
  if (!refused.fingerprints.every((fingerprint) => accepts({ fingerprint, path: null }) !== null))
    return refused.message;
  deps.refusals.forget(repository, oid);
  return null;
}

function rewrite(deps: LfsDependencies, request: LfsRequest, object: LfsObjectAnswer, now: number): object {
  const { oid, bytes } = object;
  const fail = (code: number, message: string) => ({ oid, size: bytes, error: { code, message } });
  if (object.kind === "error") return fail(object.code, object.message);
  const actions: Record<string, object> = {};
  for (const name of ["upload", "download", "verify"] as const) {
    const action = object.actions[name];
    if (action === undefined) continue;
    const expiresAt = Math.min(action.expiresAt ?? Infinity, now + MAX_TICKET_MS);
    const ticket = sealAction(deps, request, {
      name,
      oid,
      bytes,
      action,
      authenticated: object.authenticated,
      expiresAt,
    });
    if (ticket.length > MAX_TICKET_LENGTH) {
      return fail(502, "the upstream's address for this object is too long to be carried");
    }
    actions[name] = {
      href: addressOf(deps.publicUrl, request, name, oid),
      header: { [TICKET_HEADER]: ticket },
      expires_in: Math.floor((expiresAt - now) / 1000),
      expires_at: new Date(expiresAt).toISOString().replace(/\.\d+Z$/, "Z"),
    };
  }
  // `authenticated` stays away: with it, git-lfs would not say who it is to the gateway.
  return Object.keys(actions).length === 0 ? { oid, size: bytes } : { oid, size: bytes, actions };
}

function sealAction(
  deps: LfsDependencies,
  { principal, repository }: LfsRequest,
  sealed: {
    readonly name: LfsActionName;
    readonly oid: string;
    readonly bytes: number;
    readonly action: StorageAction;
    readonly authenticated: boolean;
    readonly expiresAt: number;
  },
): string {
  const { name, oid, bytes, action, authenticated, expiresAt } = sealed;
  const { href, headers, isChunked } = action;
  return deps.tickets.seal(
    { bytes, href, headers, isChunked, authenticated, expiresAt },
    { principal: principal.id, repository, action: name, oid },
  );
}

/** Below the repository's own address, so that the client signs in there as it did for the question. */
function addressOf(publicUrl: string, request: LfsRequest, name: LfsActionName, oid: string): string {
  const { prefix, connection, upstreamPath } = request;
  const repository = `${encodeURIComponent(connection.name)}/${encodeRepositoryPath(upstreamPath)}`;
  return `${publicUrl}${prefix}/git/${repository}/info/lfs/sallyport/${name}/${oid}`;
}
