import type { Context } from "hono";
import { describe, expect, test } from "vitest";
import { createProxies, type ProxySettings } from "../../src/web/forwarded.ts";
import { cpuTimeMs } from "../harness/cpu-time.ts";

const TRUSTED = ["10.0.0.0/8", "fd00::/8", "192.0.2.7/32"];
const request = (remoteAddress: string | undefined, headers: Readonly<Record<string, string>> = {}): Context =>
  ({
    env: { incoming: { socket: { remoteAddress }, headers } },
    req: { header: (name: string) => headers[name] },
  }) as unknown as Context;
const addressOf = (
  remote: string | undefined,
  headers: Readonly<Record<string, string>>,
  header: ProxySettings["header"] = "x-forwarded-for",
) => createProxies({ trusted: TRUSTED, header }).clientAddress(request(remote, headers));

describe("X-Forwarded-For", () => {
  const from = (remote: string, value: string) => addressOf(remote, { "x-forwarded-for": value });
  test.each([
    ["one proxy", "10.0.0.1", "198.51.100.7", "198.51.100.7"],
    ["two of them", "10.0.0.1", "198.51.100.7, 10.2.3.4", "198.51.100.7"],
    ["what the client wrote itself before", "10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"],
    ["what it wrote as if from a proxy", "10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"],
    ["nobody but proxies", "10.0.0.1", "10.9.9.9, 10.0.0.2", "10.9.9.9"],
    ["IPv6", "fd00::1", "2001:db8::1", "2001:db8::1"],
    ["IPv6 with brackets and a port", "fd00::1", "[2001:db8::1]:4711", "2001:db8::1"],
    ["a port", "10.0.0.1", "198.51.100.7:4711", "198.51.100.7"],
    ["IPv4 as a socket of both kinds has it", "::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"],
    ["a single address", "192.0.2.7", "198.51.100.7", "198.51.100.7"],
    ["its neighbour, who is no proxy", "192.0.2.8", "198.51.100.7", "192.0.2.8"],
    ["nobody trusted", "203.0.113.1", "198.51.100.7", "203.0.113.1"],
    ["no address", "10.0.0.1", "198.51.100.7, unknown", "10.0.0.1"],
    ["words", "10.0.0.1", "198.51.100.7, <script>", "10.0.0.1"],
    ["an empty end", "10.0.0.1", "198.51.100.7,", "10.0.0.1"],
    ["nothing", "10.0.0.1", "", "10.0.0.1"],
  ])("%s", (_what, remote, value, wanted) => expect(from(remote, value)).toBe(wanted));

  test("the header that the proxies do not write is the client's own", () => {
    expect(addressOf("10.0.0.1", { forwarded: "for=198.51.100.7" })).toBe("10.0.0.1");
    expect(addressOf("10.0.0.1", { "x-forwarded-for": "198.51.100.7" }, "forwarded")).toBe("10.0.0.1");
  });

  test("without a socket there is no address", () => {
    expect(addressOf(undefined, { "x-forwarded-for": "198.51.100.7" })).toBeNull();
    const bare = { env: undefined, req: { header: () => undefined } } as unknown as Context;
    expect(createProxies({ trusted: TRUSTED, header: "forwarded" }).clientAddress(bare)).toBeNull();
  });
});

describe("Forwarded (RFC 7239)", () => {
  const from = (value: string) => addressOf("10.0.0.1", { forwarded: value }, "forwarded");
  test.each([
    ["for=198.51.100.7;proto=https;by=10.0.0.1", "198.51.100.7"],
    ['For="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"],
    ["for=203.0.113.9, for=198.51.100.7, for=10.0.0.3", "198.51.100.7"],
    ['for=198.51.100.7;host="a,b;c=\\"d\\"", for=10.0.0.3', "198.51.100.7"],
    ["for=unknown", "10.0.0.1"],
    ["for=_hidden, for=10.0.0.3", "10.0.0.3"],
    ["for=198.51.100.7;;", "10.0.0.1"],
    ['for="198.51.100.7', "10.0.0.1"],
    ["proto=https", "10.0.0.1"],
    ["", "10.0.0.1"],
  ])("%s", (value, wanted) => expect(from(value)).toBe(wanted));
});

describe("the host that was asked for", () => {
  const hostOf = (remote: string, headers: Readonly<Record<string, string>>, header: ProxySettings["header"]) =>
    createProxies({ trusted: TRUSTED, header }).requestedHost(request(remote, { host: "inner:8080", ...headers }));
  test.each([
    ["10.0.0.1", { "x-forwarded-host": "api.sallyport.example" }, "x-forwarded-for", "api.sallyport.example"],
    [
      "10.0.0.1",
      { "x-forwarded-host": "evil.example, api.sallyport.example" },
      "x-forwarded-for",
      "api.sallyport.example",
    ],
    ["10.0.0.1", { forwarded: 'for=1.2.3.4;host="api.sallyport.example"' }, "forwarded", "api.sallyport.example"],
    ["10.0.0.1", { "x-forwarded-host": "evil.example" }, "forwarded", "inner:8080"],
    ["203.0.113.1", { "x-forwarded-host": "evil.example" }, "x-forwarded-for", "inner:8080"],
    ["10.0.0.1", {}, "x-forwarded-for", "inner:8080"],
  ] as const)("%s %j", (remote, headers, header, wanted) => expect(hostOf(remote, headers, header)).toBe(wanted));
});

test("a header of very many separators is read in no time", () => {
  const before = cpuTimeMs();
  addressOf("10.0.0.1", { forwarded: `${",".repeat(8_000)}${'"'.repeat(8_000)}` }, "forwarded");
  addressOf("10.0.0.1", { "x-forwarded-for": "10.0.0.1,".repeat(8_000) });
  expect(cpuTimeMs() - before).toBeLessThan(2_000);
});
