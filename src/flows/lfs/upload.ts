/**
 * An LFS object on its way up: received, hashed and looked through while it comes in, and sent on only once all of it has been
 * read and nothing was found. What the upstream took is written down: pointers to anything else are refused.
 */
import type { Readable } from "node:stream";
import { GatewayError } from "../../errors.ts";
import type { LfsTicket } from "../../git/lfs/ticket.ts";
import { dropResponse } from "../../git/upstream-request.ts";
import { policyFor } from "../../policy/match.ts";
import { insertEvent } from "../../store/events.ts";
import { recordLfsObject } from "../../store/lfs-objects.ts";
import type { LfsAnswer } from "./call.ts";
import type { LfsDependencies, LfsRequest } from "./dependencies.ts";
import { createBaseline } from "../push/baseline.ts";
import { inspectObject, type InspectedObject, type JudgeSecret, type ObjectSecret } from "./inspect-object.ts";
import { openTicket, type ShownTicket } from "./open-ticket.ts";
import { storageFailure } from "./storage-answer.ts";
import { renderOverLimit, renderRefusal } from "./texts.ts";

export interface LfsUpload extends ShownTicket {
  /** The object, decoded. */
  readonly body: AsyncIterable<Buffer>;
}

/** @throws GatewayError `forbidden`, `request_malformed`, `limit_exceeded`, `upstream_*`, `client_gone`, `storage_failed` */
export async function uploadObject(deps: LfsDependencies, request: LfsRequest, upload: LfsUpload): Promise<LfsAnswer> {
  const ticket = openTicket(deps, request, "upload", upload);
  const spool = await deps.blobs.create();
  let key: string | null = null;
  try {
    const judge = createJudge(deps, request);
    const mostFindings = deps.mostFindings(request.repository);
    const inspected = await inspectObject(upload.body, deps.scanner, mostFindings, judge.secret, async (chunk) => {
      if (spool.bytesWritten + chunk.length > ticket.bytes)
        throw wrongContent(upload.oid, "is larger than was announced");
      await spool.write(chunk);
    });
    if (inspected.isOverLimit) {
      const cut = { ...inspected, oid: upload.oid };
      return await refuse(deps, request, cut, renderOverLimit(mostFindings));
    }
    checkContent(inspected, upload.oid, ticket);
    if (inspected.secrets.some(({ refuses }) => refuses))
      return await refuse(deps, request, inspected, renderRefusal(inspected, judge.policy));

    await note(deps, request, "lfs.accepted", inspected);
    key = await spool.commit();
    await forward(deps, request, ticket, await deps.blobs.open(key));
    await recordLfsObject(deps.db, {
      repository: deps.scanner.maskName(request.repository),
      oid: inspected.oid,
      bytes: inspected.bytes,
      principalId: request.principal.id,
      policyVersion: deps.policyVersion,
      uploadedAt: deps.now(),
    });
    return { status: 200, headers: {}, body: {} };
  } finally {
    await spool.abort();
    if (key !== null) await deps.blobs.delete(key);
  }
}

const wrongContent = (oid: string, what: string): GatewayError =>
  new GatewayError("request_malformed", `what was sent as LFS object ${oid.slice(0, 10)} ${what}; nothing was sent on`);

function checkContent(inspected: InspectedObject, oid: string, { bytes }: LfsTicket): void {
  if (inspected.bytes !== bytes) throw wrongContent(oid, `has ${inspected.bytes} bytes instead of ${bytes}`);
  if (inspected.oid !== oid) throw wrongContent(oid, "has another SHA-256");
}

/**
 * What is said of secrets here is said of those in files, with one difference: nothing can be held. The object comes before the
 * push that needs it, and whoever sends it waits for an answer to each; so what would be a question elsewhere is a refusal here.
 */
function createJudge(deps: LfsDependencies, { repository }: LfsRequest) {
  const configured = policyFor(deps.policies, repository);
  const policy = configured.observe.includes("secrets") ? { ...configured, secrets: "observe" as const } : configured;
  const readBaseline = createBaseline(deps.db, repository, deps.scanner, deps.now);
  let accepts: ReturnType<typeof readBaseline> | null = null;
  const secret: JudgeSecret = async ({ severity, fingerprint, allowed }) => {
    // Asked for with the first one: most objects have none.
    const baseline = (await (accepts ??= readBaseline()))({ fingerprint, path: null });
    const isExcused = baseline !== null || (allowed !== null && policy.allowComments === "pass");
    return { baseline, refuses: severity === "block" && policy.secrets !== "observe" && !isExcused };
  };
  return { policy, secret };
}

async function refuse(
  deps: LfsDependencies,
  request: LfsRequest,
  inspected: InspectedObject,
  message: string,
): Promise<LfsAnswer> {
  const fingerprints = inspected.secrets.flatMap(({ refuses, fingerprint }) => (refuses ? [fingerprint] : []));
  deps.refusals.add(request.repository, inspected.oid, { message, fingerprints });
  await note(deps, request, "lfs.rejected", inspected);
  return { status: 403, headers: {}, body: { message } };
}

/** Before anything is sent on: what cannot be recorded does not happen. */
async function note(
  deps: LfsDependencies,
  { principal, repository }: LfsRequest,
  kind: "lfs.accepted" | "lfs.rejected",
  { oid, bytes, secrets }: InspectedObject,
): Promise<void> {
  await insertEvent(deps.db, {
    kind,
    principalId: principal.id,
    repository: deps.scanner.maskName(repository),
    subject: oid,
    data: { bytes, policyVersion: deps.policyVersion, findings: secrets.map(placeOf) },
  });
}

const placeOf = ({ rule, severity, line, column, endColumn, fingerprint, allowed, baseline }: ObjectSecret) => ({
  rule,
  severity,
  line,
  column,
  endColumn,
  fingerprint,
  allowed,
  baseline,
});

/** Sends the object to where the upstream has said. @throws GatewayError `upstream_*`, `client_gone` */
async function forward(
  deps: LfsDependencies,
  { connection, clientHeaders, signal }: LfsRequest,
  { href, headers, bytes, isChunked, authenticated }: LfsTicket,
  content: Readable,
): Promise<void> {
  try {
    const { request, response: opened } = deps.upstream(connection.name).openStorage({
      method: "PUT",
      action: { href, headers },
      authenticated,
      headers: { "content-type": "application/octet-stream", ...(isChunked ? {} : { "content-length": bytes }) },
      clientHeaders,
      signal,
    });
    content.once("error", (error) => request.destroy(error));
    content.pipe(request);
    const response = await opened;
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) {
      dropResponse(response);
      throw storageFailure(connection.name, status, "this object");
    }
    response.on("error", () => {}).resume();
    // The answer may be there before the stream has noticed its own end; one that came before all was sent is none.
    if (!request.writableFinished)
      await new Promise((resolve) => request.once("finish", resolve).once("close", resolve));
    if (!request.writableFinished) {
      throw storageFailure(connection.name, status, "an object that it had not read to its end");
    }
  } finally {
    content.destroy();
  }
}
