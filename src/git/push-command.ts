/**
 * One command of a push (gitprotocol-pack, "Reference Update Request and Packfile Transfer").
 *
 *     command = old-id SP new-id SP name       ; create, delete (new-id all zeros) or update
 *
 * Ids are lower-case hex, 40 digits in a sha1 repository and 64 in a sha256 one.
 */
import { GatewayError } from "../errors.ts";
import { escapeLine } from "../model/printable.ts";
import type { RefUpdate } from "../model/ref-update.ts";
import { isRefName } from "./ref-name.ts";

export type ObjectFormat = "sha1" | "sha256";

const OID_LENGTH: Readonly<Record<ObjectFormat, number>> = { sha1: 40, sha256: 64 };

export const isOid = (text: string, format: ObjectFormat): boolean =>
  text.length === OID_LENGTH[format] && /^[0-9a-f]+$/.test(text);

/** @throws GatewayError `request_malformed` */
export function parseCommand(line: string, format: ObjectFormat): RefUpdate {
  const length = OID_LENGTH[format];
  const oldOid = line.slice(0, length);
  const newOid = line.slice(length + 1, 2 * length + 1);
  const ref = line.slice(2 * length + 2);
  const framed = line[length] === " " && line[2 * length + 1] === " ";
  if (!framed || !isOid(oldOid, format) || !isOid(newOid, format)) {
    throw new GatewayError(
      "request_malformed",
      `“${escapeLine(line)}” is no command of a ${format} push: expected two object ids of ${length} digits and a ref name`,
    );
  }
  if (!isRefName(ref)) {
    throw new GatewayError("request_malformed", `“${escapeLine(ref)}” is not a ref name (see git-check-ref-format)`);
  }
  return { ref, oldOid, newOid };
}

export const encodeCommand = (update: RefUpdate): string => `${update.oldOid} ${update.newOid} ${update.ref}`;

// `ignoreBOM` keeps a byte order mark: stripped, two different names would look the same to us.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of one packet. @throws GatewayError `request_malformed` for bytes that are not UTF-8 */
export function decodeLine(payload: Uint8Array): string {
  try {
    return utf8.decode(payload);
  } catch (cause) {
    const shown = escapeLine(Buffer.from(payload).toString("latin1"));
    throw new GatewayError("request_malformed", `“${shown}” is not UTF-8; names in a push have to be`, { cause });
  }
}
