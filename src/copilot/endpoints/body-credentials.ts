/**
 * Credentials that a request hands to the upstream for tools that run there: a person's token for an MCP server stands in the body, in a form
 * that no rule knows. They go on, and no record has them. Pure.
 * @see https://platform.openai.com/docs/guides/tools-connectors-mcp and https://docs.anthropic.com/en/docs/agents-and-tools/mcp-connector
 */
import { isObject, type JsonObject } from "../json-value.ts";

/** Lists whose entries name an MCP server: `tools` (OpenAI), `mcp_servers` (Anthropic). */
const LISTS = ["tools", "mcp_servers"];
const FIELDS: ReadonlySet<string> = new Set(["authorization", "authorization_token"]);
const HEADER = /auth|token|key|secret|cookie|credential|passw/i;
/** Whatever reads otherwise is no credential, and would be a place to say something past the record. */
const CREDENTIAL = /^(?:[A-Za-z]{1,20} )?[\x21-\x7e]{1,8192}$/;
const HIDDEN = "[a credential, not recorded]";

const hidden = (value: unknown): unknown => (typeof value === "string" && CREDENTIAL.test(value) ? HIDDEN : value);

function withoutOwn(entry: unknown): unknown {
  if (!isObject(entry)) return entry;
  return Object.fromEntries(
    Object.entries(entry).map(([name, value]) => {
      if (FIELDS.has(name)) return [name, hidden(value)];
      return [name, name === "headers" ? withoutOwnHeaders(value) : value];
    }),
  );
}

/** As an object of names, as a list of pairs (`["Authorization", "…"]`), or as a list of what has a name and a value. */
function withoutOwnHeaders(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutOwnHeader);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, hiddenFor(name, text)]));
}

function withoutOwnHeader(entry: unknown): unknown {
  if (Array.isArray(entry)) {
    const [name, ...values]: unknown[] = entry;
    return [name, ...values.map((text) => hiddenFor(name, text))];
  }
  if (!isObject(entry)) return entry;
  const name = entry["name"] ?? entry["key"] ?? entry["header"];
  return name === undefined
    ? withoutOwnHeaders(entry)
    : Object.fromEntries(
        Object.entries(entry).map(([field, text]) => [field, text === name ? text : hiddenFor(name, text)]),
      );
}

const hiddenFor = (name: unknown, value: unknown): unknown =>
  typeof name === "string" && HEADER.test(name) ? (Array.isArray(value) ? value.map(hidden) : hidden(value)) : value;

/** Whether an entry could hold one: all others stay the very objects that they are. */
const isServer = (entry: unknown): boolean =>
  isObject(entry) && ("headers" in entry || [...FIELDS].some((name) => name in entry));

/** @returns the request as it may be recorded; the same object where there is nothing to leave out */
export function withoutCredentials(request: unknown): unknown {
  if (!isObject(request)) return request;
  const changed: JsonObject = Object.fromEntries(
    LISTS.flatMap((name) => {
      const list = request[name];
      return Array.isArray(list) && list.some(isServer) ? [[name, list.map(withoutOwn)]] : [];
    }),
  );
  return Object.keys(changed).length === 0 ? request : { ...request, ...changed };
}
