/** An annotated tag (git-mktag): "object", "type", "tag", optional "tagger", an empty line, the message and its signature. */
import type { ObjectType } from "./cat-file.ts";
import { rawTexts } from "./commit-object.ts";
import { decodeText, idIn, malformed, parseHeaders, parseIdentity, type ScannableText } from "./object-text.ts";

export interface NewTag {
  readonly oid: string;
  readonly target: string;
  readonly targetType: ObjectType;
  readonly name: string;
  /** Empty in tags of very old versions of git. */
  readonly taggerName: string;
  readonly taggerEmail: string;
  readonly message: string;
  readonly texts: readonly ScannableText[];
}

const isObjectType = (text: string): text is ObjectType => ["commit", "tree", "blob", "tag"].includes(text);

/** @throws GatewayError `pack_invalid` */
export function parseTagObject(oid: string, content: Buffer): NewTag {
  const { headers, message } = parseHeaders(content);
  const [object, type, tag, ...others] = headers;
  const targetType = type?.value.toString("latin1") ?? "";
  if (object?.name !== "object" || type?.name !== "type" || !isObjectType(targetType) || tag?.name !== "tag") {
    throw malformed("tag", oid);
  }
  const taggerText = decodeText(others.find((header) => header.name === "tagger")?.value ?? Buffer.alloc(0));
  const tagger = parseIdentity(taggerText);
  const messageText = decodeText(message);
  return {
    oid,
    target: idIn(object, "tag", oid),
    targetType,
    name: decodeText(tag.value),
    taggerName: tagger.name,
    taggerEmail: tagger.email,
    message: messageText,
    texts: [
      { source: "tag-identity", text: taggerText },
      { source: "tag-message", text: messageText },
      ...rawTexts("tag-message", message, messageText),
      { source: "tag-message", text: decodeText(tag.value) },
      ...others
        .filter((header) => header.name !== "tagger")
        .map((header) => ({ source: "tag-message" as const, text: `${header.name} ${decodeText(header.value)}` })),
    ],
  };
}
