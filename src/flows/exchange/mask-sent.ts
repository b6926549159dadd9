/** What goes to a model, and what comes back, masked on its way: `recording.prompts` and `recording.answers`. */
import { type AnswerMasks, looksSealed } from "../../copilot/answer-masking.ts";
import type { Endpoint } from "../../copilot/endpoints/endpoint.ts";
import { parametersOf, type RequestHead } from "../../copilot/request-head.ts";
import { maskJson } from "../../secrets/mask-json.ts";
import { maskSplitJson } from "../../secrets/split-texts.ts";
import type { Mask } from "./mask-messages.ts";

export interface SentMasking {
  readonly prompts: "pass" | "mask" | "refuse";
  readonly answers: "pass" | "mask";
  /** The secrets in a text. */
  readonly find: (
    text: string,
  ) => readonly { readonly rule: string; readonly severity: "block" | "warn"; readonly allowed: unknown }[];
  readonly maskStream: () => { push(text: string): string; end(): string };
}

/** Sealed by the upstream, and of no use to it with a mask inside: signatures of the model's thinking, and the thinking itself. */
const SEALED: ReadonlySet<string> = new Set(["thoughtSignature", "thought_signature", "reasoning_opaque"]);
/** Names that others use as well: sealed in parts of a conversation, which say of themselves what they are. */
const SEALED_IN_PARTS: ReadonlySet<string> = new Set(["signature", "encrypted_content"]);
/** Parts that a client makes as it likes. */
const NOT_SEALED: ReadonlySet<string> = new Set(["text", "tool_result", "message", "function_call_output"]);
/** What a tool is given is an object of any names, where it is no text. */
const holdsInput = (type: unknown): boolean => typeof type === "string" && type.endsWith("tool_use");

/** What the upstream has sealed in a request, by place. Anything that does not look sealed is a text like all others. */
function findSealed(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== "object" || value === null) return [];
  const type = Array.isArray(value) ? undefined : (value as { type?: unknown }).type;
  const isPart = typeof type === "string" && !NOT_SEALED.has(type);
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) => {
    const at = [...path, Array.isArray(value) ? Number(name) : name];
    if (typeof inner !== "string") return name === "input" && holdsInput(type) ? [] : findSealed(inner, at);
    const holds =
      SEALED.has(name) || (isPart && SEALED_IN_PARTS.has(name)) || (type === "redacted_thinking" && name === "data");
    return holds && looksSealed(inner) ? [at] : [];
  });
}

const valueAt = (value: unknown, path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>((inner, name) => (inner as Record<string | number, unknown> | undefined)?.[name], value);

/** @returns the request with its secrets masked, and the rules that found them; with none, nothing is to be changed */
export function maskRequest(json: unknown, mask: Mask): { readonly json: unknown; readonly rules: readonly string[] } {
  const rules = new Set<string>();
  const masked = maskJson(json, (text) => {
    const { text: safe, counts } = mask(text);
    for (const rule of Object.keys(counts)) rules.add(rule);
    return safe;
  });
  const split = new Set<string>();
  const around = rules.size === 0 ? json : withSealed(masked, json);
  const whole = maskSplitJson(around, (text) => {
    const { text: safe, counts } = mask(text);
    for (const rule of Object.keys(counts)) split.add(rule);
    return safe;
  });
  // A seam alone may look like more than there is.
  return { json: whole, rules: [...new Set([...rules, ...(whole === around ? [] : split)])] };
}

/** @returns the masked request, with what was sealed in it as it was */
function withSealed(masked: unknown, json: unknown): unknown {
  for (const path of findSealed(json)) {
    const parent = valueAt(masked, path.slice(0, -1));
    const name = path.at(-1);
    // Where a name was masked on the way there, what was sealed below stays masked.
    if (typeof parent !== "object" || parent === null || name === undefined || !Object.hasOwn(parent, name)) continue;
    (parent as Record<string | number, unknown>)[name] = valueAt(json, path);
  }
  return masked;
}

/** The rules by which a request is refused: of severity `block`, and without a comment that allows what they found. */
export function findBlocking(json: unknown, find: SentMasking["find"]): readonly string[] {
  const rules = new Set<string>();
  const blockingIn = (text: string): readonly string[] =>
    find(text)
      .filter(({ severity, allowed }) => severity === "block" && allowed === null)
      .map(({ rule }) => rule);
  maskJson(json, (text) => {
    for (const rule of blockingIn(text)) rules.add(rule);
    return text;
  });
  if (rules.size > 0) return [...rules];
  const joined = maskSplitJson(json, (text) => {
    const found = blockingIn(text);
    for (const rule of found) rules.add(rule);
    return found.length > 0 ? "" : text;
  });
  return joined === json ? [] : [...rules];
}

/** What stands beside a body, in the order and the words in which it is looked through. */
const headTexts = ({ query, headers }: RequestHead): readonly string[] => [
  ...headers.map(([name, value]) => `${name}: ${value}`),
  ...parametersOf(query).map(([name, value]) => `${name}=${value}`),
];

/** A path as its reader decodes it; its escapes were checked when it was taken apart. */
const plainPath = (path: string): string => {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
};

/** The rules by which a request is refused for what stands beside its body. */
export const findBlockingHead = (path: string, head: RequestHead, find: SentMasking["find"]): readonly string[] =>
  findBlocking([plainPath(path), ...headTexts(head)], find);

/** What of a head goes on: a mask is no header's value and no parameter's, so what holds a secret stays here. */
export interface SentHead {
  readonly query: string;
  /** Names of headers. */
  readonly withheld: readonly string[];
}

/** @returns null where the path itself holds one: without it, it would be another request */
export function maskHead(path: string, head: RequestHead, mask: Mask): SentHead | null {
  const holds = (text: string): boolean => mask(text).text !== text;
  if (holds(plainPath(path))) return null;
  const texts = headTexts(head);
  if (!texts.some(holds)) return { query: head.query, withheld: [] };
  const { headers } = head;
  const withheld = headers.filter((_, at) => holds(texts[at] ?? "")).map(([name]) => name);
  const parameters = parametersOf(head.query);
  const kept = parameters.filter((_, at) => !holds(texts[headers.length + at] ?? ""));
  if (kept.length === parameters.length) return { query: head.query, withheld };
  const query = new URLSearchParams(kept.map(([name, value]): [string, string] => [name, value])).toString();
  return { query: query === "" ? "" : `?${query}`, withheld };
}

/** Whether the client gets this format's answers masked. */
export const masksAnswers = (sent: SentMasking | undefined, endpoint: Endpoint): boolean =>
  sent?.answers === "mask" && endpoint.conversation !== undefined;

export const answerMasks = (mask: Mask, masking: SentMasking): AnswerMasks => ({
  stream: () => masking.maskStream(),
  json: (value) => maskJson(value, (text) => mask(text).text),
});
