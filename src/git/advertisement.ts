/**
 * What a server says of its refs before anything else (gitprotocol-http, "Smart Server Response"; gitprotocol-v2).
 *
 *     smart-reply = PKT-LINE("# service=" service LF) flush-pkt [PKT-LINE("version 1")] ref-list flush-pkt
 *     ref-list    = PKT-LINE(obj-id SP name NUL capabilities LF) *PKT-LINE(obj-id SP name ["^{}"] LF)
 *                   *PKT-LINE("shallow" SP obj-id)
 *     empty       = PKT-LINE(zero-id SP "capabilities^{}" NUL capabilities)
 *     v2          = PKT-LINE("version 2") *PKT-LINE(capability) flush-pkt      ; upload-pack only
 *
 * The filters are incremental: the refs of a large repository pass through without being held.
 */
import { GatewayError } from "../errors.ts";
import { escapeLine } from "../model/printable.ts";
import { encodePacket, encodePktLine, parsePktLines, PktLineParser, type PktLine } from "./pkt-line.ts";
import type { ObjectFormat } from "./push-command.ts";

export interface Advertisement {
  /** Name → object id, `HEAD` included; no peeled entries and no `.have` lines. */
  readonly refs: ReadonlyMap<string, string>;
  /** Tag name → the object that it peels to. */
  readonly peeled: ReadonlyMap<string, string>;
  readonly capabilities: readonly string[];
  /** e.g. `HEAD` → `refs/heads/main`. */
  readonly symrefs: ReadonlyMap<string, string>;
  readonly objectFormat: ObjectFormat;
}

const misbehaved = (message: string): GatewayError => new GatewayError("upstream_misbehaved", message);

const OID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** Version 0 and 1. @throws GatewayError `upstream_misbehaved` */
export function parseAdvertisement(bytes: Uint8Array): Advertisement {
  const refs = new Map<string, string>();
  const peeled = new Map<string, string>();
  let capabilities: readonly string[] | null = null;

  const packets = packetsOf(bytes);
  for (const packet of packets) {
    if (packet.kind !== "data") continue;
    const line = decodeName(packet.payload).replace(/\n$/, "");
    if (line.startsWith("# service=") || line === "version 1" || line.startsWith("shallow ")) continue;
    if (line.startsWith("ERR ")) throw misbehaved(`the upstream says: ${escapeLine(line.slice(4))}`);
    const nul = line.indexOf("\0");
    if (capabilities === null) {
      capabilities =
        nul === -1
          ? []
          : line
              .slice(nul + 1)
              .split(" ")
              .filter((name) => name !== "");
    }
    const text = nul === -1 ? line : line.slice(0, nul);
    const space = text.indexOf(" ");
    const oid = text.slice(0, space);
    const name = text.slice(space + 1);
    if (space === -1 || !OID.test(oid)) throw misbehaved(`“${escapeLine(text)}” is not a line of a ref advertisement`);
    if (name === "capabilities^{}" || name === ".have") continue;
    if (name.endsWith("^{}")) peeled.set(name.slice(0, -3), oid);
    else refs.set(name, oid);
  }

  // What came may be a part of it, with refs missing that a decision needs: a connection can break between two packets too.
  if (packets.at(-1)?.kind !== "flush")
    throw misbehaved("the upstream's ref advertisement is cut off: no flush packet ends it");
  if (capabilities === null) throw misbehaved("the upstream's ref advertisement holds no refs and no capabilities");

  const symrefs = new Map<string, string>();
  for (const capability of capabilities) {
    const [, from, to] = /^symref=([^:]+):(.+)$/.exec(capability) ?? [];
    if (from !== undefined && to !== undefined) symrefs.set(from, to);
  }
  const sha256 = capabilities.includes("object-format=sha256");
  return { refs, peeled, capabilities, symrefs, objectFormat: sha256 ? "sha256" : "sha1" };
}

