import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { openHttpServer } from "../src/http-server.ts";
import { makeCertificate, type Certificate } from "./harness/certificate.ts";

async function directory() {
  const path = await mkdtemp(join(tmpdir(), "sallyport-tls-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  const files = { certificate: join(path, "gateway.crt"), key: join(path, "gateway.key") };
  const put = async (pair: Certificate) => {
    // Moved into place, as certificate tools do.
    await writeFile(`${files.key}.new`, pair.key);
    await rename(`${files.key}.new`, files.key);
    await writeFile(`${files.certificate}.new`, pair.certificate);
    await rename(`${files.certificate}.new`, files.certificate);
  };
  return { files, put };
}

async function serve(files: { certificate: string; key: string }, watchMs = 60_000) {
  const server = await openHttpServer({ host: "127.0.0.1", port: 0 }, files, watchMs);
  onTestFinished(() => server.close(0));
  server.handle((_request, response) => response.end("hello"));
  return { server, port: Number(new URL(server.address).port) };
}

const fetchText = (port: number, ca: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, ca, servername: "gateway.test", agent: false as const };
    get(options, (answer) => {
      answer.setEncoding("utf8");
      answer.once("data", (text: string) => resolve(`${answer.httpVersion} ${text}`));
    }).once("error", reject);
  });

const shownSubject = async (port: number): Promise<string> => {
  const socket: TLSSocket = connect({ host: "127.0.0.1", port, servername: "a", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const fingerprint = socket.getPeerCertificate().fingerprint256;
  socket.destroy();
  return fingerprint;
};

test("answers HTTP/1.1 over TLS, also to clients that offer HTTP/2", async () => {
  const { files, put } = await directory();
  const pair = makeCertificate({ names: ["gateway.test"] });
  await put(pair);
  const { server, port } = await serve(files);
  expect(server.address).toBe(`https://127.0.0.1:${port}`);
  expect(await fetchText(port, pair.certificate)).toBe("1.1 hello");
  const socket = connect({ host: "127.0.0.1", port, ALPNProtocols: ["h2", "http/1.1"], rejectUnauthorized: false });
  await once(socket, "secureConnect");
  expect(socket.alpnProtocol).toBe("http/1.1");
  socket.destroy();
});

test("takes a new pair when it is told to, and keeps the old one where the new one is no good", async () => {
  const { files, put } = await directory();
  await put(makeCertificate({ names: ["gateway.test"] }));
  const { server, port } = await serve(files);
  const first = await shownSubject(port);

  await put(makeCertificate({ names: ["gateway.test"], to: new Date("2100-01-02T00:00:00Z") }));
  expect(await server.reloadTls()).toEqual({ ok: true, value: new Date("2100-01-02T00:00:00Z") });
  const second = await shownSubject(port);
  expect(second).not.toBe(first);

  await writeFile(files.certificate, "nothing");
  const refused = await server.reloadTls();
  expect(refused.ok ? "" : refused.error).toContain("gateway.crt holds no certificate");
  expect(await shownSubject(port)).toBe(second);
});

test("hears when the files change", async () => {
  const { files, put } = await directory();
  await put(makeCertificate({ names: ["gateway.test"] }));
  const { server, port } = await serve(files, 20);
  const first = await shownSubject(port);
  server.watchTls(() => void server.reloadTls());
  await put(makeCertificate({ names: ["gateway.test"] }));
  await expect.poll(() => shownSubject(port)).not.toBe(first);
});

test("does not start with files that it cannot use", async () => {
  const { files } = await directory();
  await expect(openHttpServer({ host: "127.0.0.1", port: 0 }, files)).rejects.toThrow(
    /gateway\.crt cannot be used: there is no such file.*gateway\.key cannot be used/,
  );
});
