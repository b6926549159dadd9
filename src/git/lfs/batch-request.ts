/**
 * What a client asks of `objects/batch` (git-lfs, docs/api/batch.md, “Requests”), and the question as it goes on: encoded
 * anew, since two readers of one JSON text may take different ones of two equal keys.
 */
import { z } from "zod";
import { err, ok, type Result } from "../../errors.ts";

export interface LfsObject {
  /** SHA-256 of the content, lower-case hexadecimal. */
  readonly oid: string;
  readonly bytes: number;
}

export interface LfsBatchRequest {
  readonly operation: "upload" | "download";
  /** The ref that the objects belong to, where the client says it; null where it does not. */
  readonly ref: string | null;
  readonly objects: readonly LfsObject[];
}

export interface LfsBatchRefusal {
  /** 400; 409 for a hash that is not SHA-256; 413 for too many objects. */
  readonly status: number;
  readonly message: string;
}

/** git-lfs asks for 100 at a time. */
const MAX_OBJECTS = 1_000;
export const MAX_BATCH_REQUEST_BYTES = 1024 * 1024;

export const lfsOidSchema = z.string().regex(/^[0-9a-f]{64}$/);
export const lfsSizeSchema = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const requestSchema = z.object({
  operation: z.enum(["upload", "download"]),
  transfers: z.array(z.string()).nullish(),
  ref: z.object({ name: z.string().max(1_000).nullish() }).nullish(),
  objects: z.array(z.object({ oid: lfsOidSchema, size: lfsSizeSchema })),
  hash_algo: z.string().nullish(),
});

export function parseLfsBatchRequest(body: Buffer): Result<LfsBatchRequest, LfsBatchRefusal> {
  const refuse = (status: number, message: string) => err({ status, message });
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    return refuse(400, "the request is no JSON");
  }
  const { data } = requestSchema.safeParse(value);
  if (data === undefined) {
    return refuse(
      400,
      "the request is no Git LFS batch: it needs an operation and objects with oid (SHA-256) and size",
    );
  }
  const { operation, transfers, ref, objects, hash_algo: hash } = data;
  if (hash !== undefined && hash !== null && hash !== "sha256") {
    return refuse(409, "Git LFS objects are carried by their SHA-256 alone (hash_algo)");
  }
  if (transfers !== undefined && transfers !== null && transfers.length > 0 && !transfers.includes("basic")) {
    return refuse(
      400,
      "Git LFS objects are carried by the basic transfer alone: enable it (git config lfs.basictransfersonly true)",
    );
  }
  if (objects.length > MAX_OBJECTS) {
    return refuse(413, `a batch may name ${MAX_OBJECTS} objects, not ${objects.length}: lower lfs.transfer.batchSize`);
  }
  if (new Set(objects.map(({ oid }) => oid)).size !== objects.length) {
    return refuse(400, "the batch names an object twice");
  }
  return ok({
    operation,
    ref: ref?.name ?? null,
    objects: objects.map(({ oid, size }) => ({ oid, bytes: size })),
  });
}

/** No other transfer than `basic` is offered: of a resumed or split one the gateway would see no whole object. */
export const encodeLfsBatchRequest = ({ operation, ref, objects }: LfsBatchRequest): Buffer =>
  Buffer.from(
    JSON.stringify({
      operation,
      transfers: ["basic"],
      ...(ref === null ? {} : { ref: { name: ref } }),
      objects: objects.map(({ oid, bytes }) => ({ oid, size: bytes })),
      hash_algo: "sha256",
    }),
  );
