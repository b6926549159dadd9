/** The small forms that configuration values have. Each gives the normalised value, or says what it expected. */
import { isIP, isIPv4 } from "node:net";
import { z } from "zod";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export const DEFAULT_LISTEN: ListenAddress = { host: "127.0.0.1", port: 8080 };

/** `host:port` or `[address]:port`; null for anything else. Port 0 takes any free one. */
export function parseListen(text: string): ListenAddress | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? null : { host, port };
}

/** Whether only this machine can reach the address. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));

export const LISTEN_EXPECTED = "expected host:port, as in 127.0.0.1:8080 or [::1]:8080";

/** What is wrong with a base URL, or the URL itself, ending in `/`. */
export function parseBaseUrl(text: string): { readonly url: string } | { readonly problem: string } {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return { problem: "expected a URL, as in https://git.example.com/" };
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return { problem: "expected an http:// or https:// URL" };
  if (url.username !== "" || url.password !== "") {
    return { problem: "take the user name and password out of the URL: addresses are shown and logged" };
  }
  if (url.search !== "" || url.hash !== "") return { problem: "take ? and # out of the URL: paths are appended to it" };
  return { url: url.href.endsWith("/") ? url.href : `${url.href}/` };
}

export const baseUrlSchema = z
  .string({ error: "expected a URL, as in https://git.example.com/" })
  .transform((text, context) => {
    const parsed = parseBaseUrl(text);
    if ("url" in parsed) return parsed.url;
    context.addIssue({ code: "custom", message: parsed.problem });
    return z.NEVER;
  })
  .meta({ format: "uri" });

export const listenSchema = z.string({ error: LISTEN_EXPECTED }).transform((text, context) => {
  const address = parseListen(text);
  if (address !== null) return address;
  context.addIssue({ code: "custom", message: LISTEN_EXPECTED });
  return z.NEVER;
});

const NETWORK_EXPECTED = "expected an address or a network, as in 10.0.0.0/8, 192.0.2.7 or fd00::/8";

/** A network as `address/bits`; an address by itself is one of all its bits. */
export const networkSchema = z.string({ error: NETWORK_EXPECTED }).transform((text, context) => {
  const [, address = "", bits] = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const most = isIP(address) === 6 ? 128 : isIP(address) === 4 ? 32 : 0;
  const count = bits === undefined ? most : Number(bits);
  // Everybody is no proxy: whoever comes could say that they are anybody.
  if (most > 0 && count > 0 && count <= most) return `${address}/${count}`;
  context.addIssue({ code: "custom", message: NETWORK_EXPECTED });
  return z.NEVER;
});

const variable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: "expected the name of an environment variable" });
const filePath = z.string().min(1, { error: "expected the path of a file, relative to this one" });

/** Where a secret is; never the secret itself. */
export const secretSchema = z
  .union([z.strictObject({ env: variable }), z.strictObject({ file: filePath })], {
    error: "a secret is never written here: say where it is, as { env: NAME } or { file: PATH }",
  })
  .describe("Where the secret is: an environment variable, or a file beside this one.");
