/**
 * Messages, masked and hashed. A conversation re-sends its history with each request: what has been masked a moment ago is known by a
 * keyed hash of what it was, and only the masked form of it is kept.
 */
import { createHmac } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { GatewayError } from "../../errors.ts";
import type { Message, Part } from "../../model/exchange.ts";
import type { HashedMessage } from "../../store/messages.ts";
import { createMaskTally, type Mask, type MaskTally } from "./mask-messages.ts";

export interface MessageMasks {
  /** Masks a list; what was masked is added to the tally. Lets others have the processor in between. */
  mask(list: readonly Message[], tally: MaskTally): Promise<readonly HashedMessage[]>;
}

interface Known {
  readonly masked: HashedMessage;
  readonly counts: Readonly<Record<string, number>>;
  /** In bytes, about. */
  readonly size: number;
}

/** Bytes, about, of messages that are remembered, of all conversations together. */
const MOST_REMEMBERED = 8 * 1024 * 1024;
/** What one takes beside its text, about: ids, hashes, objects. Of short ones, that is nearly all. */
const BESIDE_TEXT = 1024;
/** Characters that are masked in one go: some milliseconds, during which no stream goes on. */
const SLICE = 32 * 1024;

/** A message longer than this is masked elsewhere: it would keep every stream of the process. */
const LONG = 128 * 1024;
/** Stands for what could not be masked: unread text is not kept. */
const NOT_SCANNED = "⟦not-scanned:time⟧";

/** Masks messages beside the main thread. @throws GatewayError for what could not be looked through */
export type MaskElsewhere = (
  messages: readonly Message[],
) => Promise<{ readonly messages: readonly Message[]; readonly counts: Readonly<Record<string, number>> }>;

export interface MessageMasksOptions {
  readonly mask: Mask;
  /** Keys the hashes: without it a copy of the table does not confirm a guessed prompt. */
  readonly key: Uint8Array;
  /** For long ones; absent: they are masked here. */
  readonly maskElsewhere?: MaskElsewhere | undefined;
  /** Bytes, about. */
  readonly mostRemembered?: number;
}

const unscanned = ({ role, parts }: Message): Message => ({ role, parts: parts.map(unscannedPart) });

function unscannedPart(part: Part): Part {
  const text = NOT_SCANNED;
  if (part.type === "tool_call") return { type: part.type, id: text, name: text, arguments: text };
  if (part.type === "tool_result") return { type: part.type, id: text, text };
  if (part.type === "opaque") return { type: part.type, kind: text, text };
  return { type: part.type, text };
}

export function createMessageMasks({
  mask,
  key,
  maskElsewhere,
  mostRemembered = MOST_REMEMBERED,
}: MessageMasksOptions): MessageMasks {
  const known = new Map<string, Known>();
  let remembered = 0;

  const hashOf = (text: string): Buffer => createHmac("sha256", key).update(text).digest();

  const toKnown = (masked: Message, counts: Known["counts"], length: number): Known => ({
    masked: { ...masked, hash: hashOf(JSON.stringify([masked.role, masked.parts])) },
    counts,
    size: BESIDE_TEXT + length,
  });

  function maskHere(message: Message, text: string): Known {
    const tally = createMaskTally(mask);
    const [masked = unscanned(message)] = tally.messages([message]);
    return toKnown(masked, tally.counts, text.length);
  }

  async function maskLong(message: Message, text: string, elsewhere: MaskElsewhere): Promise<Known> {
    try {
      const { messages, counts } = await elsewhere([message]);
      const [masked = unscanned(message)] = messages;
      return toKnown(masked, counts, text.length);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return toKnown(unscanned(message), { "not-scanned": 1 }, text.length);
    }
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
          if (maskElsewhere !== undefined && text.length > LONG) entry = await maskLong(message, text, maskElsewhere);
          else {
            entry = maskHere(message, text);
            done += text.length;
          }
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
