/**
 * Who is behind the proxies in front of the gateway (RFC 7239; `X-Forwarded-For`, which came before it). Each proxy writes the other end of its own
 * connection behind what stood there already, and what stood there anybody could have written: so the chain is read from its end, and
 * believed only as far as each address that says something is a proxy of ours. Scheme and host of the gateway's own addresses are never read
 * from a request: `publicUrl` says them.
 */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";

export interface ProxySettings {
  /** Networks as `address/bits`. */
  readonly trusted: readonly string[];
  /** The one that our proxies write. The other one is the client's own, and not looked at. */
  readonly header: "x-forwarded-for" | "forwarded";
}

export interface Proxies {
  /** The network address of a request; `null` when unknown. */
  readonly clientAddress: (c: Context) => string | null;
  /** The name under which the client asked; it chooses between sets of routes, and nothing is made of it. */
  readonly requestedHost: (c: Context) => string | undefined;
}

export function createProxies({ trusted, header }: ProxySettings): Proxies {
  const networks = new BlockList();
  for (const network of trusted) {
    const [address = "", bits = ""] = network.split("/");
    networks.addSubnet(address, Number(bits), isIP(address) === 6 ? "ipv6" : "ipv4");
  }
  const isTrusted = (address: string): boolean => networks.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");

  const addressOf = ({ socket, headers }: IncomingMessage): string | null => {
    const { remoteAddress } = socket;
    let address = remoteAddress === undefined ? null : plainAddress(remoteAddress);
    // No address of ours that we know of: as it stands.
    if (address === null) return remoteAddress ?? null;
    // Read only where somebody is believed: everybody else may write there what takes long to read.
    let hops: string[] | null = null;
    while (isTrusted(address)) {
      hops ??= readHops(headers, header);
      const next = hops.pop();
      const before = next === undefined ? null : plainAddress(next);
      // `unknown`, a name of the proxy's own, or nothing: this far and no further.
      if (before === null) return address;
      address = before;
    }
    return address;
  };

  // Without a socket (`app.request()`) there are no bindings.
  const incomingOf = (c: Context) => (c.env as Partial<HttpBindings> | undefined)?.incoming;

  return {
    clientAddress: (c) => {
      const incoming = incomingOf(c);
      return incoming === undefined ? null : addressOf(incoming);
    },
    requestedHost: (c) => {
      const incoming = incomingOf(c);
      const remote = incoming === undefined ? null : plainAddress(incoming.socket.remoteAddress ?? "");
      const given =
        incoming === undefined || remote === null || !isTrusted(remote)
          ? undefined
          : readHost(incoming.headers, header);
      return given ?? c.req.header("host");
    },
  };
}

const listed = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : String(value).split(",");

/** The nearest proxy's last. */
function readHops(headers: IncomingHttpHeaders, header: ProxySettings["header"]): string[] {
  if (header === "x-forwarded-for") return listed(headers["x-forwarded-for"]).map((hop) => hop.trim());
  return readForwarded(headers).map((element) => element.get("for") ?? "");
}

/** The nearest proxy's word, which passes on what the one before it said. */
function readHost(headers: IncomingHttpHeaders, header: ProxySettings["header"]): string | undefined {
  const given =
    header === "forwarded"
      ? readForwarded(headers).at(-1)?.get("host")
      : listed(headers["x-forwarded-host"]).at(-1)?.trim();
  return given === "" ? undefined : given;
}

const PAIR = /^\s*([!#$%&'*+.^_`|~\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*))\s*$/;
/** Commas and semicolons within quotes separate nothing (RFC 7239, section 4). */
const splitOutside = (text: string, separator: string): string[] =>
  text.match(new RegExp(`(?:[^${separator}"]|"(?:[^"\\\\]|\\\\.)*"?)+|(?<=${separator}|^)(?=${separator}|$)`, "g")) ??
  [];

/** An element in which something cannot be read says nothing. */
function readForwarded(headers: IncomingHttpHeaders): ReadonlyMap<string, string>[] {
  const { forwarded } = headers;
  if (forwarded === undefined) return [];
  return splitOutside(forwarded, ",").map((element) => {
    const pairs = splitOutside(element, ";").map((pair) => PAIR.exec(pair));
    if (pairs.some((pair) => pair === null)) return new Map<string, string>();
    return new Map(
      pairs.map((pair): [string, string] => [
        (pair?.[1] ?? "").toLowerCase(),
        pair?.[2]?.replace(/\\(.)/g, "$1") ?? pair?.[3] ?? "",
      ]),
    );
  });
}

/** An address without port, brackets, zone and the form that IPv4 has in IPv6; null for what is none. */
function plainAddress(text: string): string | null {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  const address = bare.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
  return isIP(address) === 0 ? null : address;
}
