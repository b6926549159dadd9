/**
 * What a push is delivered with, while it waits: its commands, its options and its address, byte for byte. Names may hold secrets that
 * policy lets pass (`warn` ones, accepted ones, held ones), so the database keeps them sealed: neither it nor a backup of it can
 * open them. Each is sealed for its own push, so that nobody who can write rows puts one in another's place.
 */
import { seal, unseal } from "../../identity/seal.ts";
import type { RefUpdate } from "../../model/ref-update.ts";

export interface PushCommands {
  /** What is sent before the pack. */
  readonly head: Buffer;
  readonly updates: readonly RefUpdate[];
  /** Below the connection, as the client wrote it. */
  readonly upstreamPath: string;
}

export interface CommandSeal {
  seal(pushId: string, commands: PushCommands): Buffer;
  /** @returns null where it was sealed with another key, or is no longer kept */
  open(pushId: string, sealed: Buffer): PushCommands | null;
}

/** @param key the gateway's, which gateways on one database share */
export function createCommandSeal(key: Uint8Array): CommandSeal {
  const valueFor = (pushId: string): string => `push commands ${pushId} ${Buffer.from(key).toString("hex")}`;
  return {
    seal: (pushId, { head, updates, upstreamPath }) =>
      seal(
        valueFor(pushId),
        JSON.stringify([
          head.toString("base64"),
          updates.map(({ ref, oldOid, newOid }) => [ref, oldOid, newOid]),
          upstreamPath,
        ]),
      ),
    open: (pushId, sealed) => {
      const opened = unseal(valueFor(pushId), sealed);
      if (opened === null) return null;
      const [head, updates, upstreamPath] = JSON.parse(opened) as [string, [string, string, string][], string];
      return {
        head: Buffer.from(head, "base64"),
        updates: updates.map(([ref, oldOid, newOid]) => ({ ref, oldOid, newOid })),
        upstreamPath,
      };
    },
  };
}
