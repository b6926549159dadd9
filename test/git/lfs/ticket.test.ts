import { describe, expect, it } from "vitest";
import { createLfsTickets, type LfsTicket, type TicketBinding } from "../../../src/git/lfs/ticket.ts";

const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const binding: TicketBinding = { principal: "1", repository: "code/team/app", action: "upload", oid: "a".repeat(64) };
const ticket: LfsTicket = {
  bytes: 12,
  href: "https://store.example/bucket/x?signature=s3cret",
  headers: { authorization: "Bearer s3cret" },
  isChunked: false,
  authenticated: true,
  expiresAt: 1_000,
};

describe("a sealed ticket", () => {
  it("opens for what it was made for, also at another gateway of the same key", () => {
    const sealed = createLfsTickets(key(1)).seal(ticket, binding);
    expect(createLfsTickets(key(1)).open(sealed, binding, 999)).toEqual({ ok: true, value: ticket });
  });

  it("shows nothing of what is in it, and is never the same twice", () => {
    const tickets = createLfsTickets(key(1));
    const [one, two] = [tickets.seal(ticket, binding), tickets.seal(ticket, binding)];
    expect(one).toMatch(/^[\w-]+$/);
    expect(one).not.toBe(two);
    const bytes = Buffer.from(one, "base64url").toString("latin1");
    expect(bytes).not.toContain("s3cret");
    expect(bytes).not.toContain("store.example");
  });

  it("expires", () => {
    const tickets = createLfsTickets(key(1));
    expect(tickets.open(tickets.seal(ticket, binding), binding, 1_000)).toEqual({ ok: false, error: "expired" });
  });

  it.each<Partial<TicketBinding>>([
    { principal: "2" },
    { repository: "code/team/other" },
    { action: "download" },
    { oid: "b".repeat(64) },
    // The parts do not run into each other.
    { principal: '1","code', repository: "team/app" },
  ])("does not open for %o", (other) => {
    const tickets = createLfsTickets(key(1));
    const sealed = tickets.seal(ticket, binding);
    expect(tickets.open(sealed, { ...binding, ...other }, 0)).toEqual({ ok: false, error: "invalid" });
  });

  it("does not open under another key, nor when any of its bits is another", () => {
    const tickets = createLfsTickets(key(1));
    const sealed = tickets.seal(ticket, binding);
    expect(createLfsTickets(key(2)).open(sealed, binding, 0)).toEqual({ ok: false, error: "invalid" });
    const bytes = Buffer.from(sealed, "base64url");
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(tickets.open(changed.toString("base64url"), binding, 0)).toEqual({ ok: false, error: "invalid" });
    }
    for (let end = 0; end < bytes.length; end++) {
      const cut = bytes.subarray(0, end).toString("base64url");
      expect(tickets.open(cut, binding, 0)).toEqual({ ok: false, error: "invalid" });
    }
  });

  it.each(["", "!", "a b", "A".repeat(100_000)])("is not %j", (text) => {
    expect(createLfsTickets(key(1)).open(text, binding, 0)).toEqual({ ok: false, error: "invalid" });
  });
});
