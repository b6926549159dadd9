/**
 * The head of a push: everything before the pack (gitprotocol-pack, "Reference Update Request and Packfile Transfer").
 *
 *     update-requests = *shallow ( command-list / push-cert ) [push-options]      ; then the pack, if any
 *     shallow         = PKT-LINE("shallow" SP obj-id)
 *     command-list    = PKT-LINE(command NUL capabilities) *PKT-LINE(command) flush-pkt
 *     push-cert       = PKT-LINE("push-cert" NUL capabilities LF) *PKT-LINE(certificate-line LF)
 *                       PKT-LINE("push-cert-end" LF) flush-pkt
 *     push-options    = *PKT-LINE(push-option) flush-pkt              ; only where `push-options` was asked for
 *
 * A lone flush-pkt is git's probe before a large push. Everything is bounded, and whatever two readers could take
 * differently is refused: duplicate commands, capabilities on a later line, commands beside a certificate.
 */
import { GatewayError, type GatewayErrorCode } from "../errors.ts";
import { escapeLine } from "../model/printable.ts";
import type { PushHeadLimits } from "../model/push-limits.ts";
import type { RefUpdate } from "../model/ref-update.ts";
import type { ByteReader } from "./byte-reader.ts";
import { encodePktLine, FLUSH_PKT } from "./pkt-line.ts";
import { parseCertificate } from "./push-certificate.ts";
import { decodeLine, encodeCommand, isOid, parseCommand, type ObjectFormat } from "./push-command.ts";

export interface PushRequestHead {
  /** In the order of the wire. Empty for git's probe. */
  readonly updates: readonly RefUpdate[];
  readonly capabilities: readonly string[];
  /** The commits that the client's history is cut off at. */
  readonly shallow: readonly string[];
  readonly pushOptions: readonly string[];
  readonly objectFormat: ObjectFormat;
  /** The signed text and its signature; null for a push that is not signed. */
  readonly certificate: string | null;
  /** The head exactly as it came, up to the first byte of the pack. */
  readonly raw: Buffer;
}

export const DEFAULT_PUSH_HEAD_LIMITS: PushHeadLimits = { bytes: 8 * 1024 * 1024, commands: 20_000 };

const MAX_PUSH_OPTIONS = 1_000;

/** A head that is refused, with what had been read of it: enough to answer in the form that the client asked for. */
export class PushHeadError extends GatewayError {
  readonly head: PushRequestHead;

  constructor(code: GatewayErrorCode, message: string, head: PushRequestHead, options?: { cause?: unknown }) {
    super(code, message, options);
    this.name = "PushHeadError";
    this.head = head;
  }
}

export const hasCapability = (head: Pick<PushRequestHead, "capabilities">, name: string): boolean =>
  head.capabilities.includes(name);

/**
 * Reads the head and leaves the reader at the first byte of the pack.
 * @throws PushHeadError `request_malformed`, `limit_exceeded`
 */
export async function parsePushRequest(
  reader: ByteReader,
  limits: PushHeadLimits = DEFAULT_PUSH_HEAD_LIMITS,
): Promise<PushRequestHead> {
  const draft = newDraft();
  try {
    await readCommands(reader, draft, limits);
    if (draft.capabilities.includes("push-options")) await readPushOptions(reader, draft, limits);
    if (draft.certified !== null && draft.certified.join("\n") !== draft.pushOptions.join("\n")) {
      throw malformed("the push options differ from those in the push certificate");
    }
    return headOf(draft);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new PushHeadError(error.code, error.message, headOf(draft), { cause: error.cause });
  }
}

interface Draft {
  readonly updates: RefUpdate[];
  readonly refs: Set<string>;
  capabilities: string[];
  readonly shallow: string[];
  readonly pushOptions: string[];
  objectFormat: ObjectFormat;
  certificate: string | null;
  /** The push options inside the certificate. */
  certified: readonly string[] | null;
  readonly raw: Buffer[];
}

const newDraft = (): Draft => ({
  updates: [],
  refs: new Set(),
  capabilities: [],
  shallow: [],
  pushOptions: [],
  objectFormat: "sha1",
  certificate: null,
  certified: null,
  raw: [],
});

