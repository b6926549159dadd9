/**
 * `ls-refs` of protocol version 2 (gitprotocol-v2, "ls-refs"): the one place where a server tells of symbolic refs other than HEAD.
 *
 *     request  = PKT-LINE("command=ls-refs" LF) delim-pkt PKT-LINE("symrefs" LF) *PKT-LINE("ref-prefix " name LF) flush-pkt
 *     response = *PKT-LINE(obj-id-or-unborn SP name *(SP attribute) LF) flush-pkt        ; attribute: symref-target:name, peeled:id
 */
import { GatewayError } from "../errors.ts";
import { DELIM_PKT, encodePktLine, FLUSH_PKT, parsePktLines } from "./pkt-line.ts";

/** Asks for every ref that begins with one of the names. */
export const encodeLsRefs = (names: readonly string[]): Buffer =>
  Buffer.concat([
    encodePktLine("command=ls-refs\n"),
    DELIM_PKT,
    encodePktLine("symrefs\n"),
    ...names.map((name) => encodePktLine(`ref-prefix ${name}\n`)),
    FLUSH_PKT,
  ]);

/** @returns symbolic ref → the ref that it stands for. @throws GatewayError `upstream_misbehaved` for anything but an answer to `ls-refs` */
export function parseSymrefs(answer: Uint8Array): ReadonlyMap<string, string> {
  const symrefs = new Map<string, string>();
  for (const packet of packetsOf(answer)) {
    if (packet.kind !== "data") continue;
    const [oid = "", name = "", ...attributes] = packet.payload.toString("utf8").replace(/\n$/, "").split(" ");
    if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64}|unborn)$/.test(oid) || name === "") throw notListed();
    const target = attributes.find((attribute) => attribute.startsWith("symref-target:"));
    if (target !== undefined) symrefs.set(name, target.slice("symref-target:".length));
  }
  return symrefs;
}

const notListed = (cause?: unknown): GatewayError =>
  new GatewayError("upstream_misbehaved", "the upstream does not list its refs by protocol version 2", { cause });

function packetsOf(answer: Uint8Array) {
  try {
    const packets = parsePktLines(answer);
    if (packets.at(-1)?.kind === "flush") return packets;
  } catch (cause) {
    throw notListed(cause);
  }
  throw notListed();
}
