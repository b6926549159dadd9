/**
 * Looks on while a fetch passes: at what is asked for, so that nothing leads the client around the gateway and the record knows what
 * was read; and at lists of refs, for the names. Objects pass unseen: they are most of the bytes.
 */
import { Transform, type TransformCallback } from "node:stream";
import { createGunzip, type Gunzip } from "node:zlib";
import { GatewayError } from "../errors.ts";
import { escapeLine } from "../model/printable.ts";
import { createFetchRequestReader, isVersion2, type FetchRequest, type FetchRequestReader } from "./fetch-request.ts";
import { createRefListingReader } from "./ref-names.ts";

export interface FetchTap {
  /** Stands between the client and the upstream, and passes no byte before it is read. Null where there is no body. */
  readonly body: Transform | null;
  /** What is to be shown every chunk of the answer, and then null; null where nothing in it is of interest. */
  answer(contentEncoding: string | undefined): ((chunk: Buffer | null) => void) | null;
  readonly request: FetchRequest;
}

export interface FetchTapOptions {
  readonly kind: "advertisement" | "rpc";
  /** The client's headers, as they came. */
  readonly gitProtocol: string | readonly string[] | undefined;
  readonly contentEncoding: string | undefined;
  /** Called with the names of a listing, once it has passed whole. */
  readonly onNames: (names: ReadonlyMap<string, readonly string[]>) => void;
}

type Coding = "identity" | "gzip";

function codingOf(header: string | undefined): Coding | null {
  const coding = (header ?? "identity").trim().toLowerCase();
  if (coding === "identity" || coding === "") return "identity";
  return coding === "gzip" || coding === "x-gzip" ? "gzip" : null;
}

/** @throws GatewayError `request_malformed` for a body in an encoding that cannot be read */
export function createFetchTap(options: FetchTapOptions): FetchTap {
  const v2 = isVersion2(options.gitProtocol);
  const coding = codingOf(options.contentEncoding);
  if (coding === null) {
    const shown = escapeLine(options.contentEncoding ?? "", 60);
    throw new GatewayError("request_malformed", `a fetch in Content-Encoding “${shown}” cannot be read; send gzip`);
  }
  const reader = createFetchRequestReader({ v2 });
  return {
    body: options.kind === "rpc" ? createBodyTap(reader, coding, v2) : null,
    answer: (contentEncoding) => {
      const isListing = options.kind === "advertisement" || reader.request.kind === "refs";
      const answered = codingOf(contentEncoding);
      return isListing && answered !== null ? createListingTap(answered, options.onNames) : null;
    },
    get request(): FetchRequest {
      return options.kind === "advertisement" && !v2 ? { ...reader.request, kind: "refs" } : reader.request;
    },
  };
}

function createBodyTap(reader: FetchRequestReader, coding: Coding, v2: boolean): Transform {
  let failure: Error | null = null;
  // Under version 2 what cannot be read could be what must not pass; before that it is only not recorded.
  const look = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      failure ??= error instanceof Error ? error : new Error("a fetch could not be read", { cause: error });
    }
  };
  const isOver = (): boolean => !v2 && (failure !== null || reader.isComplete);
  const next = (callback: TransformCallback, chunk: Buffer | null): void => {
    if (v2 && failure !== null) callback(failure);
    else callback(null, chunk);
  };

  if (coding === "identity") {
    return new Transform({
      transform: (chunk: Buffer, _encoding, callback) => {
        if (!isOver()) look(() => reader.push(chunk));
        next(callback, chunk);
      },
      flush: (callback) => {
        look(() => reader.end());
        next(callback, null);
      },
    });
  }
  const gunzip: Gunzip = createGunzip();
  gunzip.on("data", (chunk: Buffer) => {
    if (failure === null) look(() => reader.push(chunk));
  });
  const broken = (cause: unknown): void => {
    failure ??= new GatewayError("request_malformed", "the fetch's gzip encoding is broken or cut off", { cause });
  };
  // zlib stops at the first byte that begins no further member; what it leaves, another reader may take for one.
  const trailing = (): void => {
    failure ??= new GatewayError("request_malformed", "bytes follow the end of the fetch's gzip encoding");
  };
  // zlib calls no callback for the chunk in which it fails, or ends.
  let resume = (): void => {};
  gunzip.on("error", (error) => {
    broken(error);
    resume();
  });
  gunzip.on("close", () => resume());
  let received = 0;
  return new Transform({
    transform: (chunk: Buffer, _encoding, callback) => {
      if (gunzip.destroyed) trailing();
      if (isOver() || gunzip.destroyed) next(callback, chunk);
      else {
        resume = () => {
          resume = () => {};
          if (gunzip.bytesWritten !== received) trailing();
          next(callback, chunk);
        };
        received += chunk.length;
        gunzip.write(chunk, () => resume());
      }
    },
    flush: (callback) => {
      const end = (): void => {
        look(() => reader.end());
        if (gunzip.bytesWritten !== received) trailing();
        next(callback, null);
      };
      if (isOver()) next(callback, null);
      else if (gunzip.destroyed) end();
      else {
        gunzip.once("close", end);
        gunzip.end();
      }
    },
    destroy: (error, callback) => {
      gunzip.destroy();
      callback(error);
    },
  });
}

function createListingTap(coding: Coding, onNames: FetchTapOptions["onNames"]): (chunk: Buffer | null) => void {
  const listing = createRefListingReader();
  if (coding === "identity") {
    return (chunk) => {
      if (chunk === null) onNames(listing.names);
      else listing.push(chunk);
    };
  }
  const gunzip = createGunzip();
  gunzip.on("data", (chunk: Buffer) => listing.push(chunk));
  gunzip.on("error", () => {});
  gunzip.once("end", () => onNames(listing.names));
  return (chunk) => {
    if (chunk === null) gunzip.end();
    else if (!gunzip.destroyed) gunzip.write(chunk);
  };
}
