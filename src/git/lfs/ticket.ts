/**
 * A storage action, sealed: what the client holds in place of the upstream's own address and headers, and shows when it sends
 * or fetches the object. Gateways side by side share nothing but the key, so all that is known stands in it.
 *
 *     ticket = base64url( nonce (12 bytes) | AES-256-GCM(JSON of the action) | tag (16 bytes) )
 *
 * AES-GCM (NIST SP 800-38D) with a key derived from the gateway's own (HKDF, RFC 5869). The person, the repository, the action
 * and the object are authenticated beside it: for anybody or anything else, a ticket does not open.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { z } from "zod";
import { err, ok, type Result } from "../../errors.ts";
import type { LfsActionName } from "./batch-answer.ts";
import { lfsSizeSchema } from "./batch-request.ts";

/** What a ticket is good for. */
export interface TicketBinding {
  /** The principal's id. */
  readonly principal: string;
  /** `<connection>/<path>`. */
  readonly repository: string;
  readonly action: LfsActionName;
  readonly oid: string;
}

export interface LfsTicket {
  readonly bytes: number;
  readonly href: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly isChunked: boolean;
  /** The upstream asks for no other credential than the headers. */
  readonly authenticated: boolean;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface LfsTickets {
  seal(ticket: LfsTicket, binding: TicketBinding): string;
  /** `invalid`: not one of this gateway's key, or for something else. @param now milliseconds since the epoch */
  open(text: string, binding: TicketBinding, now: number): Result<LfsTicket, "invalid" | "expired">;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_TICKET_LENGTH = 64 * 1024;

const ticketSchema = z.strictObject({
  bytes: lfsSizeSchema,
  href: z.string(),
  headers: z.record(z.string(), z.string()),
  isChunked: z.boolean(),
  authenticated: z.boolean(),
  expiresAt: z.number(),
});

/** @param secret the gateway's key */
export function createLfsTickets(secret: Uint8Array): LfsTickets {
  const key = Buffer.from(hkdfSync("sha256", secret, Buffer.alloc(0), "sallyport lfs ticket 1", 32));
  return {
    seal: (ticket, binding) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(bindingBytes(binding));
      const sealed = [cipher.update(JSON.stringify(ticket), "utf8"), cipher.final()];
      return Buffer.concat([nonce, ...sealed, cipher.getAuthTag()]).toString("base64url");
    },
    open: (text, binding, now) => {
      if (text.length > MAX_TICKET_LENGTH || !/^[\w-]+$/.test(text)) return err("invalid");
      const bytes = Buffer.from(text, "base64url");
      if (bytes.length < NONCE_BYTES + TAG_BYTES) return err("invalid");
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(bindingBytes(binding));
      decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
      let opened: string;
      try {
        const content = bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES);
        opened = Buffer.concat([decipher.update(content), decipher.final()]).toString("utf8");
      } catch {
        return err("invalid");
      }
      // Nothing but this function's counterpart writes what the key opens.
      const ticket = ticketSchema.parse(JSON.parse(opened));
      return ticket.expiresAt <= now ? err("expired") : ok(ticket);
    },
  };
}

const bindingBytes = ({ principal, repository, action, oid }: TicketBinding): Buffer =>
  Buffer.from(JSON.stringify([principal, repository, action, oid]));