function packetsOf(bytes: Uint8Array): PktLine[] {
  try {
    return parsePktLines(bytes);
  } catch (cause) {
    throw misbehaved(`the upstream's ref advertisement is malformed: ${cause instanceof Error ? cause.message : ""}`);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Names that are not UTF-8 stay apart from one another: decoded with replacement characters two refs could become one. */
function decodeName(payload: Buffer): string {
  try {
    return utf8.decode(payload);
  } catch {
    return payload.toString("latin1").replace(/[\u0080-\u00ff]/g, (byte) => `\ufffd${byte}`);
  }
}

/** Passes an advertisement on, changed; chunks in, chunks out. */
export interface AdvertisementFilter {
  /** @throws GatewayError `upstream_misbehaved` */
  push(chunk: Uint8Array): Buffer;
  /** @throws GatewayError `upstream_misbehaved` where the stream ended too early */
  end(): void;
}

/** What a push through the gateway can carry; anything else is not offered, so that no client relies on it. */
const RECEIVE_PACK_CAPABILITIES = new Set([
  "report-status",
  "report-status-v2",
  "delete-refs",
  "side-band-64k",
  "quiet",
  "atomic",
  "ofs-delta",
  "push-options",
  "no-thin",
]);
const RECEIVE_PACK_VALUES = ["object-format=", "agent=", "push-cert="];

const isCarried = (capability: string): boolean =>
  RECEIVE_PACK_CAPABILITIES.has(capability) || RECEIVE_PACK_VALUES.some((prefix) => capability.startsWith(prefix));

/**
 * For receive-pack. `.have` lines go too: they name objects of other repositories, which the client then leaves out of its
 * pack, and which the gateway could neither fetch by a ref nor inspect.
 */
export const createReceivePackFilter = (): AdvertisementFilter => {
  let state: "before" | "pending" | "sent" = "before";
  let capabilities = "";
  let zeroOid = "";
  return createFilter((line) => {
    if (line === "flush") {
      // All that was listed were `.have` lines: an empty list still has to say what the server can do.
      if (state !== "pending") return [];
      state = "sent";
      return [`${zeroOid} capabilities^{}\0${capabilities}\n`];
    }
    if (state === "before" && (line.startsWith("# service=") || line.startsWith("version "))) return [line];
    const nul = line.indexOf("\0");
    const text = nul === -1 ? line.replace(/\n$/, "") : line.slice(0, nul);
    if (state === "before") {
      const oid = text.slice(0, Math.max(0, text.indexOf(" ")));
      if (text.startsWith("ERR ")) throw misbehaved(`the upstream says: ${escapeLine(text.slice(4))}`);
      if (!OID.test(oid)) throw misbehaved(`“${escapeLine(text)}” is not a line of a ref advertisement`);
      state = "pending";
      zeroOid = "0".repeat(oid.length);
      const offered = nul === -1 ? "" : line.slice(nul + 1).replace(/\n$/, "");
      capabilities = offered.split(" ").filter(isCarried).join(" ");
    }
    if (text.endsWith(" .have")) return [];
    if (state === "sent") return [line];
    state = "sent";
    return [`${text}\0${capabilities}\n`];
  });
};

/** For upload-pack, version 2: no packs, bundles or objects from elsewhere, which would be fetched around the gateway. */
export const createUploadPackFilter = (): AdvertisementFilter => {
  let v2 = false;
  return createFilter((line) => {
    if (line === "flush") return [];
    if (line === "version 2\n" || line === "version 2") v2 = true;
    if (!v2) return [line];
    if (/^(?:bundle-uri|promisor-remote)(?:=|\n|$)/.test(line)) return [];
    return [line.startsWith("fetch=") ? line.replace(/(?<=[= ])packfile-uris(?=[ \n]|$) ?/g, "") : line];
  });
};

/**
 * @param change what to send instead of a line, or before a flush. Lines are latin1, so that every byte survives.
 */
function createFilter(change: (line: string) => readonly string[]): AdvertisementFilter {
  const packets = new PktLineParser();
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      if (!(cause instanceof GatewayError) || cause.code === "upstream_misbehaved") throw cause;
      throw misbehaved(`the upstream's ref advertisement is malformed: ${cause.message}`);
    }
  };
  return {
    push: (chunk) =>
      Buffer.concat(
        guarded(() => packets.push(chunk)).flatMap((packet) => {
          const line = packet.kind === "data" ? packet.payload.toString("latin1") : "flush";
          const changed = packet.kind === "data" || packet.kind === "flush" ? change(line) : [];
          const sent = changed.map((text) => encodePktLine(Buffer.from(text, "latin1")));
          return packet.kind === "data" ? sent : [...sent, encodePacket(packet)];
        }),
      ),
    end: () => guarded(() => packets.end()),
  };
}

/** The whole of {@link createReceivePackFilter} at once. @throws GatewayError `upstream_misbehaved` */
export function filterReceivePackAdvertisement(bytes: Uint8Array): Buffer {
  const filter = createReceivePackFilter();
  const filtered = filter.push(bytes);
  filter.end();
  return filtered;
}