const headOf = ({ refs: _refs, certified: _certified, raw, ...draft }: Draft): PushRequestHead => ({
  ...draft,
  raw: Buffer.concat(raw),
});

const malformed = (message: string): GatewayError => new GatewayError("request_malformed", message);

/** The next packet's bytes, or null for a flush; anything else has no place in a push. */
async function nextPayload(reader: ByteReader, draft: Draft, limits: PushHeadLimits): Promise<Buffer | null> {
  const packet = await reader.readPktLine(draft.raw);
  if (reader.consumed > limits.bytes) {
    throw new GatewayError(
      "limit_exceeded",
      `the commands of this push are larger than ${limits.bytes} bytes, the limit of one push (limits.commandBytes); push fewer refs at a time`,
    );
  }
  if (packet.kind === "data") return packet.payload;
  if (packet.kind === "flush") return null;
  throw malformed(`unexpected ${packet.kind} packet at byte ${reader.consumed - 4} of the push`);
}

const chomp = (payload: Buffer): Buffer => (payload.at(-1) === 0x0a ? payload.subarray(0, -1) : payload);

async function readCommands(reader: ByteReader, draft: Draft, limits: PushHeadLimits): Promise<void> {
  let first = true;
  for (;;) {
    const payload = await nextPayload(reader, draft, limits);
    if (payload === null) break;
    if (draft.certificate !== null) throw malformed("commands outside of the push certificate; nothing was pushed");
    const line = chomp(payload);
    const nul = line.indexOf(0);
    const command = decodeLine(nul === -1 ? line : line.subarray(0, nul));
    if (nul !== -1) {
      if (!first || command.startsWith("shallow ")) throw malformed("capabilities outside of the first command");
      readCapabilities(line.subarray(nul + 1), draft);
    }
    if (first && command.startsWith("shallow ")) {
      draft.shallow.push(command.slice("shallow ".length));
      continue;
    }
    if (first) checkShallow(draft);
    if (command === "push-cert" && first) await readCertificate(reader, draft, limits);
    else addUpdates([parseCommand(command, draft.objectFormat)], draft, limits);
    first = false;
  }
  if (first) checkShallow(draft);
}

/** Shallow lines come before the capabilities that tell how long an id is, so they are judged afterwards. */
function checkShallow(draft: Draft): void {
  const bad = draft.shallow.find((oid) => !isOid(oid, draft.objectFormat));
  if (bad !== undefined) throw malformed(`“${escapeLine(bad)}” is not a ${draft.objectFormat} object id`);
}

/** What git's receive-pack asks for by name alone. */
const FLAGS = ["report-status", "report-status-v2", "side-band-64k", "quiet", "atomic", "push-options"];

function readCapabilities(bytes: Buffer, draft: Draft): void {
  const text = decodeLine(bytes);
  // git also takes tabs and line ends for what parts two capabilities, and `atomic=0` for `atomic` (connect.c, parse_feature_value).
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(text)) throw malformed("a control character inside the capabilities");
  draft.capabilities = text.split(" ").filter((capability) => capability !== "");
  const valued = draft.capabilities.find((capability) => FLAGS.some((flag) => capability.startsWith(`${flag}=`)));
  if (valued !== undefined) throw malformed(`the capability “${escapeLine(valued)}” takes no value`);
  const formats = draft.capabilities.filter((capability) => capability.startsWith("object-format="));
  const [format = "object-format=sha1", other] = formats;
  if (other !== undefined || (format !== "object-format=sha1" && format !== "object-format=sha256")) {
    throw malformed(`“${escapeLine(formats.join(" "))}” names no object format: expected sha1 or sha256, once`);
  }
  draft.objectFormat = format === "object-format=sha1" ? "sha1" : "sha256";
}

function addUpdates(updates: readonly RefUpdate[], draft: Draft, limits: PushHeadLimits): void {
  for (const update of updates) {
    if (draft.refs.has(update.ref)) {
      throw malformed(
        `two commands for ${escapeLine(update.ref)}: which one is meant is not clear; nothing was pushed`,
      );
    }
    if (draft.updates.length >= limits.commands) {
      throw new GatewayError(
        "limit_exceeded",
        `this push has more than ${limits.commands} commands, the limit of one push (limits.refs); push fewer refs at a time`,
      );
    }
    draft.refs.add(update.ref);
    draft.updates.push(update);
  }
}

