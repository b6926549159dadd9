/**
 * Public keys and signatures as SSH writes them (RFC 4251 section 5, RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709). Pure.
 *
 *     string = uint32-length bytes        mpint = string, big-endian, two's complement
 *     ssh-ed25519          key: string type, string point(32)                  signature: string type, string (64)
 *     ecdsa-sha2-nistpN    key: string type, string curve, string 04‖x‖y       signature: string type, string (mpint r, mpint s)
 *     ssh-rsa              key: string type, mpint e, mpint n                  signature: string "rsa-sha2-256" or "-512", string
 */
import { createPublicKey, verify, type JsonWebKey, type KeyObject } from "node:crypto";
import { err, ok, type Result } from "../errors.ts";

const CURVES: Readonly<
  Record<string, { readonly name: string; readonly crv: string; readonly bytes: number; readonly hash: string }>
> = {
  "ecdsa-sha2-nistp256": { name: "nistp256", crv: "P-256", bytes: 32, hash: "sha256" },
  "ecdsa-sha2-nistp384": { name: "nistp384", crv: "P-384", bytes: 48, hash: "sha384" },
  "ecdsa-sha2-nistp521": { name: "nistp521", crv: "P-521", bytes: 66, hash: "sha512" },
};

/** SHA-1 signatures (`ssh-rsa`) are forgeable, and PROTOCOL.sshsig forbids them. */
const RSA_HASHES: Readonly<Record<string, string>> = { "rsa-sha2-256": "sha256", "rsa-sha2-512": "sha512" };

const MIN_RSA_BITS = 2048;

export const SIGNING_KEY_TYPES: readonly string[] = ["ssh-ed25519", ...Object.keys(CURVES), "ssh-rsa"];

export interface SshPublicKey {
  readonly type: string;
  readonly key: KeyObject;
}

class Malformed extends Error {}

/** Reads the fields of a blob in order; every length is checked against what is there. */
export class SshReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  raw(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw new Malformed();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint32(): number {
    return this.raw(4).readUInt32BE();
  }

  string(): Buffer {
    return this.raw(this.uint32());
  }

  text(): string {
    return this.string().toString("latin1");
  }

  /** A number that is not negative, big-endian, without leading zeros. */
  mpint(): Buffer {
    const bytes = this.string();
    if (((bytes[0] ?? 0) & 0x80) !== 0) throw new Malformed();
    const first = bytes.findIndex((byte) => byte !== 0);
    return bytes.subarray(first === -1 ? bytes.length : first);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new Malformed();
  }
}

/** Runs a reading; null where the bytes are not what it expects. Whatever OpenSSL says against a key counts as that too. */
export function readOrNull<T>(read: () => T | null): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** @returns the key, or what is wrong with it */
export function parsePublicKey(blob: Buffer): Result<SshPublicKey, string> {
  const parsed = readOrNull((): SshPublicKey | null => {
    const reader = new SshReader(blob);
    const type = reader.text();
    const jwk = jwkOf(type, reader);
    reader.end();
    return jwk === null ? null : { type, key: createPublicKey({ key: jwk, format: "jwk" }) };
  });
  if (parsed === null) return err("this is no public key that can be used; copy it anew from the .pub file");
  const bits = parsed.key.asymmetricKeyDetails?.modulusLength;
  return bits !== undefined && bits < MIN_RSA_BITS
    ? err(`RSA keys of less than ${MIN_RSA_BITS} bits are forgeable; make a new key`)
    : ok(parsed);
}

function jwkOf(type: string, reader: SshReader): JsonWebKey | null {
  const encode = (bytes: Buffer): string => bytes.toString("base64url");
  if (type === "ssh-ed25519") return { kty: "OKP", crv: "Ed25519", x: encode(reader.string()) };
  if (type === "ssh-rsa") {
    const e = encode(reader.mpint());
    return { kty: "RSA", e, n: encode(reader.mpint()) };
  }
  const curve = Object.hasOwn(CURVES, type) ? CURVES[type] : undefined;
  if (curve === undefined || reader.text() !== curve.name) return null;
  const point = reader.string();
  if (point[0] !== 4 || point.length !== 1 + 2 * curve.bytes) return null;
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)];
  return { kty: "EC", crv: curve.crv, x: encode(x), y: encode(y) };
}

/** Whether the signature (`string` format, `string` blob) is this key's over the data. Anything malformed is not. */
export function verifySshSignature({ type, key }: SshPublicKey, signature: Buffer, data: Buffer): boolean {
  const verified = readOrNull(() => {
    const reader = new SshReader(signature);
    const format = reader.text();
    const blob = reader.string();
    reader.end();
    if (type === "ssh-ed25519") return format === type && verify(null, data, key, blob);
    if (type === "ssh-rsa") {
      const hash = Object.hasOwn(RSA_HASHES, format) ? RSA_HASHES[format] : undefined;
      const bytes = Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
      if (hash === undefined || blob.length > bytes) return false;
      return verify(hash, data, key, leftPad(blob, bytes));
    }
    const curve = Object.hasOwn(CURVES, type) ? CURVES[type] : undefined;
    if (curve === undefined || format !== type) return false;
    const numbers = new SshReader(blob);
    const [r, s] = [numbers.mpint(), numbers.mpint()];
    numbers.end();
    if (r.length > curve.bytes || s.length > curve.bytes) return false;
    const flat = Buffer.concat([leftPad(r, curve.bytes), leftPad(s, curve.bytes)]);
    return verify(curve.hash, data, { key, dsaEncoding: "ieee-p1363" }, flat);
  });
  return verified === true;
}

const leftPad = (bytes: Buffer, length: number): Buffer =>
  Buffer.concat([Buffer.alloc(Math.max(0, length - bytes.length)), bytes]);
