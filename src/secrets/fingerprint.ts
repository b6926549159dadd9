import { createHmac } from "node:crypto";
import { GatewayError } from "../errors.ts";

export type Fingerprint = (secret: string) => string;

const shortestKey = 16;

/**
 * Equal for equal secrets, and of no use without the key: whoever gets hold of the record cannot try candidates against it.
 * HMAC-SHA-256 (RFC 2104), its first 16 hex digits.
 * @throws GatewayError `config_invalid` if the key is shorter than 16 bytes.
 */
export function createFingerprint(key: Uint8Array): Fingerprint {
  if (key.length < shortestKey) {
    throw new GatewayError(
      "config_invalid",
      `The fingerprint key has ${key.length} bytes; give it ${shortestKey} random bytes or more.`,
    );
  }
  return (secret) => createHmac("sha256", key).update(secret, "utf8").digest("hex").slice(0, 16);
}
