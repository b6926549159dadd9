/** Contents by key, the least recently used forgotten once all together are too large. */
export class ByteCache<K> {
  readonly #maxBytes: number;
  readonly #contents = new Map<K, Buffer>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(key: K): Buffer | null {
    const content = this.#contents.get(key);
    if (content === undefined) return null;
    this.#contents.delete(key);
    this.#contents.set(key, content);
    return content;
  }

  /** @param content is kept itself: no part of a larger buffer, and nobody writes to it any more */
  set(key: K, content: Buffer): void {
    if (content.length > this.#maxBytes / 4 || this.#contents.has(key)) return;
    this.#contents.set(key, content);
    this.#bytes += content.length;
    for (const [oldest, { length }] of this.#contents) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#contents.delete(oldest);
      this.#bytes -= length;
    }
  }

  clear(): void {
    this.#contents.clear();
    this.#bytes = 0;
  }
}
