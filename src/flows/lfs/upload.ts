/**
 * An LFS object on its way up: received, hashed and looked through while it comes in, and sent on only once all of it has been
 * read and nothing was found. What the upstream took is written down: pointers to anything else are refused.
 */
import type { Readable } from "node:stream";
import { GatewayError } from "../../errors.ts";
import type { LfsTicket } from "../../git/lfs/ticket.ts";
import { dropResponse } from "../../git/upstream-request.ts";
import { policyFor } from "../../policy/match.ts";
import type { SecretsMode } from "../../policy/schema.ts";
import type { PlacedSecret } from "../../secrets/scanner.ts";
import { insertEvent } from "../../store/events.ts";
import { recordLfsObject } from "../../store/lfs-objects.ts";
import type { LfsAnswer } from "./call.ts";
import type { LfsDependencies, LfsRequest } from "./dependencies.ts";
import { inspectObject, type InspectedObject } from "./inspect-object.ts";
import { openTicket, type ShownTicket } from "./open-ticket.ts";
import { storageFailure } from "./storage-answer.ts";
import { renderRefusal } from "./texts.ts";

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
    const inspected = await inspectObject(upload.body, deps.scanner, async (chunk) => {
      if (spool.bytesWritten + chunk.length > ticket.bytes)
        throw wrongContent(upload.oid, "is larger than was announced");
      await spool.write(chunk);
    });
    checkContent(inspected, upload.oid, ticket);
    const policy = policyFor(deps.policies, request.repository);
    const mode = policy.observe.includes("secrets") ? "observe" : policy.secrets;
    const refused = inspected.secrets.some(({ severity }) => severity === "block") && mode !== "observe";
    if (refused) return await refuse(deps, request, inspected, mode);

    await note(deps, request, "lfs.accepted", inspected);
    key = await spool.commit();
    await forward(deps, request, ticket, await deps.blobs.open(key));
    await recordLfsObject(deps.db, {
      repository: request.repository,
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

async function refuse(
  deps: LfsDependencies,
  request: LfsRequest,
  inspected: InspectedObject,
  mode: SecretsMode,
): Promise<LfsAnswer> {
  const message = renderRefusal(inspected, mode);
  deps.refusals.add(request.repository, inspected.oid, message);
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
    repository,
    subject: oid,
    data: { bytes, policyVersion: deps.policyVersion, findings: secrets.map(placeOf) },
  });
}

const placeOf = ({ rule, severity, line, column, endColumn, fingerprint }: PlacedSecret) => ({
  rule,
  severity,
  line,
  column,
  endColumn,
  fingerprint,
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
