import { describe, expect, it } from "vitest";
import { makeCertificate } from "../harness/certificate.ts";
import { loaded, mistakes } from "./files.ts";

const YAML = "tls: { certificate: ./certs/gateway.crt, key: ./certs/gateway.key }\n";
const good = makeCertificate({ names: ["gateway.example"] });
const DAY_MS = 86_400_000;

const told = (files: Record<string, string>) => mistakes({ files: { "config.yaml": YAML, ...files }, readsTls: true });
const pair = (certificate: string, key: string) => ({ "certs/gateway.crt": certificate, "certs/gateway.key": key });

describe("tls:", () => {
  it("names files beside the configuration, and makes the address https", async () => {
    const config = await loaded({ files: { "config.yaml": YAML, ...pair(good.certificate, good.key) } });
    expect(config.tls?.certificate).toMatch(/\/certs\/gateway\.crt$/);
    expect(config.publicUrl).toBe("https://127.0.0.1:8080");
  });

  it("is read by who serves alone: a missing key, or an old certificate, is nothing to other commands", async () => {
    const config = await loaded({ files: { "config.yaml": YAML } });
    expect(config.tls?.key).toMatch(/\/certs\/gateway\.key$/);
  });

  it("is refused where a file is missing, each told by itself", async () => {
    const [first = "", second = ""] = await told({});
    expect(first).toMatch(/config\.yaml:1:\d+: tls\.certificate: .*gateway\.crt cannot be used: there is no such file/);
    expect(second).toMatch(/config\.yaml:1:\d+: tls\.key: .*gateway\.key cannot be used: there is no such file/);
  });

  it("is refused where the files hold something else", async () => {
    const [first = "", second = ""] = await told(pair("hello", "hello"));
    expect(first).toContain("gateway.crt holds no certificate in PEM form");
    expect(second).toContain("gateway.key holds no private key in PEM form");
  });

  it("is refused where the key belongs to another certificate", async () => {
    const other = makeCertificate({ names: ["gateway.example"] });
    const [only = "", ...rest] = await told(pair(good.certificate, other.key));
    expect(only).toMatch(/tls\.key: .*gateway\.key is not the key of the certificate in .*gateway\.crt/);
    expect(rest).toEqual([]);
  });

  it("is refused where the certificate has expired, or is not valid yet", async () => {
    const now = Date.now();
    const old = makeCertificate({ names: ["a"], from: new Date(now - 9 * DAY_MS), to: new Date(now - 2 * DAY_MS) });
    expect((await told(pair(old.certificate, old.key))).join()).toMatch(
      /gateway\.crt expired on \d{4}-\d\d-\d\d; renew/,
    );
    const early = makeCertificate({ names: ["a"], from: new Date(now + 2 * DAY_MS), to: new Date(now + 9 * DAY_MS) });
    expect((await told(pair(early.certificate, early.key))).join()).toContain("is valid from");
  });

  it("is refused where the key needs a passphrase", async () => {
    const locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    expect((await told(pair(good.certificate, locked))).join()).toContain("is encrypted with a passphrase");
  });

  it("repeats nothing of what the files hold", async () => {
    const text = (await told(pair(good.key, good.key))).join();
    expect(text).toContain("holds no certificate");
    expect(text).not.toContain(good.key.split("\n")[1]);
  });
});
