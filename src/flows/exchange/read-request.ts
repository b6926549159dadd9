/** The request's body: read whole, unpacked, and understood, or refused. What the gateway cannot read it cannot record, or judge. */
import type { IncomingMessage } from "node:http";
import { withoutCredentials } from "../../copilot/endpoints/body-credentials.ts";
import type { ConversationFormat, Endpoint, ParsedRequest } from "../../copilot/endpoints/endpoint.ts";
import { readLooseBody } from "../../copilot/endpoints/loose-body.ts";
import { unreadMessage } from "../../copilot/endpoints/unread.ts";
import { readBodyConversation } from "../../copilot/sessions.ts";
import { createBodyDecoder, readEncoding, REQUEST_ENCODINGS } from "../../copilot/streams/decode-body.ts";
import { parseStrictJson } from "../../copilot/strict-json.ts";
import { err, ok, type Result } from "../../errors.ts";
import { readBody } from "./read-body.ts";
import type { Refusal } from "./refusals.ts";

export interface ReadRequest {
  /** What goes upstream; null where the format has no body. */
  readonly bytes: Buffer | null;
  readonly parsed: ParsedRequest | null;
  /** What the body says, as it is searched for secrets; undefined where there is none. */
  readonly content: unknown;
  /** Whether it is JSON: what is not cannot be written anew with its secrets masked. */
  readonly isJson: boolean;
  /** The conversation that the body names. */
  readonly conversation: string | null;
  /** Why nothing of the body is on record; null where all of it is. */
  readonly unread: string | null;
}

const NOTHING: ReadRequest = {
  bytes: null,
  parsed: null,
  content: undefined,
  isJson: true,
  conversation: null,
  unread: null,
};

/** The most bytes of a request that is sent on although it is larger than what is recorded of one. */
const MOST_RELAYED = 128 * 1024 * 1024;

const NOT_SENT = " It was not sent on.";
const malformed = (problem: string, code = "request_malformed") =>
  err({ httpStatus: 400, code, message: `The gateway cannot record this request: ${problem}.${NOT_SENT}` });

export interface ReadOptions {
  /** Bytes of the body, packed and unpacked. */
  readonly max: number;
  /** What cannot be read is sent on, as it came. */
  readonly relayUnread: boolean;
}

export async function readRequest(
  request: IncomingMessage,
  endpoint: Endpoint,
  { max, relayUnread }: ReadOptions,
): Promise<Result<ReadRequest, Refusal>> {
  if (endpoint.conversation === undefined) return ok(NOTHING);
  const most = relayUnread ? Math.max(max, MOST_RELAYED) : max;
  const bytes = await readBody(request, most);
  if (bytes === null) return malformed(`it is larger than ${most} bytes`, "limit_exceeded");
  const read = bytes.length > max ? tooLarge(max) : await readWhole(request, endpoint.conversation, bytes, max);
  if (read.ok || !relayUnread) return read;
  return ok({ ...NOTHING, bytes, unread: read.error.message.replace(NOT_SENT, " It was sent on as it came.") });
}

const tooLarge = (max: number) => malformed(`it is larger than ${max} bytes`, "limit_exceeded");

async function readWhole(request: IncomingMessage, format: ConversationFormat, bytes: Buffer, max: number) {
  const plain = await unpack(bytes, request.headers["content-encoding"], max);
  return plain.ok ? readConversation(format, plain.value, request.headers["content-type"]) : plain;
}

async function unpack(
  bytes: Buffer,
  header: string | string[] | undefined,
  max: number,
): Promise<Result<Buffer, Refusal>> {
  const encoding = readEncoding(String(header ?? ""));
  if (encoding === "identity") return ok(bytes);
  if (encoding === null) {
    return malformed(`its content encoding is not one of ${REQUEST_ENCODINGS.join(", ")}; send it plain`);
  }
  const decoder = createBodyDecoder(encoding, max);
  const plain = Buffer.concat([await decoder.push(bytes), await decoder.end()]);
  if (decoder.failure === "large") return malformed(`it unpacks to more than ${max} bytes`, "limit_exceeded");
  return decoder.failure === null ? ok(plain) : malformed("its body is not what its content encoding says");
}

/** Types that say JSON, or nothing; in UTF-8 (RFC 8259 §8.1). Under another an upstream could read another request in the same bytes. */
const JSON_TYPE = /^(?:application\/(?:[\w.+-]+\+)?json)\s*(?:;\s*charset\s*=\s*"?utf-?8"?\s*)?;?\s*$/i;

/** @param bytes the body, unpacked @param type its `Content-Type` */
async function readConversation(
  { body, parseRequest }: ConversationFormat,
  bytes: Buffer,
  type: string | undefined,
): Promise<Result<ReadRequest, Refusal>> {
  const isJson = type === undefined || JSON_TYPE.test(type.trim());
  if (body === "any" && (bytes.length === 0 || !isJson)) {
    const loose =
      bytes.length === 0 ? ok({ recorded: undefined, searched: undefined }) : await readLooseBody(bytes, type);
    if (!loose.ok) return malformed(loose.error);
    const parsed = parseRequest(loose.value.recorded);
    if (!parsed.ok) return malformed(parsed.error);
    return ok({ ...NOTHING, bytes, parsed: parsed.value, content: loose.value.searched, isJson: false });
  }
  if (!isJson) return malformed("its content type is not application/json in UTF-8");
  const json = parseStrictJson(bytes);
  if (!json.ok) return malformed(json.error);
  const recorded = withoutCredentials(json.value);
  const parsed = parseRequest(recorded);
  if (!parsed.ok) return malformed(parsed.error);
  const conversation = readBodyConversation(json.value);
  const unread = body === "any" ? [] : unreadMessage(recorded, parsed.value.messages);
  const whole = { ...parsed.value, messages: [...parsed.value.messages, ...unread] };
  return ok({ bytes, parsed: whole, content: json.value, isJson: true, conversation, unread: null });
}
