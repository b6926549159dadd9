/**
 * Where an upstream says that an object is to be sent to or fetched from: an address and headers, chosen by the upstream, and
 * asked by the gateway from inside its network. So addresses are checked here, and names again once they are resolved.
 */
import { BlockList, isIPv6, isIP } from "node:net";
import { err, ok, type Result } from "../../errors.ts";
import { HOP_BY_HOP } from "../../model/hop-by-hop.ts";

export interface StorageAction {
  readonly href: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sent without a length (`Transfer-Encoding: chunked` in the action), as some stores want it. */
  readonly isChunked: boolean;
  /** Milliseconds since the epoch; null: the upstream sets no end. */
  readonly expiresAt: number | null;
}

const MAX_HREF_LENGTH = 8_192;
const MAX_HEADER_LENGTH = 8_192;
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
// Visible ASCII, spaces and tabs (RFC 9110, section 5.5): a line feed would be a header of the upstream's own.
const VALUE = /^[\t\u0020-\u007e]*$/;

/** What says how a request is framed or whom it is for. */
const NEVER_TAKEN = new Set(["host", "content-length", "expect", "range", "sallyport-token"]);

/** @returns the address, or what is wrong with it */
export function parseStorageUrl(href: string): Result<URL, string> {
  if (href.length > MAX_HREF_LENGTH || !URL.canParse(href)) return err("its address for the object is no URL");
  const url = new URL(href);
  if (url.protocol !== "http:" && url.protocol !== "https:") return err("its address for the object is not of HTTP");
  if (url.username !== "" || url.password !== "") return err("its address for the object has a password in it");
  return ok(url);
}

/** @returns the headers with lower-case names and what frames a message left out, or what is wrong with them */
export function parseStorageHeaders(
  given: Readonly<Record<string, string>>,
): Result<Pick<StorageAction, "headers" | "isChunked">, string> {
  const headers: Record<string, string> = {};
  let isChunked = false;
  let length = 0;
  for (const [key, value] of Object.entries(given)) {
    const name = key.toLowerCase();
    if (!TOKEN.test(name) || !VALUE.test(value)) return err("its headers for the object cannot be sent");
    if (name === "transfer-encoding" && value.trim().toLowerCase() === "chunked") isChunked = true;
    if (HOP_BY_HOP.has(name) || NEVER_TAKEN.has(name)) continue;
    length += name.length + value.length;
    headers[name] = value;
  }
  return length > MAX_HEADER_LENGTH ? err("its headers for the object are too long") : ok({ headers, isChunked });
}

/** The link's own addresses: the metadata services of cloud providers hand out credentials there. No store has one. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet("169.254.0.0", 16, "ipv4");
LINK_LOCAL.addSubnet("fe80::", 10, "ipv6");
LINK_LOCAL.addAddress("fd00:ec2::254", "ipv6");

/** The gateway's own machine. */
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addSubnet("0.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");
LOOPBACK.addAddress("::", "ipv6");

export const isLoopbackHost = (hostname: string): boolean =>
  hostname === "localhost" || (isIP(bare(hostname)) !== 0 && isIn(LOOPBACK, bare(hostname)));

/** @param address an IP address, as text. Private networks are no reason to refuse: that is where an upstream's own store is. */
export const isForbiddenAddress = (address: string, mayBeLoopback: boolean): boolean =>
  isIn(LINK_LOCAL, address) || (!mayBeLoopback && isIn(LOOPBACK, address));

/** Whether a URL names a forbidden address outright; names of hosts are judged when they are resolved. */
export const isForbiddenHost = (hostname: string, mayBeLoopback: boolean): boolean => {
  const address = bare(hostname);
  return isIP(address) === 0 ? false : isForbiddenAddress(address, mayBeLoopback);
};

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, "");

/** The zone of a resolved address (`fe80::1%eth0`) is no part of it. */
const isIn = (list: BlockList, address: string): boolean =>
  list.check(address.replace(/%.*$/s, ""), isIPv6(address) ? "ipv6" : "ipv4");
