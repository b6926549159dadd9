/** What git-lfs shows of a refused object: one line, in front of it the object's id. No secret. */
import { escapeLine } from "../../model/printable.ts";
import type { SecretsMode } from "../../policy/schema.ts";
import type { InspectedObject } from "./inspect-object.ts";

const LISTED = 3;

export function renderRefusal({ secrets }: InspectedObject, mode: SecretsMode): string {
  const blocking = secrets.filter(({ severity }) => severity === "block");
  const places = blocking.slice(0, LISTED).map(({ rule, line }) => `${escapeLine(rule, 60)} in line ${line}`);
  if (blocking.length > LISTED) places.push("and more");
  const found = blocking.length === 1 ? "1 secret" : `${blocking.length} secrets`;
  const held = mode === "hold" ? " An LFS object cannot be held for approval, so it is refused." : "";
  return (
    `Sallyport refused this object, and nothing of it has reached the upstream: ${found} found (${places.join(", ")}).${held} ` +
    "Revoke what is real, take it out of the file and out of every commit that has it, and push again"
  );
}
