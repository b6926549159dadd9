/**
 * The translator of outcomes to `ng <ref> <reason>`; the other one, to HTTP, is `web/error-response.ts`.
 *
 * git prints a reason well only inside a 200 that answers the push in the form that it asked for; an HTTP error on the POST
 * leads to "RPC failed" and then, of all things, "Everything up-to-date".
 */
import { GatewayError, type GatewayErrorCode } from "../errors.ts";
import { escapeLine, escapeUnprintable } from "../model/printable.ts";
import { FLUSH_PKT } from "./pkt-line.ts";
import { hasCapability, type PushRequestHead } from "./receive-pack.ts";
import { encodeReportStatus, type PushReport, type ReportVersion } from "./report-status.ts";
import { encodeSideband, MAX_BAND_PAYLOAD, MAX_SMALL_BAND_PAYLOAD } from "./sideband.ts";

type Capable = Pick<PushRequestHead, "capabilities">;

/** How large a band's payload may be; null where the client reads no side-band. */
export function sidebandPayload(head: Capable): number | null {
  if (hasCapability(head, "side-band-64k")) return MAX_BAND_PAYLOAD;
  return hasCapability(head, "side-band") ? MAX_SMALL_BAND_PAYLOAD : null;
}

/** Null where the client asked for no report: all it can be told is a fatal error. */
export function reportVersion(head: Capable): ReportVersion | null {
  if (hasCapability(head, "report-status-v2")) return 2;
  return hasCapability(head, "report-status") ? 1 : null;
}

/** Text for band 2: every line complete, nothing in it that a terminal would obey. */
export const messageText = (messages: readonly string[]): string =>
  messages.map((message) => `${escapeUnprintable(message).replace(/\n$/, "")}\n`).join("");

/** What a client without report-status has to be told by other means, as one line; null where nothing failed. */
export function failureOf(report: PushReport): string | null {
  if (report.unpack !== "ok") return escapeLine(report.unpack);
  const refused = report.refs.find((entry) => entry.status === "ng");
  return refused?.status === "ng" ? escapeLine(`${refused.ref}: ${refused.reason}`) : null;
}

/**
 * The end of an answer: messages, report, flush.
 * Without side-band there is no place for messages; without report-status a refusal can only be a fatal error (band 3).
 */
export function encodePushResult(head: Capable, report: PushReport, messages: readonly string[] = []): Buffer {
  const maxPayload = sidebandPayload(head);
  const version = reportVersion(head);
  const status = version === null ? Buffer.alloc(0) : encodeReportStatus(report, version);
  if (maxPayload === null) return status;
  const failure = version === null ? failureOf(report) : null;
  return Buffer.concat([
    encodeSideband(2, messageText(messages), maxPayload),
    failure === null ? encodeSideband(1, status, maxPayload) : encodeSideband(3, `${failure}\n`, maxPayload),
    FLUSH_PKT,
  ]);
}

export interface Refusal {
  readonly head: Pick<PushRequestHead, "capabilities" | "updates">;
  /** Ref name → why, one line each. */
  readonly reasons: ReadonlyMap<string, string>;
  /** Lines for the person, shown as `remote: …`. */
  readonly messages?: readonly string[];
  /** What went wrong with the pack; `ok` (the default) where nothing did. */
  readonly unpack?: string;
}

/** Refs without a reason of their own were not attempted: they say so, since silence means success to some clients. */
export const refusalReport = ({ head, reasons, unpack = "ok" }: Refusal): PushReport => ({
  unpack,
  refs: head.updates.map(({ ref }) => ({
    status: "ng",
    ref,
    reason: reasons.get(ref) ?? "not pushed, because another part of this push was refused",
  })),
});

/** The body of the 200 that refuses a push. */
export const refusalResponse = (refusal: Refusal): Buffer =>
  encodePushResult(refusal.head, refusalReport(refusal), refusal.messages);

/** The same reason for every ref of a push, e.g. of {@link refusalReason}. */
export const sameReason = (head: Pick<PushRequestHead, "updates">, reason: string): ReadonlyMap<string, string> =>
  new Map(head.updates.map(({ ref }) => [ref, reason]));

const GATEWAY_FAILED = "the gateway failed; nothing was pushed, ask its operator";

/** Every code has its text here: those whose own message is for the person, and those whose message is for the operator. */
const REASONS: Readonly<Record<GatewayErrorCode, (message: string) => string>> = {
  request_malformed: (message) => message,
  unauthenticated: (message) => message,
  forbidden: (message) => message,
  not_found: (message) => message,
  conflict: (message) => message,
  limit_exceeded: (message) => message,
  upstream_unreachable: (message) => message,
  upstream_unauthorized: (message) => message,
  upstream_misbehaved: (message) => message,
  client_gone: (message) => message,
  pack_invalid: (message) => `the pack is not valid: ${message}`,
  inspection_failed: (message) => `the gateway could not inspect this push: ${message}`,
  database_unavailable: () =>
    "the gateway cannot record this push just now, so it was not forwarded; try again in a moment",
  storage_failed: () => "the gateway cannot store this push just now, so it was not forwarded; ask its operator",
  config_invalid: () => GATEWAY_FAILED,
  internal: () => GATEWAY_FAILED,
};

/** Why a push failed, as the reason of an `ng`. Never shows what only the operator may see. */
export const refusalReason = (error: unknown): string =>
  error instanceof GatewayError ? REASONS[error.code](escapeLine(error.message, 500)) : GATEWAY_FAILED;
