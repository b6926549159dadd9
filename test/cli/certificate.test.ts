/** What the commands make of `tls:`: who serves needs a certificate that is good now, and nobody else does. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { join } from "node:path";
import { connect } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { directoryWith } from "../config/files.ts";
import { makeCertificate, type Certificate } from "../harness/certificate.ts";
import { testDatabase } from "../harness/database.ts";
import { startGatewayProcess } from "../harness/gateway-process.ts";
import { ONE_RULE, run } from "./command-io.ts";

const DAY_MS = 86_400_000;
const YAML = "secrets: { rules: [./rules.yaml] }\ntls: { certificate: ./gateway.crt, key: ./gateway.key }\n";
const endingIn = (days: number): Certificate =>
  makeCertificate({
    names: ["gateway.example"],
    from: new Date(Date.now() - 90 * DAY_MS),
    to: new Date(Date.now() + (days + 0.5) * DAY_MS),
  });
const directoryFor = ({ certificate, key }: Certificate) =>
  directoryWith({ "rules.yaml": ONE_RULE, "c.yaml": YAML, "gateway.crt": certificate, "gateway.key": key });

describe("a certificate", () => {
  test("that has expired keeps the gateway from starting, and no other command from its work", async () => {
    const cwd = await directoryFor(endingIn(-3));
    const database = await testDatabase();
    const env = { DATABASE_URL: database.url, SALLYPORT_CONFIG: join(cwd, "c.yaml"), PATH: process.env["PATH"] };
    const serve = await run(["serve"], { cwd, env });
    expect([serve.code, serve.err]).toEqual([
      1,
      expect.stringMatching(/c\.yaml:2:\d+: tls\.certificate: .*expired on/),
    ]);
    const check = await run(["check"], { cwd, env });
    expect([check.code, check.out]).toEqual([1, expect.stringMatching(/expired on .*; renew it/)]);

    const made = await run(["token", "create", "--user", "ana@example.com", "--name", "laptop"], { cwd, env });
    expect([made.code, made.out]).toEqual([0, expect.stringMatching(/^gho_\w{49}\n$/)]);
    expect((await run(["token", "revoke", "laptop"], { cwd, env })).code).toBe(0);
    expect(await run(["setup"], { cwd, env })).toMatchObject({ code: 0, err: "" });
  });

  test.each([
    [3, /^ {2}certificate {2}WARNING: good until \d{4}-\d\d-\d\d only, 3 days from now; renew it$/m],
    [1, /1 day from now/],
    [60, /^ {2}certificate {2}good until \d{4}-\d\d-\d\d$/m],
  ])("that is good for %d days is told by check, with a warning where that is soon", async (days, line) => {
    const cwd = await directoryFor(endingIn(days));
    const { code, out } = await run(["check", "--config", "c.yaml"], { cwd });
    expect([code, out]).toEqual([0, expect.stringMatching(line)]);
  });
});

test("SIGHUP makes a running gateway read its certificate again", async () => {
  const cwd = await directoryFor(endingIn(30));
  const database = await testDatabase();
  let log = "";
  const gateway = await startGatewayProcess({
    configFile: join(cwd, "c.yaml"),
    env: {
      DATABASE_URL: database.url,
      SALLYPORT_LISTEN: "127.0.0.1:0",
      SALLYPORT_DATA: join(cwd, "data"),
      PATH: process.env["PATH"],
    },
    onLog: (text) => (log += text),
  });
  onTestFinished(() => gateway.close());
  const pid = Number(await readFile(join(cwd, "data", "gateway.pid"), "utf8"));
  const shown = async (): Promise<string> => {
    const socket = connect({
      host: "127.0.0.1",
      port: Number(new URL(gateway.address).port),
      rejectUnauthorized: false,
    });
    await once(socket, "secureConnect");
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  const first = await shown();

  // Nothing has changed, so that it is the signal alone that was heard: changes it would notice by itself.
  process.kill(pid, "SIGHUP");
  await expect.poll(() => log).toContain("the TLS certificate was read again");
  expect(await shown()).toBe(first);

  const next = endingIn(60);
  for (const [name, text] of Object.entries({ "gateway.key": next.key, "gateway.crt": next.certificate })) {
    await writeFile(join(cwd, `${name}.new`), text);
    await rename(join(cwd, `${name}.new`), join(cwd, name));
  }
  process.kill(pid, "SIGHUP");
  await expect.poll(shown).not.toBe(first);
});
