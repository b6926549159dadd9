/**
 * Which headers cross the gateway (RFC 9110, section 7.6.1). Pure.
 *
 * Under a credential that the gateway holds only named headers go upstream: a proxy's own `Remote-User` or
 * `X-Forwarded-User`, sent by a client, would otherwise be believed because it comes from the gateway. With `passthrough`
 * the client's headers are its own business, except those that change what the request is.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { UpstreamCredential } from "../model/connection.ts";
import { HOP_BY_HOP } from "../model/hop-by-hop.ts";
import type { GitService } from "./repository-path.ts";

/** A client's headers as Node gives them: lower-case names. */
export type ClientHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

const ALWAYS_SENT = ["user-agent", "accept", "accept-encoding", "accept-language", "cache-control", "pragma"];

/** Ours, or able to make the upstream serve another path or method than the one that was judged. */
const NEVER_SENT = new Set([
  "host",
  "expect",
  "content-length",
  "content-type",
  "content-encoding",
  "git-protocol",
  "sallyport-token",
  "forwarded",
  "x-original-url",
  "x-rewrite-url",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
]);

export interface UpstreamHeadersInput {
  readonly credential: UpstreamCredential;
  /** Null for the gateway's own requests. */
  readonly client: ClientHeaders | null;
  readonly service: GitService;
  /** The `User-Agent` where the client has none. */
  readonly userAgent: string;
}

/** Everything but the headers that describe the body. */
export function upstreamRequestHeaders(input: UpstreamHeadersInput): OutgoingHttpHeaders {
  const { credential, service } = input;
  const client = input.client ?? {};
  const headers: OutgoingHttpHeaders = {};
  const named = namedByConnection(client["connection"]);
  const passes = (name: string): boolean =>
    credential.kind === "passthrough"
      ? !HOP_BY_HOP.has(name) && !named.has(name) && !NEVER_SENT.has(name) && !name.startsWith("x-forwarded-")
      : ALWAYS_SENT.includes(name) && !named.has(name);

  for (const [name, value] of Object.entries(client)) {
    if (value !== undefined && passes(name)) headers[name] = typeof value === "string" ? value : [...value];
  }
  if (typeof headers["cookie"] === "string") {
    const theirs = withoutOwnCookies(headers["cookie"]);
    if (theirs === "") delete headers["cookie"];
    else headers["cookie"] = theirs;
  }
  headers["user-agent"] ??= input.userAgent;
  // receive-pack is never asked for version 2: http-backend then leaves out the service line that clients need.
  if (service === "git-upload-pack" && typeof client["git-protocol"] === "string") {
    headers["git-protocol"] = client["git-protocol"];
  }
  if (credential.kind === "basic") {
    const pair = Buffer.from(`${credential.username}:${credential.password}`).toString("base64");
    headers["authorization"] = `Basic ${pair}`;
  } else if (credential.kind === "bearer") {
    headers["authorization"] = `Bearer ${credential.token}`;
  }
  return headers;
}

/** Leading the client around the gateway, or speaking for an origin that is ours. `location` is rewritten separately. */
const NEVER_ANSWERED = new Set(["location", "alt-svc", "strict-transport-security", "clear-site-data", "refresh"]);
/** About credentials that the gateway holds. */
const ABOUT_CREDENTIALS = new Set(["www-authenticate", "set-cookie", "authentication-info"]);

/** What of an upstream's answer reaches the client. */
export function clientResponseHeaders(
  upstream: IncomingHttpHeaders,
  options: { readonly isPassthrough: boolean; readonly isRewritten: boolean },
): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  const named = namedByConnection(upstream.connection);
  for (const [name, value] of Object.entries(upstream)) {
    if (value === undefined || HOP_BY_HOP.has(name) || named.has(name) || NEVER_ANSWERED.has(name)) continue;
    if (ABOUT_CREDENTIALS.has(name) && !options.isPassthrough) continue;
    if (options.isRewritten && (name === "content-length" || name === "etag" || name === "content-md5")) continue;
    headers[name] = value;
  }
  // An upstream that sets the gateway's own cookie would sign somebody in as somebody else.
  if (headers["set-cookie"] !== undefined) {
    const theirs = (upstream["set-cookie"] ?? []).filter((cookie) => !isOwnCookie(cookie));
    if (theirs.length === 0) delete headers["set-cookie"];
    else headers["set-cookie"] = theirs;
  }
  // Whoever is signed in at the gateway's pages can be led to this address, and it is of the same origin: an upstream's error page, or a
  // file that calls itself one, must not run there.
  if (!/^application\/x-git-[a-z-]+$/.test(upstream["content-type"] ?? "")) {
    headers["content-security-policy"] = "sandbox";
    headers["x-content-type-options"] = "nosniff";
  }
  return headers;
}

/** See `web/sign-in.ts`: they open the gateway, and are nobody else's business. */
const isOwnCookie = (cookie: string): boolean => /^\s*(?:__Host-)?sallyport(?:-form)?\s*=/i.test(cookie);

const withoutOwnCookies = (header: string): string => {
  const cookies = header.split(";");
  const theirs = cookies.filter((cookie) => !isOwnCookie(cookie));
  return theirs.length === cookies.length ? header : theirs.join(";").trim();
};

const namedByConnection = (connection: string | readonly string[] | undefined): ReadonlySet<string> =>
  new Set(
    (typeof connection === "string" ? connection : (connection ?? []).join(","))
      .split(",")
      .map((name) => name.trim().toLowerCase()),
  );