async function readCertificate(reader: ByteReader, draft: Draft, limits: PushHeadLimits): Promise<void> {
  const lines: string[] = [];
  for (;;) {
    const payload = await nextPayload(reader, draft, limits);
    // git itself takes a flush here for the end of the whole head, and the certificate for complete.
    if (payload === null) throw malformed("the push certificate ends without push-cert-end");
    const line = decodeLine(payload);
    // git puts the packets together as C strings: what follows a NUL would exist for one reader only.
    if (line.includes("\0") || line.indexOf("\n") !== line.length - 1) {
      throw malformed("a packet of the push certificate is not exactly one line");
    }
    if (line === "push-cert-end\n") break;
    lines.push(line);
  }
  draft.certificate = lines.join("");
  const { updates, pushOptions } = parseCertificate(draft.certificate, draft.objectFormat);
  draft.certified = pushOptions;
  addUpdates(updates, draft, limits);
}

async function readPushOptions(reader: ByteReader, draft: Draft, limits: PushHeadLimits): Promise<void> {
  for (;;) {
    const payload = await nextPayload(reader, draft, limits);
    if (payload === null) return;
    const option = decodeLine(chomp(payload));
    if (/[\0\n]/.test(option)) throw malformed("a push option holds a NUL byte or a line feed");
    // Each is looked through for secrets, and told in the record.
    if (draft.pushOptions.length === MAX_PUSH_OPTIONS) {
      throw new GatewayError(
        "limit_exceeded",
        `this push has more than ${MAX_PUSH_OPTIONS} push options; push with fewer -o`,
      );
    }
    draft.pushOptions.push(option);
  }
}

/** What is to be sent of a head, where that is not all of it. */
export interface PushRequestChanges {
  /** The commands that go through, in the head's order. */
  readonly updates?: readonly RefUpdate[];
  readonly capabilities?: readonly string[];
}

/**
 * The bytes of a head. Without changes they are those that came, byte for byte.
 * @throws GatewayError `internal` for fewer commands of a signed push: a certificate is sent whole or not at all
 */
export function encodePushRequest(
  head: Omit<PushRequestHead, "raw"> & { readonly raw?: Buffer | undefined },
  changes: PushRequestChanges = {},
): Buffer {
  const updates = changes.updates ?? head.updates;
  const capabilities = changes.capabilities ?? head.capabilities;
  const allUpdates = updates.length === head.updates.length && updates.every((update, i) => update === head.updates[i]);
  const sameCapabilities = capabilities.join(" ") === head.capabilities.join(" ");
  if (head.raw !== undefined && allUpdates && sameCapabilities) return head.raw;
  if (head.certificate !== null && !allUpdates) {
    throw new GatewayError("internal", "a signed push can only be delivered whole: its certificate names all commands");
  }

  const packets = head.shallow.map((oid) => encodePktLine(`shallow ${oid}`));
  const caps = `\0${capabilities.map((capability) => ` ${capability}`).join("")}`;
  if (head.certificate === null) {
    updates.forEach((update, i) => packets.push(encodePktLine(encodeCommand(update) + (i === 0 ? caps : ""))));
  } else {
    packets.push(encodePktLine(`push-cert${caps}`));
    for (const line of head.certificate.match(/[^\n]*\n/g) ?? []) packets.push(encodePktLine(line));
    packets.push(encodePktLine("push-cert-end\n"));
  }
  packets.push(FLUSH_PKT);
  if (capabilities.includes("push-options")) {
    packets.push(...head.pushOptions.map((option) => encodePktLine(option)), FLUSH_PKT);
  }
  return Buffer.concat(packets);
}

/**
 * The capabilities to deliver with: the client's own, and those without which the gateway could not know what came of it.
 * The client is answered in the form that it asked for all the same.
 */
export function deliveryCapabilities(head: Pick<PushRequestHead, "capabilities">): readonly string[] {
  const reports = head.capabilities.some((name) => name === "report-status" || name === "report-status-v2");
  return reports ? head.capabilities : [...head.capabilities, "report-status"];
}
