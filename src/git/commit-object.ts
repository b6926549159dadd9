/**
 * A commit object (gitformat: "tree", "parent"*, "author", "committer", then optional headers, an empty line, the message).
 * git takes as parents only the lines right behind "tree"; one further down is an unknown header to it, and here too.
 */
import { GatewayError } from "../errors.ts";
import type { CommitFacts, CommitSignature } from "../model/push-facts.ts";
import { decodeAs, isSearchable } from "./commit-encoding.ts";
import { splitSignedCommit, type VerifyCommit } from "./commit-signature.ts";
import { decodeText, idIn, malformed, parseHeaders, parseIdentity, type ScannableText } from "./object-text.ts";

export interface NewCommit {
  readonly facts: CommitFacts;
  readonly tree: string;
  /** Everything in the object that somebody could have written a secret into. */
  readonly texts: readonly ScannableText[];
}

/**
 * @param verify asked whose an SSH signature is; absent: it is nobody's
 * @throws GatewayError `pack_invalid`, `inspection_failed`
 */
export function parseCommitObject(oid: string, content: Buffer, verify?: VerifyCommit): NewCommit {
  const { headers, message } = parseHeaders(content);
  const tree = idIn(headers[0], "commit", oid);
  if (headers[0]?.name !== "tree") throw malformed("commit", oid);
  const parents: string[] = [];
  let next = 1;
  for (; headers[next]?.name === "parent"; next++) parents.push(idIn(headers[next], "commit", oid));
  const author = headers[next];
  const committer = headers[next + 1];
  if (author?.name !== "author" || committer?.name !== "committer") throw malformed("commit", oid);
  const others = headers.slice(next + 2);
  const encoding = others.find((header) => header.name === "encoding")?.value.toString("latin1") ?? null;
  if (encoding !== null && !isSearchable(encoding)) throw unsearchable(oid);

  const authorText = decodeAs(author.value, encoding);
  const committerText = decodeAs(committer.value, encoding);
  const messageText = decodeAs(message, encoding);
  const authorFacts = parseIdentity(authorText);
  const committerFacts = parseIdentity(committerText);
  const identity = { committerEmail: committerFacts.email, committedAt: committerFacts.at };
  return {
    facts: {
      oid,
      parents,
      authorName: authorFacts.name,
      authorEmail: authorFacts.email,
      authoredAt: authorFacts.at,
      committerName: committerFacts.name,
      ...identity,
      message: messageText,
      signature: signatureOf(splitSignedCommit(oid, content), identity, verify),
    },
    tree,
    texts: [
      { source: "commit-identity", text: `${authorText}\n${committerText}` },
      ...rawTexts("commit-identity", author.value, authorText),
      ...rawTexts("commit-identity", committer.value, committerText),
      { source: "commit-message", text: messageText },
      ...rawTexts("commit-message", message, messageText),
      // Signatures, merged tags, and whatever a tool has put there: git shows none of them, and delivers all.
      ...others.map((header) => ({
        source: "commit-message" as const,
        text: `${header.name} ${decodeText(header.value)}`,
      })),
    ],
  };
}

const unsearchable = (oid: string): GatewayError =>
  new GatewayError(
    "inspection_failed",
    `what commit ${oid} says is in an encoding in which a secret cannot be seen: make it anew in UTF-8 (git config i18n.commitEncoding utf-8)`,
  );

function signatureOf(
  signed: ReturnType<typeof splitSignedCommit>,
  identity: { readonly committerEmail: string; readonly committedAt: string },
  verify: VerifyCommit | undefined,
): CommitSignature | null {
  if (signed === null) return null;
  const { armor } = signed;
  if (armor.startsWith("-----BEGIN SSH "))
    return { format: "ssh", signer: verify?.({ ...signed, ...identity }) ?? null };
  return { format: armor.startsWith("-----BEGIN SIGNED ") ? "x509" : "openpgp", signer: null };
}

/** ECMA-35 and ECMA-48: another set of characters, a colour. */
// oxlint-disable-next-line no-control-regex
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[ -/]*[0-~])|[\u000e\u000f]/g;

/** Where decoding has changed what the bytes say, the bytes are searched as well: a claimed encoding is the pusher's choice. */
export function rawTexts(source: ScannableText["source"], bytes: Buffer, decoded: string): ScannableText[] {
  const plain = bytes.toString("latin1");
  const texts: ScannableText[] = [];
  if (!Buffer.from(decoded, "utf8").equals(bytes) && decoded !== plain) texts.push({ source, text: plain });
  // UTF-16 and the like in disguise.
  if (plain.includes("\0")) texts.push({ source, text: plain.replaceAll("\0", "") });
  // What terminals, and decoders that know more escapes than ours, take for no letter.
  if (plain.includes("\u001b")) texts.push({ source, text: plain.replaceAll(ESCAPES, "") });
  return texts;
}
