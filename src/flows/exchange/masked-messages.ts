/**
 * Messages, masked and hashed. A conversation re-sends its history with each request: what has been masked a moment ago is known by a
 * keyed hash of what it was, and only the masked form of it is kept.
 */
import { createHmac } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { Message } from "../../model/exchange.ts";
import type { HashedMessage } from "../../store/messages.ts";
import { createMaskTally, type Mask, type MaskTally } from "./mask-messages.ts";

export interface MessageMasks {
  /** Masks a list; what was masked is added to the tally. Lets others have the processor in between. */
  mask(list: readonly Message[], tally: MaskTally): Promise<readonly HashedMessage[]>;
}

interface Known {
  readonly masked: HashedMessage;
  readonly counts: Readonly<Record<string, number>>;
  readonly size: number;
}

/** Characters of messages that are remembered, of all conversations together. */
const MOST_REMEMBERED = 16 * 1024 * 1024;
/** Characters that are masked in one go: some milliseconds, during which no stream goes on. */
const SLICE = 32 * 1024;

/** @param key keys the hashes: without it a copy of the table does not confirm a guessed prompt */
export function createMessageMasks(mask: Mask, key: Uint8Array, mostRemembered = MOST_REMEMBERED): MessageMasks {
  const known = new Map<string, Known>();
  let remembered = 0;

  const hashOf = (text: string): Buffer => createHmac("sha256", key).update(text).digest();

  function maskOne(message: Message, text: string): Known {
    const tally = createMaskTally(mask);
    const [masked = message] = tally.messages([message]);
    const hash = hashOf(JSON.stringify([masked.role, masked.parts]));
    return { masked: { ...masked, hash }, counts: tally.counts, size: text.length };
  }

  function remember(id: string, entry: Known): void {
    known.set(id, entry);
    remembered += entry.size;
    for (const [oldest, { size }] of known) {
      if (remembered <= mostRemembered) break;
      known.delete(oldest);
      remembered -= size;
    }
  }

  return {
    async mask(list, tally) {
      const masked: HashedMessage[] = [];
      let done = 0;
      for (const message of list) {
        const text = JSON.stringify([message.role, message.parts]);
        const id = hashOf(text).toString("latin1");
        let entry = known.get(id);
        if (entry === undefined) {
          if (done > SLICE) {
            await setImmediate();
            done = 0;
          }
          entry = maskOne(message, text);
          done += text.length;
        } else {
          // To the end of the line: the first to be forgotten is what was not asked for the longest.
          known.delete(id);
          remembered -= entry.size;
        }
        remember(id, entry);
        tally.add(entry.counts);
        masked.push(entry.masked);
      }
      return masked;
    },
  };
}
