/**
 * Reads a source while what came before is still being worked at, and hands over in one piece what has come meanwhile: each piece
 * costs its consumer some turns of the event loop, and the wire's own are small. It never closes its source: who refuses a push
 * still has to drain it.
 */
export class ReadAhead {
  readonly #most: number;
  #held: Uint8Array[] = [];
  #bytes = 0;
  #end: { readonly failure: unknown } | null = null;
  #isStopped = false;
  /** Whoever waits for bytes, or for room: only one of the two can. */
  #wake: (() => void) | null = null;

  /** @param mostBytes no more is asked for while so much is held */
  constructor(source: AsyncIterable<Uint8Array>, mostBytes: number) {
    this.#most = mostBytes;
    void this.#read(source[Symbol.asyncIterator]());
  }

  /** @returns what has come since the last time, at least one byte; null at the end. @throws what the source throws */
  async take(): Promise<Buffer | null> {
    while (this.#bytes === 0 && this.#end === null) await this.#sleep();
    if (this.#end !== null && this.#end.failure !== null) throw this.#end.failure as Error;
    if (this.#bytes === 0) return null;
    const [first] = this.#held;
    const piece =
      first !== undefined && this.#held.length === 1
        ? Buffer.from(first.buffer, first.byteOffset, first.byteLength)
        : Buffer.concat(this.#held);
    this.#held = [];
    this.#bytes = 0;
    this.#rouse();
    return piece;
  }

  /** Asks for no more. What is on its way then is lost. */
  stop(): void {
    this.#isStopped = true;
    this.#rouse();
  }

  async #read(chunks: AsyncIterator<Uint8Array>): Promise<void> {
    try {
      while (!this.#isStopped) {
        const next = await chunks.next();
        if (next.done === true) break;
        if (next.value.byteLength > 0) this.#held.push(next.value);
        this.#bytes += next.value.byteLength;
        this.#rouse();
        while (this.#bytes >= this.#most && !this.#isStopped) await this.#sleep();
      }
      this.#end = { failure: null };
    } catch (error) {
      this.#end = { failure: error };
    }
    this.#rouse();
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #rouse(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
