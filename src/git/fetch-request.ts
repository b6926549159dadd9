/**
 * What a fetch asks for, read as it passes (gitprotocol-pack, "Packfile Negotiation"; gitprotocol-v2, "ls-refs" and "fetch").
 *
 *     v0, v1   = PKT-LINE("want" SP oid [SP capabilities]) *PKT-LINE("want" SP oid) *PKT-LINE("shallow" SP oid)
 *                [PKT-LINE("deepen" …)] [PKT-LINE("filter" SP spec)] flush-pkt *(PKT-LINE("have" SP oid)) …
 *     v2       = *PKT-LINE(("command=" name) / capability) [delim-pkt *PKT-LINE(argument)] flush-pkt
 *     argument = "want" SP oid / "want-ref" SP name / "deepen" … / "filter" SP spec / "packfile-uris" SP protocols / …
 *
 * Nothing is held: a few of the ids and options are kept for the record, the rest is counted.
 */
import { GatewayError } from "../errors.ts";
import { PktLineParser, type PktLine } from "./pkt-line.ts";

export interface FetchRequest {
  /** `refs`: the refs are listed; `objects`: a pack is asked for; `other`: neither, or not known yet. */
  readonly kind: "refs" | "objects" | "other";
  /** Object ids, the first {@link KEPT_WANTS} of `wantCount`. */
  readonly wants: readonly string[];
  readonly wantCount: number;
  /** Refs that were asked for by name (`want-ref`). */
  readonly wantRefs: readonly string[];
  /** `depth 1`, `since 1700000000`, `not refs/heads/x`, `filter blob:none`, `relative`, in the order of the wire. */
  readonly options: readonly string[];
}

export interface FetchRequestReader {
  /**
   * @throws GatewayError `request_malformed`; `forbidden` for what would lead the client around the gateway: packs or bundles
   * from other addresses
   */
  push(chunk: Uint8Array): void;
  /** @throws GatewayError `request_malformed` where the stream ended inside a packet */
  end(): void;
  /** Whether the arguments of one whole request are read: what it leads to is known. */
  readonly isComplete: boolean;
  readonly request: FetchRequest;
}

/** More than these are counted only. */
export const KEPT_WANTS = 100;
const KEPT_OPTIONS = 20;
const KEPT_OPTION_LENGTH = 200;

const OPTIONS: readonly (readonly [prefix: string, name: string])[] = [
  ["deepen ", "depth "],
  ["deepen-since ", "since "],
  ["deepen-not ", "not "],
  ["filter ", "filter "],
];

/** git takes the highest version of `version=1:version=2` (protocol.c, determine_protocol_version_server). */
export const isVersion2 = (gitProtocol: string | readonly string[] | undefined): boolean =>
  (typeof gitProtocol === "string" ? gitProtocol : (gitProtocol ?? []).join(":")).split(":").includes("version=2");

/** @param v2 what the upstream takes the request for: its `Git-Protocol` header decides */
export function createFetchRequestReader({ v2 }: { readonly v2: boolean }): FetchRequestReader {
  const packets = new PktLineParser();
  const wants: string[] = [];
  const wantRefs: string[] = [];
  const options: string[] = [];
  let kind: FetchRequest["kind"] = "other";
  let wantCount = 0;
  let isComplete = false;

  const readArgument = (line: string): void => {
    if (line.startsWith("want ")) {
      kind = "objects";
      wantCount += 1;
      const [, oid = ""] = line.split(" ", 2);
      if (wants.length < KEPT_WANTS) wants.push(oid.slice(0, 64));
    } else if (line.startsWith("want-ref ")) {
      kind = "objects";
      if (wantRefs.length < KEPT_WANTS) wantRefs.push(line.slice("want-ref ".length));
    } else if (options.length < KEPT_OPTIONS) {
      const option = OPTIONS.find(([prefix]) => line.startsWith(prefix));
      if (option !== undefined) {
        const [prefix, name] = option;
        options.push(`${name}${line.slice(prefix.length)}`.slice(0, KEPT_OPTION_LENGTH));
      } else if (line === "deepen-relative") options.push("relative");
    }
  };

  const readLine = (line: string): void => {
    if (!v2) {
      if (!isComplete) readArgument(line);
      return;
    }
    if (line === "command=ls-refs" && kind === "other") kind = "refs";
    else if (line === "command=fetch") kind = "objects";
    else if (line === "command=bundle-uri" || /^packfile-uris(?: |$)/.test(line)) {
      throw new GatewayError(
        "forbidden",
        "packs and bundles from other addresses do not pass this gateway; fetch without them " +
          "(git config fetch.uriProtocols '', transfer.bundleURI false)",
      );
    } else readArgument(line);
  };

  const read = (packet: PktLine): void => {
    if (packet.kind === "data") {
      // git reads a line as a C string: behind a NUL any command could pass for another one.
      if (v2 && packet.payload.includes(0)) {
        throw new GatewayError(
          "request_malformed",
          "a line of this fetch holds a NUL byte, and could be read in two ways",
        );
      }
      // Latin-1 keeps every byte; only ASCII words are compared.
      readLine(packet.payload.toString("latin1").replace(/\n$/, ""));
    } else if (packet.kind === "flush") isComplete = true;
  };

  return {
    push: (chunk) => {
      // Version 0 goes on with what the client has: nothing to learn there, however long it is.
      if (isComplete && !v2) return;
      for (const packet of packets.push(chunk)) read(packet);
    },
    end: () => {
      if (!isComplete || v2) packets.end();
    },
    get isComplete() {
      return isComplete;
    },
    get request() {
      return { kind, wants, wantCount, wantRefs: wantRefs.map(utf8), options: options.map(utf8) };
    },
  };
}

const utf8 = (latin1: string): string => Buffer.from(latin1, "latin1").toString("utf8");
