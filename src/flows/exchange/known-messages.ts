/**
 * Which messages the database has of which session, as far as this gateway has written them: a conversation sends its history again with
 * each request, and what is known to be there need not go to the database again. Bounded; what is forgotten is sent once more.
 */
import type { HashedMessage } from "../../store/messages.ts";

export interface KnownMessages {
  /** Those of a list that may not be there, each once and in order. */
  unknown(session: string, list: readonly HashedMessage[]): readonly HashedMessage[];
  add(session: string, list: readonly HashedMessage[]): void;
  forget(session: string): void;
}

/** Of all sessions together: about 8 MB. */
const MOST = 100_000;

export function createKnownMessages(most: number = MOST): KnownMessages {
  const sessions = new Map<string, Set<string>>();
  let size = 0;

  function forget(session: string): void {
    size -= sessions.get(session)?.size ?? 0;
    sessions.delete(session);
  }

  return {
    unknown(session, list) {
      const known = sessions.get(session);
      const seen = new Set<string>();
      return list.filter(({ hash }) => {
        const id = hash.toString("latin1");
        if (known?.has(id) === true || seen.has(id)) return false;
        seen.add(id);
        return true;
      });
    },
    add(session, list) {
      const known = sessions.get(session) ?? new Set<string>();
      const before = known.size;
      for (const { hash } of list) known.add(hash.toString("latin1"));
      size += known.size - before;
      // To the end of the line: the first to be forgotten is the session in which nothing was said the longest.
      sessions.delete(session);
      sessions.set(session, known);
      for (const oldest of sessions.keys()) {
        if (size <= most) break;
        forget(oldest);
      }
    },
    forget,
  };
}
