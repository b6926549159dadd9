/**
 * Which names stand for refs that are missing: symbolic refs of the upstream in no list of refs. Whoever makes such a ref makes the one
 * that it stands for, and no protocol tells of it.
 *
 * But git names it where it says no. Asked to move a ref that is not there from an id to the same id, which changes nothing whatever
 * the ref is, it looks for the ref's file, and complains of the one that it did not find:
 *
 *     error: cannot lock ref 'refs/heads/alias': unable to resolve reference 'refs/heads/main'
 *
 * (refs/files-backend.c, lock_raw_ref; refs/reftable-backend.c has the same words.) The words may be of any language: the names are not.
 */
import { createHash } from "node:crypto";
import { encodePktLine, FLUSH_PKT } from "./pkt-line.ts";
import { encodeCommand, type ObjectFormat } from "./push-command.ts";

/** @param oid of a commit that the upstream has. @returns the bytes before the pack, and a pack without objects */
export function encodeDanglingQuestion(
  refs: readonly string[],
  oid: string,
): { readonly head: Buffer; readonly pack: Buffer } {
  const format: ObjectFormat = oid.length === 64 ? "sha256" : "sha1";
  const capabilities = `\0 report-status side-band-64k object-format=${format}`;
  const commands = refs.map((ref, at) =>
    encodePktLine(`${encodeCommand({ ref, oldOid: oid, newOid: oid })}${at === 0 ? capabilities : ""}`),
  );
  const empty = Buffer.from("PACK\0\0\0\u0002\0\0\0\0", "latin1");
  return {
    head: Buffer.concat([...commands, FLUSH_PKT]),
    pack: Buffer.concat([empty, createHash(format).update(empty).digest()]),
  };
}

/**
 * @param text what the upstream said beside its report
 * @returns ref → the missing one that it stands for. Of what nothing can be told it is not here
 */
export function parseDanglingAnswer(text: string, refs: readonly string[]): ReadonlyMap<string, string> {
  const asked = new Set(refs);
  const targets = new Map<string, string>();
  for (const line of text.split(/[\r\n]+/)) {
    // A name may hold apostrophes: only where both are whole is it known what they are.
    const [, ref = "", rest = ""] = /'(refs\/\S+)': (.*)$/.exec(line) ?? [];
    const [, target] = /'(refs\/\S+)'[^']*$/.exec(rest) ?? [];
    if (asked.has(ref) && target !== undefined && target !== ref) targets.set(ref, target);
  }
  return targets;
}
