/**
 * Who was let in lately. With the database away nobody can be asked who a token belongs to; a connection whose records then wait on the disk
 * goes on for those whom it has let in a short while ago, and for nobody else.
 */
import { createHmac, randomBytes } from "node:crypto";
import { ok } from "../errors.ts";
import { parseCredentials } from "./credentials.ts";
import type { Authenticated, Identity } from "./identity.ts";

/** A revocation cannot be seen meanwhile: no longer than somebody needs to bring a database back. */
const REMEMBERED_MS = 15 * 60_000;
const MOST = 1_000;

/** @returns what lets people in as `identity` does, and while that throws, those whom it has let in before */
export function rememberingIdentity(identity: Pick<Identity, "identify">): Pick<Identity, "identify"> {
  const remembered = new Map<string, { readonly who: Authenticated; readonly until: number }>();
  // Tokens are not kept, and neither is what could be compared with a hash of one.
  const key = randomBytes(32);

  return {
    async identify(sources, audience, now) {
      const credential = parseCredentials(sources);
      if (!credential.ok) return credential;
      const id = createHmac("sha256", key).update(`${audience} ${credential.value.token}`).digest("base64");
      try {
        const who = await identity.identify(sources, audience, now);
        remembered.delete(id);
        if (!who.ok) return who;
        const [oldest] = remembered.keys();
        if (remembered.size >= MOST && oldest !== undefined) remembered.delete(oldest);
        remembered.set(id, { who: who.value, until: now.getTime() + REMEMBERED_MS });
        return who;
      } catch (error) {
        const known = remembered.get(id);
        if (known === undefined || now.getTime() >= known.until) throw error;
        const { expiresAt } = known.who;
        if (expiresAt !== null && expiresAt <= now) throw error;
        return ok(known.who);
      }
    },
  };
}
