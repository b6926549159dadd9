/**
 * A push certificate (gitprotocol-pack, "push-cert"): the text that a signed push carries instead of plain commands.
 *
 *     certificate version 0.1
 *     pusher <ident>
 *     pushee <url>
 *     nonce <nonce>
 *     push-option <option>        ; any number
 *                                 ; an empty line
 *     <command>                   ; one or more
 *     -----BEGIN PGP SIGNATURE-----   (or another kind that git knows)
 *     ...
 *
 * The commands are *inside*: who looks only for plain commands sees an empty push and lets everything pass.
 */
import { GatewayError } from "../errors.ts";
import { escapeLine } from "../model/printable.ts";
import type { RefUpdate } from "../model/ref-update.ts";
import { parseCommand, type ObjectFormat } from "./push-command.ts";

export interface PushCertificate {
  readonly updates: readonly RefUpdate[];
  readonly pushOptions: readonly string[];
}

// git takes the *last* of these lines for the end of the signed text, others take the first (gpg-interface.c,
// parse_signed_buffer). With exactly one, everybody sees the same commands.
const SIGNATURE_BEGINS = [
  "-----BEGIN PGP SIGNATURE-----",
  "-----BEGIN PGP MESSAGE-----",
  "-----BEGIN SIGNED MESSAGE-----",
  "-----BEGIN SSH SIGNATURE-----",
];

const refuse = (why: string): GatewayError =>
  new GatewayError("request_malformed", `malformed push certificate: ${why}; nothing was pushed`);

/**
 * @param text the certificate without its `push-cert-end`; every line ends with a line feed
 * @throws GatewayError `request_malformed`
 */
export function parseCertificate(text: string, format: ObjectFormat): PushCertificate {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw refuse("its last line is not complete");
  if (lines[0] !== "certificate version 0.1") throw refuse("its version is not 0.1");

  const blank = lines.indexOf("");
  if (blank === -1) throw refuse("no empty line ends its header");
  const pushOptions: string[] = [];
  for (const line of lines.slice(1, blank)) {
    if (!/^[a-z-]+ /.test(line)) throw refuse(`“${escapeLine(line)}” is not a header`);
    if (line.startsWith("push-option ")) pushOptions.push(line.slice("push-option ".length));
  }

  const signatures = lines.flatMap((line, index) =>
    SIGNATURE_BEGINS.some((begin) => line.startsWith(begin)) ? [index] : [],
  );
  const [signature, second] = signatures;
  if (signature === undefined || second !== undefined || signature <= blank) {
    throw refuse("it has to hold exactly one signature, after its commands");
  }
  const updates = lines.slice(blank + 1, signature).map((line) => parseCommand(line, format));
  if (updates.length === 0) throw refuse("it holds no command");
  return { updates, pushOptions };
}
