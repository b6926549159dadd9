import { createHash } from "node:crypto";
import { ContentReader, type ContentLine } from "../content-lines.ts";
import type { ObjectFormat } from "../push-command.ts";
import type { HeldBytes } from "./held-bytes.ts";

/** What is remembered of how a blob begins. */
export const HEAD_BYTES = 1024;

const BLOCK_BYTES = 64 * 1024;
/** Number and length of a line, in front of it. */
const RECORD_BYTES = 8;

/** What inspection needs to know of a large file that is no text. */
export interface BlobDigest {
  /** Of the object that it was made of. */
  readonly oid: string;
  readonly head: Buffer;
  lines(): Generator<ContentLine[], void, undefined>;
}

/**
 * Looks a large file through while it comes in, so that it need not be unpacked once more: of what is no text little is
 * printable, and that is kept. Text is not: it is read again.
 */
export class BlobDigester {
  readonly #held: HeldBytes;
  readonly #hash: ReturnType<typeof createHash>;
  readonly #reader = new ContentReader();
  readonly #blocks: { readonly address: number; readonly length: number }[] = [];
  #head: Buffer = Buffer.alloc(0);
  #block = Buffer.allocUnsafe(BLOCK_BYTES);
  #at = 0;
  #isGivenUp = false;

  /** @param size bytes of the blob */
  constructor(size: number, format: ObjectFormat, held: HeldBytes) {
    this.#held = held;
    this.#hash = createHash(format).update(`blob ${size}\0`);
  }

  feed(chunk: Buffer): void {
    if (this.#isGivenUp) return;
    this.#hash.update(chunk);
    if (this.#head.length < HEAD_BYTES) {
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, HEAD_BYTES - this.#head.length)]);
    }
    this.#keep(this.#reader.feed(chunk));
  }

  /** @returns null where the file has to be read again */
  end(): BlobDigest | null {
    if (!this.#isGivenUp) this.#keep(this.#reader.end());
    if (!this.#isGivenUp) this.#flush();
    if (this.#isGivenUp) return null;
    const [held, blocks] = [this.#held, this.#blocks];
    return {
      oid: this.#hash.digest("hex"),
      head: this.#head,
      *lines() {
        for (const { address, length } of blocks) yield decodeBlock(held.get(address, length));
      },
    };
  }

  #keep(lines: readonly ContentLine[]): void {
    for (const { kind, number, bytes } of lines) {
      const length = RECORD_BYTES + bytes.length;
      if (kind === "text" || length > BLOCK_BYTES) {
        this.#isGivenUp = true;
        return;
      }
      if (this.#at + length > BLOCK_BYTES && !this.#flush()) return;
      this.#block.writeUInt32LE(number, this.#at);
      this.#block.writeUInt32LE(bytes.length, this.#at + 4);
      bytes.copy(this.#block, this.#at + RECORD_BYTES);
      this.#at += length;
    }
  }

  #flush(): boolean {
    const address = this.#held.put(this.#block.subarray(0, this.#at));
    if (address === null) this.#isGivenUp = true;
    else this.#blocks.push({ address, length: this.#at });
    this.#at = 0;
    return address !== null;
  }
}

function decodeBlock(block: Buffer): ContentLine[] {
  const lines: ContentLine[] = [];
  for (let at = 0; at < block.length;) {
    const end = at + RECORD_BYTES + block.readUInt32LE(at + 4);
    const bytes = block.subarray(at + RECORD_BYTES, end);
    lines.push({ number: block.readUInt32LE(at), bytes, column: 1, overlap: 0, kind: "extracted" });
    at = end;
  }
  return lines;
}
