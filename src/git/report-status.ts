/**
 * What a push led to (gitprotocol-pack, "Report Status").
 *
 *     report-status    = unpack-status 1*command-status flush-pkt
 *     unpack-status    = PKT-LINE("unpack" SP ("ok" / error))
 *     command-status   = PKT-LINE("ok" SP refname) / PKT-LINE("ng" SP refname SP error)
 *     report-status-v2 : after an "ok", any of
 *                        PKT-LINE("option refname" SP ref) PKT-LINE("option old-oid" SP oid)
 *                        PKT-LINE("option new-oid" SP oid) PKT-LINE("option forced-update")
 *                        and one "ok" more for each further ref that a proc-receive hook updated
 */
import { GatewayError } from "../errors.ts";
import { escapeLine } from "../model/printable.ts";
import { encodePktLine, FLUSH_PKT, parsePktLines } from "./pkt-line.ts";

/** What a `proc-receive` hook really did for a ref (v2 only). Absent values: as the command said. */
export interface ReportOptions {
  readonly refname?: string;
  readonly oldOid?: string;
  readonly newOid?: string;
  readonly forcedUpdate?: boolean;
}

export type RefReport =
  | { readonly status: "ok"; readonly ref: string; readonly options: ReportOptions | null }
  | { readonly status: "ng"; readonly ref: string; readonly reason: string };

export interface PushReport {
  /** `ok`, or what went wrong with the pack. */
  readonly unpack: string;
  /** In the order of the wire. With v2 one ref may be answered more than once. */
  readonly refs: readonly RefReport[];
}

export type ReportVersion = 1 | 2;

/** A reason must fit a line of a terminal, a packet, and must not begin a new line of the protocol. */
const oneLine = (text: string): string => escapeLine(text, 1000);

export function encodeReportStatus(report: PushReport, version: ReportVersion): Buffer {
  const lines = [`unpack ${oneLine(report.unpack)}`];
  const seen = new Set<string>();
  for (const entry of report.refs) {
    // Version 1 has one status a ref: what a proc-receive hook did beyond it cannot be told.
    if (version === 1 && seen.has(entry.ref)) continue;
    seen.add(entry.ref);
    if (entry.status === "ng") {
      lines.push(`ng ${entry.ref} ${oneLine(entry.reason)}`);
      continue;
    }
    lines.push(`ok ${entry.ref}`);
    if (version === 1 || entry.options === null) continue;
    const { refname, oldOid, newOid, forcedUpdate } = entry.options;
    if (refname !== undefined) lines.push(`option refname ${refname}`);
    if (oldOid !== undefined) lines.push(`option old-oid ${oldOid}`);
    if (newOid !== undefined) lines.push(`option new-oid ${newOid}`);
    if (forcedUpdate === true) lines.push("option forced-update");
  }
  return Buffer.concat([...lines.map((line) => encodePktLine(`${line}\n`)), FLUSH_PKT]);
}

/** Reads both versions: version 1 is version 2 without options. @throws GatewayError `request_malformed` */
export function parseReportStatus(bytes: Uint8Array): PushReport {
  const packets = parsePktLines(bytes);
  const last = packets.pop();
  const lines = packets.map((packet) => {
    if (packet.kind !== "data") throw malformed(packet.kind);
    return packet.payload.toString("utf8").replace(/\n$/, "");
  });
  if (last?.kind !== "flush") throw malformed("no final flush packet");
  const [first, ...rest] = lines;
  const unpack = first?.startsWith("unpack ") === true ? first.slice("unpack ".length) : undefined;
  if (unpack === undefined) throw malformed(first ?? "empty");

  const refs: RefReport[] = [];
  for (const line of rest) {
    const [word = "", subject = "", ...tail] = line.split(" ");
    if (word === "ok" && subject !== "" && tail.length === 0) refs.push({ status: "ok", ref: subject, options: null });
    else if (word === "ng" && subject !== "") refs.push({ status: "ng", ref: subject, reason: tail.join(" ") });
    else if (word === "option") addOption(refs, subject, tail.join(" "), line);
    else throw malformed(line);
  }
  return { unpack, refs };
}

function addOption(refs: RefReport[], key: string, value: string, line: string): void {
  const entry = refs.pop();
  if (entry?.status !== "ok") throw malformed(line);
  refs.push({ ...entry, options: { ...entry.options, ...parseOption(key, value) } });
}

/** Keys that are not known are dropped: gitprotocol-pack leaves room for more, and there is nobody to tell them to. */
function parseOption(key: string, value: string): ReportOptions {
  if (key === "refname") return { refname: value };
  if (key === "old-oid") return { oldOid: value };
  if (key === "new-oid") return { newOid: value };
  return key === "forced-update" ? { forcedUpdate: true } : {};
}

const malformed = (what: string): GatewayError =>
  new GatewayError("request_malformed", `malformed report-status: “${escapeLine(what)}”`);
