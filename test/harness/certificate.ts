/**
 * X.509 certificates for tests (RFC 5280, ECDSA with P-256), so that no test needs openssl and no key is kept in the repository.
 * Just as much DER (X.690) as they need.
 */
import { createPublicKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";

export interface Certificate {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

export interface CertificateOptions {
  /** DNS names. */
  readonly names: readonly string[];
  readonly from?: Date;
  readonly to?: Date;
}

const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  const length =
    body.length < 128
      ? Buffer.from([body.length])
      : body.length < 256
        ? Buffer.from([0x81, body.length])
        : Buffer.from([0x82, body.length >> 8, body.length & 0xff]);
  return Buffer.concat([Buffer.from([tag]), length, body]);
};
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"));
const bits = (bytes: Uint8Array): Buffer => der(0x03, Buffer.from([0]), bytes);
const extension = (id: string, isCritical: boolean, value: Uint8Array): Buffer =>
  sequence(oid(id), ...(isCritical ? [der(0x01, Buffer.from([0xff]))] : []), der(0x04, value));
/** GeneralizedTime, to the second. */
const time = (at: Date): Buffer => der(0x18, Buffer.from(at.toISOString().replace(/[-:T]|\.\d+/g, "")));
const pem = (bytes: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(bytes).toString("base64").replace(/.{64}/g, "$&\n").trimEnd()}\n-----END CERTIFICATE-----\n`;

const COMMON_NAME = "550403";
const ECDSA_WITH_SHA256 = "2a8648ce3d040302";
const BASIC_CONSTRAINTS = "551d13";
const SUBJECT_ALT_NAME = "551d11";

const DAY_MS = 86_400_000;

/** A certificate that is its own authority: clients trust it by being given it. */
export function makeCertificate(options: CertificateOptions): Certificate {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { certificate: pem(encode(options, privateKey)), key: exportKey(privateKey) };
}

const exportKey = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }) as string;

function encode({ names, from, to }: CertificateOptions, key: KeyObject): Buffer {
  const now = Date.now();
  const algorithm = sequence(oid(ECDSA_WITH_SHA256));
  const name = sequence(der(0x31, sequence(oid(COMMON_NAME), der(0x0c, Buffer.from(names[0] ?? "test")))));
  const alternatives = sequence(...names.map((dns) => der(0x82, Buffer.from(dns, "ascii"))));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    name,
    sequence(time(from ?? new Date(now - DAY_MS)), time(to ?? new Date(now + 30 * DAY_MS))),
    name,
    createPublicKey(key).export({ type: "spki", format: "der" }),
    der(
      0xa3,
      sequence(
        extension(BASIC_CONSTRAINTS, true, sequence(der(0x01, Buffer.from([0xff])))),
        extension(SUBJECT_ALT_NAME, false, alternatives),
      ),
    ),
  );
  return sequence(body, algorithm, bits(sign("sha256", body, key)));
}
