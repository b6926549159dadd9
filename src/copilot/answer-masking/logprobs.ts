/** The probabilities of tokens spell a text out, token by token and in bytes: what is masked in the text would stand there. */
import { isObject } from "../json-value.ts";

const LISTS = ["content", "refusal", "tokens"];

/** Not everything of this name: a tool's schema may have a property that is called so. */
const isTokens = (value: unknown): boolean =>
  Array.isArray(value) || (isObject(value) && LISTS.some((name) => Array.isArray(value[name])));

/** A copy with none in it, wherever they stand. */
export function withoutLogprobs(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutLogprobs);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      name !== "logprobs" || !isTokens(inner) ? withoutLogprobs(inner) : Array.isArray(inner) ? [] : null,
    ]),
  );
}
