/**
 * What a request says beside its body: its query, and the client's headers that go on. The upstream hears both, so both are on record, as a
 * message of their own that a session stores once. Pure.
 */
import type { Message } from "../model/exchange.ts";
import { describeJson } from "./json-value.ts";

export interface RequestHead {
  /** With its `?`, as sent; empty where there is none. */
  readonly query: string;
  /** By name in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * The client's own credentials for an upstream that asks for them (`passthrough`), and what an upstream has given to this person, which is
 * looked up before it goes on (`upstream-ids.ts`): secrets, all of them.
 */
const NEVER_KEPT: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "x-api-key",
  "api-key",
  "mcp-session-id",
  "copilot-session-token",
]);

/** What says nothing, in the form in which it says nothing. */
const PLAIN: Readonly<Record<string, RegExp>> = {
  accept: /^(?:(?:\*\/\*|application\/json|text\/event-stream)(?:;\s*charset=utf-8)?(?:\s*,\s*(?=.)|$))+$/i,
  "accept-encoding": /^/,
  "accept-language": /^\*$/,
  "content-type": /^application\/json(?:;\s*charset=utf-8)?$/i,
  "sec-fetch-mode": /^cors$/,
  // W3C Trace Context, 3.2: another one in every request.
  traceparent: /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/,
};

/** An id of the client's making, which is another one in every request; whole, so that nothing is cut out of the middle of a secret. */
const RANDOM_ID = /^((?:[a-z]{1,20}-)*)[0-9a-f]{8}(-?)[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{12}$/i;

/** The parameters of a query, decoded: what is masked has to be what it means. */
export const parametersOf = (query: string): readonly (readonly [string, string])[] => [...new URLSearchParams(query)];

/** @param known values that stand in the record already @returns one message, or nothing where nothing was said */
export function headMessage({ query, headers }: RequestHead, known: ReadonlySet<string>): readonly Message[] {
  const said = headers
    .filter(([name, value]) => !NEVER_KEPT.has(name) && !known.has(value) && PLAIN[name]?.test(value) !== true)
    .map(([name, value]): [string, string] => [name, value.replace(RANDOM_ID, "$1…")]);
  const asked = parametersOf(query);
  if (said.length === 0 && asked.length === 0) return [];
  const text = describeJson({
    ...(asked.length === 0 ? {} : { query: asked }),
    ...(said.length === 0 ? {} : { headers: Object.fromEntries(said) }),
  });
  return [{ role: "system", parts: [{ type: "opaque", kind: "head", text }] }];
}
