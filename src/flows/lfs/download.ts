/** An LFS object on its way down, and the check after an upload: both pass, at the address that the upstream has named. */
import type { IncomingMessage } from "node:http";
import { GatewayError } from "../../errors.ts";
import { LFS_MEDIA_TYPE } from "../../git/lfs/lfs-upstream.ts";
import { dropResponse } from "../../git/upstream-request.ts";
import { insertEvent } from "../../store/events.ts";
import type { LfsAnswer } from "./call.ts";
import type { LfsDependencies, LfsRequest } from "./dependencies.ts";
import { openTicket, type ShownTicket } from "./open-ticket.ts";
import { storageFailure } from "./storage-answer.ts";

export interface LfsDownload extends ShownTicket {
  /** The client's `Range`; null: all of it. */
  readonly range: string | null;
}

/** The upstream's answer: 200, 206 or 416. Its body is the caller's to read. */
export interface OpenDownload {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: IncomingMessage;
}

const PASSED_HEADERS = [
  "content-length",
  "content-range",
  "content-encoding",
  "accept-ranges",
  "etag",
  "last-modified",
];

/** @throws GatewayError `forbidden`, `not_found`, `upstream_*`, `client_gone` */
export async function openDownload(
  deps: LfsDependencies,
  request: LfsRequest,
  download: LfsDownload,
): Promise<OpenDownload> {
  const { href, headers, authenticated } = openTicket(deps, request, "download", download);
  const { connection, clientHeaders, signal } = request;
  // One range, as git-lfs asks for when it goes on after a break.
  const range = /^bytes=\d+-\d*$/.test(download.range ?? "") ? { range: download.range ?? "" } : {};
  const body = await deps.upstream(connection.name).fetchStorage({
    method: "GET",
    action: { href, headers },
    authenticated,
    headers: range,
    clientHeaders,
    signal,
  });
  const status = body.statusCode ?? 0;
  if (status !== 200 && status !== 206 && status !== 416) {
    dropResponse(body);
    throw storageFailure(connection.name, status, "the request for this object");
  }
  const passed: Record<string, string> = {};
  for (const name of PASSED_HEADERS) {
    const value = body.headers[name];
    if (typeof value === "string") passed[name] = value;
  }
  return { status, headers: passed, body };
}

/** Who read what. */
export async function recordDownload(
  deps: LfsDependencies,
  { principal, repository, userAgent }: LfsRequest,
  download: {
    readonly oid: string;
    readonly status: number;
    readonly responseBytes: number;
    readonly isComplete: boolean;
  },
): Promise<void> {
  const { oid, status, responseBytes, isComplete } = download;
  await insertEvent(deps.db, {
    kind: "lfs.downloaded",
    principalId: principal.id,
    repository: deps.scanner.maskName(repository),
    subject: oid,
    data: { status, responseBytes, complete: isComplete, userAgent: deps.scanner.maskName(userAgent) },
  });
}

/** What git-lfs calls after an upload where the upstream wants it (git-lfs, docs/api/basic-transfers.md, “Verification”). */
export async function verifyObject(deps: LfsDependencies, request: LfsRequest, shown: ShownTicket): Promise<LfsAnswer> {
  const { href, headers, bytes, authenticated } = openTicket(deps, request, "verify", shown);
  const { connection, clientHeaders, signal } = request;
  const body = Buffer.from(JSON.stringify({ oid: shown.oid, size: bytes }));
  const { request: outgoing, response: opened } = deps.upstream(connection.name).openStorage({
    method: "POST",
    action: { href, headers },
    authenticated,
    headers: { accept: LFS_MEDIA_TYPE, "content-type": LFS_MEDIA_TYPE, "content-length": body.length },
    clientHeaders,
    signal,
  });
  outgoing.end(body);
  const response = await opened;
  const status = response.statusCode ?? 0;
  dropResponse(response);
  if (status >= 200 && status < 300) return { status: 200, headers: {}, body: {} };
  if (status === 404)
    throw new GatewayError("not_found", `the upstream of “${connection.name}” does not have this object`);
  throw storageFailure(connection.name, status, "the question whether it has this object");
}
