import type { Readable } from "node:stream";

/**
 * Where large bodies live: packs in quarantine, recorded bodies. On disk today; an object store later, which is why the
 * interface has no paths. Keys are chosen by the store.
 */
export interface BlobStore {
  /** Begins a new blob. Nothing is visible under its key until `commit` has resolved. */
  create(): Promise<BlobWriter>;
  /**
   * Opens a blob for reading.
   * @param offset first byte, 0-based
   * @throws GatewayError `not_found`, `storage_failed`
   */
  open(key: string, offset?: number): Promise<Readable>;
  /** Size in bytes. @throws GatewayError `not_found` */
  size(key: string): Promise<number>;
  /** Removes a blob; removing one that is not there is no error. */
  delete(key: string): Promise<void>;
  /** Throws away what a killed gateway has left half-written. To be called before the first `create` of this store. */
  removeUnfinished(): Promise<void>;
  /** All committed keys with their time of creation (ms since the epoch), for the sweep of orphans. */
  list(): AsyncIterable<{ readonly key: string; readonly createdAt: number }>;
}

export interface BlobWriter {
  readonly bytesWritten: number;
  /** Resolves when the chunk may be forgotten; honours back-pressure. @throws GatewayError `storage_failed` (disk full) */
  write(chunk: Uint8Array): Promise<void>;
  /** Begins to bring what was written to stable storage, so that `commit` has little left to do; it also tells what fails here. */
  flush(): void;
  /** Flushes to stable storage (fsync of file and directory) and publishes the blob. @returns its key */
  commit(): Promise<string>;
  /** Throws away what was written. Safe to call at any time, also after `commit` (then it does nothing). */
  abort(): Promise<void>;
}
