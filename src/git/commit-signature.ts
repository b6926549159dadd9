/**
 * Signatures of commits by SSH keys (git-commit header `gpgsig`, OpenSSH's PROTOCOL.sshsig). Pure.
 *
 *     armor  = "-----BEGIN SSH SIGNATURE-----" LF base64 LF "-----END SSH SIGNATURE-----"
 *     blob   = "SSHSIG" uint32-version(1) string-publickey string-namespace string-reserved string-hash string-signature
 *     signed = "SSHSIG" string-namespace string-reserved string-hash string(hash of the message)
 *
 * The message is the commit object without its signature headers. The key in the blob is the signer's claim: it counts only
 * where the configuration lists it, for the right person and the right time. OpenPGP and X.509 cannot be checked here.
 */
import { createHash } from "node:crypto";
import type { AllowedSigner } from "../model/allowed-signer.ts";
import { GIT_NAMESPACE, isSignerOf } from "./allowed-signers.ts";
import { parsePublicKey, readOrNull, SshReader, verifySshSignature } from "./ssh-key.ts";

/** A commit and its signature, apart. */
export interface SignedCommit {
  /** What was signed. */
  readonly payload: Buffer;
  /** The armored signature. */
  readonly armor: string;
  readonly committerEmail: string;
  /** ISO 8601: the committer's claim, as everything in a commit. */
  readonly committedAt: string;
}

/** Whose signature it is, as an e-mail address; null: nobody's that counts. */
export type VerifyCommit = (signed: SignedCommit) => string | null;

const MAGIC = "SSHSIG";
const VERSION = 1;
const HASHES: readonly string[] = ["sha256", "sha512"];

/**
 * Asks whether a listed key of the committer, or of the person who pushes, has signed. `valid-after` and `valid-before` are held against
 * the committer's time, as git does: to take a stolen key back, take its line out.
 */
export function createCommitVerifier(signers: readonly AllowedSigner[], pusherEmail: string): VerifyCommit {
  return ({ payload, armor, committerEmail, committedAt }) => {
    const signature = parseArmor(armor);
    if (signature === null) return null;
    const at = Date.parse(committedAt);
    const key = signature.publicKey.toString("base64");
    const own = signers.filter(
      (signer) =>
        signer.key === key &&
        (signer.validAfter === null || at >= signer.validAfter) &&
        (signer.validBefore === null || at <= signer.validBefore),
    );
    const whose = [committerEmail, pusherEmail].find(
      (email) => email !== "" && own.some((signer) => isSignerOf(signer, email)),
    );
    return whose !== undefined && isSignatureOver(signature, payload) ? whose : null;
  };
}

interface SshSignature {
  readonly publicKey: Buffer;
  readonly reserved: Buffer;
  readonly hash: string;
  readonly signature: Buffer;
}

const ARMOR = /^-----BEGIN SSH SIGNATURE-----\n((?:[A-Za-z0-9+/]+={0,2}\n)+)-----END SSH SIGNATURE-----\n*$/;

function parseArmor(armor: string): SshSignature | null {
  const body = ARMOR.exec(armor)?.[1];
  if (body === undefined) return null;
  return readOrNull(() => {
    const reader = new SshReader(Buffer.from(body.replaceAll("\n", ""), "base64"));
    if (reader.raw(MAGIC.length).toString("latin1") !== MAGIC || reader.uint32() !== VERSION) return null;
    const publicKey = reader.string();
    // A signature over a file or an e-mail must not pass for one over a commit.
    if (reader.text() !== GIT_NAMESPACE) return null;
    const reserved = reader.string();
    const hash = reader.text();
    const signature = reader.string();
    reader.end();
    return HASHES.includes(hash) ? { publicKey, reserved, hash, signature } : null;
  });
}

function isSignatureOver({ publicKey, reserved, hash, signature }: SshSignature, payload: Buffer): boolean {
  const key = parsePublicKey(publicKey);
  if (!key.ok) return false;
  const digest = createHash(hash).update(payload).digest();
  const signed = Buffer.concat([
    Buffer.from(MAGIC),
    ...[Buffer.from(GIT_NAMESPACE), reserved, Buffer.from(hash), digest].map(encodeString),
  ]);
  return verifySshSignature(key.value, signature, signed);
}

function encodeString(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/**
 * The commit without its signature, and the signature, as git takes them apart (commit.c, `parse_buffer_signed_by_header`): of the
 * headers that begin with `gpgsig` the one for the repository's own format signs, and none of them is signed.
 * @returns null where it is not signed; two signatures in one commit are one that nobody can check
 */
export function splitSignedCommit(
  oid: string,
  content: Buffer,
): { readonly payload: Buffer; readonly armor: string } | null {
  const header = oid.length === 64 ? "gpgsig-sha256 " : "gpgsig ";
  const kept: Buffer[] = [];
  let armor: string | null = null;
  let within: "own" | "other" | null = null;
  for (let at = 0; at < content.length;) {
    const found = content.indexOf(0x0a, at);
    const end = found === -1 ? content.length : found + 1;
    const line = content.subarray(at, end);
    if (line[0] === 0x0a) {
      kept.push(content.subarray(at));
      break;
    }
    const isContinued = line[0] === 0x20 && within !== null;
    if (isContinued && within === "own") armor += line.toString("latin1", 1);
    else if (!isContinued) {
      const text = line.toString("latin1", 0, 32);
      within = text.startsWith(header) ? "own" : text.startsWith("gpgsig") ? "other" : null;
      if (within === "own") armor = `${armor ?? ""}${line.toString("latin1", header.length)}`;
      else if (within === null) kept.push(line);
    }
    at = end;
  }
  return armor === null ? null : { payload: Buffer.concat(kept), armor };
}
