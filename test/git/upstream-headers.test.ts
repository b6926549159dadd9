import { describe, expect, it } from "vitest";
import { clientResponseHeaders, upstreamRequestHeaders } from "../../src/git/upstream-headers.ts";
import { rewriteLocation } from "../../src/git/upstream-answer.ts";

const client = {
  host: "gateway",
  authorization: "Basic Z2F0ZXdheQ==",
  cookie: "a=b",
  "sallyport-token": "gho_secret",
  "user-agent": "git/2.39.5",
  "accept-language": "de",
  "git-protocol": "version=2",
  connection: "keep-alive, X-Private",
  "x-private": "hop",
  "x-custom": "theirs",
  "remote-user": "root",
  "x-forwarded-user": "root",
  "x-original-url": "/other",
  "transfer-encoding": "chunked",
  "content-type": "application/x-evil",
  expect: "100-continue",
};
const service = "git-upload-pack";
const userAgent = "sallyport/1 (gateway-internal)";

describe("upstreamRequestHeaders", () => {
  it("under a credential of the gateway's, sends named headers only", () => {
    const credential = { kind: "basic", username: "g", password: "p" } as const;
    expect(upstreamRequestHeaders({ credential, client, service, userAgent })).toEqual({
      "user-agent": "git/2.39.5",
      "accept-language": "de",
      "git-protocol": "version=2",
      authorization: "Basic Zzpw",
    });
  });

  it("sends no credential at all where there is none", () => {
    const headers = upstreamRequestHeaders({ credential: { kind: "none" }, client, service, userAgent });
    expect(headers).not.toHaveProperty("authorization");
    expect(headers).not.toHaveProperty("cookie");
  });

  it("never asks receive-pack for a protocol version", () => {
    const credential = { kind: "bearer", token: "t" } as const;
    const headers = upstreamRequestHeaders({ credential, client, service: "git-receive-pack", userAgent });
    expect(headers).not.toHaveProperty("git-protocol");
    expect(headers["authorization"]).toBe("Bearer t");
  });

  it("with passthrough, sends the client's own, but neither the gateway's token nor what changes the request", () => {
    expect(upstreamRequestHeaders({ credential: { kind: "passthrough" }, client, service, userAgent })).toEqual({
      authorization: client.authorization,
      cookie: "a=b",
      "user-agent": "git/2.39.5",
      "accept-language": "de",
      "git-protocol": "version=2",
      "x-custom": "theirs",
      "remote-user": "root",
    });
  });

  it.each([
    ["a=b; c=d", "a=b; c=d"],
    ["sallyport=secret; a=b", "a=b"],
    ["a=b;__Host-sallyport=secret ; c=d; sallyport-form=x", "a=b; c=d"],
    ["sallyport=secret", undefined],
    ["not-sallyport=b", "not-sallyport=b"],
  ])("with passthrough, never sends the gateway's own cookies: %j", (cookie, expected) => {
    const credential = { kind: "passthrough" } as const;
    expect(upstreamRequestHeaders({ credential, client: { cookie }, service, userAgent })["cookie"]).toBe(expected);
  });

  it("names the gateway in its own requests", () => {
    const headers = upstreamRequestHeaders({ credential: { kind: "none" }, client: null, service, userAgent });
    expect(headers).toEqual({ "user-agent": userAgent });
  });
});

describe("clientResponseHeaders", () => {
  const upstream = {
    "content-type": "application/x-git-upload-pack-result",
    "content-length": "12",
    "www-authenticate": "Basic",
    "set-cookie": ["a=b"],
    "alt-svc": 'h3=":443"',
    location: "https://elsewhere/",
    connection: "close, x-hop",
    "x-hop": "1",
    "transfer-encoding": "chunked",
  };

  it("takes off what is between upstream and gateway", () => {
    expect(clientResponseHeaders(upstream, { isPassthrough: false, isRewritten: false })).toEqual({
      "content-type": "application/x-git-upload-pack-result",
      "content-length": "12",
    });
    expect(clientResponseHeaders(upstream, { isPassthrough: true, isRewritten: true })).toEqual({
      "content-type": "application/x-git-upload-pack-result",
      "www-authenticate": "Basic",
      "set-cookie": ["a=b"],
    });
  });

  it.each(["text/html", "image/svg+xml", "application/x-git-pack, text/html", undefined])(
    "lets nothing of the type %s run in the gateway's origin",
    (type) => {
      const theirs = {
        ...(type === undefined ? {} : { "content-type": type }),
        "content-security-policy": "default-src *",
      };
      expect(clientResponseHeaders(theirs, { isPassthrough: true, isRewritten: false })).toMatchObject({
        "content-security-policy": "sandbox",
        "x-content-type-options": "nosniff",
      });
    },
  );
});

it("lets no upstream set the gateway's own cookies", () => {
  const options = { isPassthrough: true, isRewritten: false };
  const setCookie = ["__Host-sallyport=theirs; Path=/", "a=b", "sallyport-form=x"];
  expect(clientResponseHeaders({ "set-cookie": setCookie }, options)["set-cookie"]).toEqual(["a=b"]);
  expect(clientResponseHeaders({ "set-cookie": ["sallyport=x"] }, options)["set-cookie"]).toBeUndefined();
});

describe("rewriteLocation", () => {
  const context = {
    asked: new URL("https://up.example/base/old/info/refs?service=git-upload-pack"),
    base: new URL("https://up.example/base/"),
    connection: "code",
    prefix: "/u/t",
  };

  it.each([
    [
      "https://up.example/base/new.git/info/refs?service=git-upload-pack",
      "/u/t/git/code/new.git/info/refs?service=git-upload-pack",
    ],
    ["/base/a/b/info/refs?x", "/u/t/git/code/a/b/info/refs?x"],
    ["../../new/git-upload-pack", "/u/t/git/code/new/git-upload-pack"],
  ])("leads %s back through the gateway", (location, rewritten) => {
    expect(rewriteLocation(location, context)).toEqual({ ok: true, value: rewritten });
  });

  it.each([
    ["/base/new/HEAD", "/u/t/git/code/new/HEAD"],
    ["/base/new/objects/info/packs", "/u/t/git/code/new/objects/info/packs"],
  ])("leads %s back through the gateway where a file was asked for", (location, rewritten) => {
    expect(rewriteLocation(location, { ...context, isFile: true })).toEqual({ ok: true, value: rewritten });
    expect(rewriteLocation(location, context)).toMatchObject({ ok: false });
  });

  it.each([
    "https://other.example/base/x/info/refs",
    "http://up.example/base/x/info/refs",
    "//other.example/base/x/info/refs",
    "https://up.example/elsewhere/x/info/refs",
    "https://up.example/base/../elsewhere/x/info/refs",
    "https://up.example/base/login",
    "http://[",
    "",
  ])("refuses %j", (location) => {
    expect(rewriteLocation(location, context)).toMatchObject({ ok: false });
    expect(rewriteLocation(location, { ...context, isFile: true })).toMatchObject({ ok: false });
  });
});
