/** The services that a tool call speaks to: hosts of addresses in its arguments, hosts that its commands name, MCP servers. */
import type { JsonObject } from "../json-value.ts";

/** Addresses of the network, by scheme: `https://host`, `ssh://user@host:22`, `postgres://…`. */
const URL_HOST =
  /\b(?:https?|wss?|ssh|git|s?ftp|ftps|postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|kafka|nats|ldaps?|smtps?|imaps?|grpcs?|tcp|udp|s3|gs)(?:\+\w+)?:\/\/(?:[^\s/?#@"'`\\<>]*@)?(\[[0-9a-f:.]+\]|[^\s/?#:"'`\\<>)\]},;|&]+)(:\d{1,5})?/gi;
/** `git@host:path`, `scp file user@host:`: the form that ssh takes. */
const SSH_HOST = /(?:^|[\s"'`=])[\w.-]+@([a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)+):/gi;
/** Programs whose first plain argument is a host. */
const HOST_COMMAND =
  /(?:^|[\s;|&(])(?:ssh|nc|ncat|telnet|ping|dig|nslookup|host|psql\s+-h|mysql\s+-h|redis-cli\s+-h|curl|wget)\s+(?:-[^\s]+\s+)*(?:[\w.-]+@)?([a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)+|localhost)(?=[\s:/;|&)]|$)/gi;
/** A name that stands where a host could is one where it ends like one. */
const HOST = /^(?:\[[0-9a-f:.]+\]|localhost|[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9_-]+)*)$/;

/** `mcp__server__tool` (Claude Code, Codex), `server/tool` (MCP hosts), `mcp_server_tool` (VS Code). */
const MCP_NAME = /^mcp__([^_].*?)__|^mcp_([a-z0-9-]+)_/i;
const SERVER_FIELDS = ["server", "serverName", "server_name", "server_label"];

const hostsIn = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(pattern)].map((match) => `${(match[1] ?? "").toLowerCase()}${match[2] ?? ""}`);

const named = (host: string): boolean => HOST.test(host.replace(/:\d+$/, ""));

/** Texts of the arguments that name something; what is written into a file or taken out of it does not. */
const LONGEST_TEXT = 8_192;
const CONTENT_FIELDS =
  /^(?:file_?text|contents?|new_?(?:str|string|text|source)|old_?(?:str|string|text)|insert_text|diff|patch|code_edit)$/i;

export function findServices(name: string, args: JsonObject, commands: readonly string[]): readonly string[] {
  const server = MCP_NAME.exec(name);
  const servers = [
    server?.[1] ?? server?.[2],
    ...SERVER_FIELDS.map((field) => args[field]),
    ...(/^[\w.-]+\/[\w.-]+$/.test(name) ? [name.split("/", 1)[0]] : []),
  ].filter((text): text is string => typeof text === "string" && text !== "" && text.length <= 100);
  const texts = textsOf(args, 0).filter((text) => text.length <= LONGEST_TEXT);
  return [
    ...servers.map((text) => `mcp:${text.toLowerCase()}`),
    ...[...texts, ...commands].flatMap((text) => hostsIn(text, URL_HOST)).filter(named),
    ...commands.flatMap((text) => [...hostsIn(text, SSH_HOST), ...hostsIn(text, HOST_COMMAND)]).filter(named),
  ];
}

function textsOf(value: unknown, depth: number): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null || depth > 8) return [];
  return Object.entries(value)
    .filter(([name]) => Array.isArray(value) || !CONTENT_FIELDS.test(name))
    .flatMap(([, inner]: [string, unknown]) => textsOf(inner, depth + 1));
}
