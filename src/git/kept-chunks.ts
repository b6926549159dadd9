/** What one push may keep of its pack as it came, until it is known whether git has to see it. */
const PUSH_BYTES = 8 * 1024 * 1024;
/** And all pushes of this process together. */
const PROCESS_BYTES = 64 * 1024 * 1024;

let keptByAll = 0;

/** The bytes of a pack, kept in memory as long as they are few. */
export class KeptChunks {
  #chunks: Buffer[] = [];
  #bytes = 0;

  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }

  /** Keeps a copy. @returns false when there is no room for it */
  put(chunk: Uint8Array): boolean {
    if (this.#bytes + chunk.length > PUSH_BYTES || keptByAll + chunk.length > PROCESS_BYTES) return false;
    this.#chunks.push(Buffer.from(chunk));
    this.#bytes += chunk.length;
    keptByAll += chunk.length;
    return true;
  }

  release(): void {
    keptByAll -= this.#bytes;
    this.#bytes = 0;
    this.#chunks = [];
  }
}
