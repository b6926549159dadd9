/**
 * Git LFS, whole: what the batch names, how an object goes up and comes down, and the locks. A pushed pointer whose object did
 * not come this way is `push/check-pointers.ts`'s.
 */
import { GatewayError } from "../errors.ts";
import type { LfsBatchRequest } from "../git/lfs/batch-request.ts";
import type { LfsCall } from "../git/lfs/lfs-upstream.ts";
import { isDatabaseAway } from "../store/database.ts";
import { answerBatch } from "./lfs/batch.ts";
import { callLfs, type LfsAnswer } from "./lfs/call.ts";
import type { LfsDependencies, LfsRequest } from "./lfs/dependencies.ts";
import { openDownload, recordDownload, verifyObject, type LfsDownload, type OpenDownload } from "./lfs/download.ts";
import type { ShownTicket } from "./lfs/open-ticket.ts";
import { createLfsRefusals } from "./lfs/refusals.ts";
import { uploadObject, type LfsUpload } from "./lfs/upload.ts";

/** All of them throw GatewayError. Who may read and who may write has been judged before. */
export interface LfsFlow {
  batch(request: LfsRequest, batch: LfsBatchRequest): Promise<LfsAnswer>;
  upload(request: LfsRequest, upload: LfsUpload): Promise<LfsAnswer>;
  verify(request: LfsRequest, shown: ShownTicket): Promise<LfsAnswer>;
  openDownload(request: LfsRequest, download: LfsDownload): Promise<OpenDownload>;
  recordDownload(request: LfsRequest, download: Parameters<typeof recordDownload>[2]): Promise<void>;
  /** A request about locks, as it is. Whose a lock is, is for the upstream to say: under one credential they are all one's own. */
  locks(request: LfsRequest, call: Pick<LfsCall, "method" | "path" | "body">): Promise<LfsAnswer>;
}

/** What may be sent where nothing else is configured: what GitHub takes, too. */
export const DEFAULT_LFS_OBJECT_BYTES = 2 * 1024 ** 3;

export function createLfsFlow(options: Omit<LfsDependencies, "refusals">): LfsFlow {
  const deps: LfsDependencies = { ...options, refusals: createLfsRefusals() };
  return {
    batch: (request, batch) => answerBatch(deps, request, batch),
    upload: (request, upload) => recording(uploadObject(deps, request, upload)),
    verify: (request, shown) => verifyObject(deps, request, shown),
    openDownload: (request, download) => openDownload(deps, request, download),
    recordDownload: (request, download) =>
      recordDownload(deps, request, download).catch((error: unknown) =>
        deps.log.error({ repository: request.repository, error }, "a download of an LFS object could not be recorded"),
      ),
    locks: (request, call) => callLfs(deps, request, call),
  };
}

async function recording<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    // An upstream that refuses the connection has its name already, and in its cause a code that a database has, too.
    if (cause instanceof GatewayError || !isDatabaseAway(cause)) throw cause;
    throw new GatewayError("database_unavailable", "an LFS object could not be recorded", { cause });
  }
}
