import type { ModelPolicy, PersonLimit } from "../model/connection.ts";
import type { Principal } from "../model/principal.ts";
import { isNamed } from "../model/who.ts";
import { matchesAny } from "./match.ts";

type Person = Pick<Principal, "email" | "groups">;

/**
 * Whether a person may use a model. Rules that let through match to the letter; where there are rules, what none of them names is closed,
 * and so is a request that leaves the model to the upstream.
 */
export const mayUseModel = (person: Person, model: string | null, rules: ModelPolicy["models"]): boolean =>
  rules === null ||
  (model !== null && rules.some(({ names, allow }) => isNamed(person, allow) && matchesAny(names, model)));

/** What this person may ask for; null: as much as they like. */
export const limitOf = (person: Person, limits: readonly PersonLimit[]): PersonLimit | null =>
  limits.find(({ people }) => isNamed(person, people)) ?? null;
