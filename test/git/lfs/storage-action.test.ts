import { describe, expect, it } from "vitest";
import {
  isForbiddenAddress,
  isForbiddenHost,
  isLoopbackHost,
  parseStorageHeaders,
  parseStorageUrl,
} from "../../../src/git/lfs/storage-action.ts";

const hostOf = (url: string): string => new URL(url).hostname;

describe("an address for an object", () => {
  it.each(["https://store.example/a?b=c", "http://10.0.0.7:9000/bucket/x"])("may be %s", (href) => {
    expect(parseStorageUrl(href)).toMatchObject({ ok: true });
  });

  it.each([
    "",
    "/relative",
    "file:///etc/passwd",
    "ftp://a/b",
    "javascript:1",
    "http://u:p@store.example/",
    "http://u@a/",
  ])("is not %j", (href) => {
    expect(parseStorageUrl(href)).toMatchObject({ ok: false });
  });

  it.each([
    "http://169.254.169.254/",
    "http://2852039166/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
  ])("is never asked at %s, the link's own", (href) => {
    expect(isForbiddenHost(hostOf(href), true)).toBe(true);
  });

  it.each([
    "http://127.0.0.1/",
    "http://127.9.9.9/",
    "http://[::1]/",
    "http://0.0.0.0/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
  ])("is asked at %s only where the upstream itself is there", (href) => {
    expect(isForbiddenHost(hostOf(href), false)).toBe(true);
    expect(isForbiddenHost(hostOf(href), true)).toBe(false);
    expect(isLoopbackHost(hostOf(href))).toBe(true);
  });

  it("may be of a private network, where an upstream's own store is", () => {
    for (const host of ["10.1.2.3", "192.168.1.1", "172.16.0.1"]) expect(isForbiddenHost(host, false)).toBe(false);
    expect(isForbiddenHost("store.example", false)).toBe(false);
    expect(isLoopbackHost("store.example")).toBe(false);
  });

  it("is judged again when its name is resolved", () => {
    expect(isForbiddenAddress("169.254.169.254", true)).toBe(true);
    expect(isForbiddenAddress("fe80::1%eth0", true)).toBe(true);
    expect(isForbiddenAddress("127.0.0.1", false)).toBe(true);
    expect(isForbiddenAddress("192.0.2.1", false)).toBe(false);
  });
});

describe("headers for an object", () => {
  it("are taken in lower case, without what frames a message or says whom it is for", () => {
    const given = {
      Authorization: "Bearer x",
      "X-Amz-Date": "20260101T000000Z",
      Host: "internal",
      "Content-Length": "5",
      Connection: "close",
      "Transfer-Encoding": "chunked",
      Expect: "100-continue",
      Range: "bytes=0-1",
    };
    expect(parseStorageHeaders(given)).toEqual({
      ok: true,
      value: { headers: { authorization: "Bearer x", "x-amz-date": "20260101T000000Z" }, isChunked: true },
    });
  });

  it.each<Record<string, string>>([
    { "X-A": "b\r\nX-C: d" },
    { "X-A": "b\nc" },
    { "X-A": "b\0c" },
    { "X-A": "ü" },
    { "X A": "b" },
    { "X-A:": "b" },
    { "": "b" },
    { "X-A": "b".repeat(9_000) },
  ])("are refused as a whole with %j", (given) => {
    expect(parseStorageHeaders(given)).toMatchObject({ ok: false });
  });
});
