/** What git-lfs shows of a refused object: one line, in front of it the object's id. No secret. */
import { escapeLine } from "../../model/printable.ts";
import type { PushPolicy } from "../../policy/schema.ts";
import type { InspectedObject } from "./inspect-object.ts";

const LISTED = 3;

type RefusingPolicy = Pick<PushPolicy, "secrets" | "allowComments">;

export const renderOverLimit = (limit: number): string =>
  `Sallyport refused this object, and nothing of it has reached the upstream: it holds more than ${limit} secrets or what looks ` +
  "like them, the limit (limits.findings), and the rest was not read. " +
  "Revoke what is real, take it out of the file and out of every commit that has it, and push again.";

export function renderRefusal({ secrets }: Pick<InspectedObject, "secrets">, policy: RefusingPolicy): string {
  const refusing = secrets.filter(({ refuses }) => refuses);
  const places = refusing.slice(0, LISTED).map(({ rule, line }) => `${escapeLine(rule, 60)} in line ${line}`);
  if (refusing.length > LISTED) places.push("and more");
  const found = refusing.length === 1 ? "1 secret" : `${refusing.length} secrets`;
  const isAsked =
    policy.secrets === "hold" || (policy.allowComments === "hold" && refusing.some(({ allowed }) => allowed !== null));
  const held = isAsked ? " An LFS object cannot be held for approval, so it is refused." : "";
  const fingerprints = [...new Set(refusing.map(({ fingerprint }) => fingerprint))].slice(0, LISTED).join(" ");
  return (
    `Sallyport refused this object, and nothing of it has reached the upstream: ${found} found (${places.join(", ")}).${held} ` +
    "Revoke what is real, take it out of the file and out of every commit that has it, and push again. " +
    `What is no secret, the gateway's operator can accept: sallyport baseline add ${fingerprints} --reason …`
  );
}
