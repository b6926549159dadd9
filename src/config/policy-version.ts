import { createHash } from "node:crypto";
import type { PushPolicy } from "../policy/schema.ts";
import type { SecretRuleSource } from "./secret-rules.ts";

/**
 * SHA-256, hex, over what decides about a push. Approvals are bound to it, so it is the same on every gateway that has the same
 * policy: order of keys, comments, and where the files lie do not count.
 */
export const policyVersion = (pushes: readonly PushPolicy[], secretRules: readonly SecretRuleSource[]): string =>
  createHash("sha256")
    .update(canonicalJson({ pushes, secretRules: secretRules.flatMap(textsOf) }))
    .digest("hex");

const textsOf = ({ text, base }: SecretRuleSource): string[] => [text, ...(base === undefined ? [] : textsOf(base))];

/** JSON with the keys of every object in order. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  );
}
