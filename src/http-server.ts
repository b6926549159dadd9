/**
 * The gateway's socket: bound first, so that a taken port is told before anything else is started, and links know the port.
 * HTTP/1.1, plain or over TLS from a certificate and a key file, which are read again when they change.
 */
import { once } from "node:events";
import { unwatchFile, watchFile } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { formatListen } from "./config.ts";
import { readTlsPair, type TlsFiles, type TlsPair } from "./config/tls.ts";
import type { ListenAddress } from "./config/values.ts";
import { err, GatewayError, ok, type Result } from "./errors.ts";
import { STREAMING_SERVER_OPTIONS } from "./web/node-adapter.ts";
import { createUpgrades, type UpgradeListener } from "./web/upgrades.ts";

export interface HttpServer {
  /** Where it listens, as a URL without a final slash. */
  readonly address: string;
  /** Who answers from now on; until then requests are told to come again. */
  handle(listener: RequestListener, onUpgrade?: UpgradeListener): void;
  /**
   * Reads certificate and key again, for connections from now on. What cannot be used changes nothing.
   * @returns the day on which the certificate in use expires, null over plain HTTP; or what is wrong with the files
   */
  reloadTls(): Promise<Result<Date | null, string>>;
  /** Calls `changed` when one of the two files has changed. */
  watchTls(changed: () => void): void;
  /** Takes no new connections; requests under way have `drainMs` to end. */
  close(drainMs: number): Promise<void>;
}

/** Asked by name, as the file may be replaced, or be a link to another each time: what is watched of either would be gone. */
const WATCH_MS = 10_000;

const notReady: RequestListener = (_request, response) => {
  response.writeHead(503, { "content-type": "text/plain; charset=utf-8", "retry-after": "1" });
  response.end("Sallyport is starting; try again in a second.\n");
};

const secureContext = ({ certificate, key }: TlsPair) => ({ cert: certificate, key, minVersion: "TLSv1.2" as const });

async function readPair(files: TlsFiles): Promise<Result<TlsPair, string>> {
  const pair = await readTlsPair(files, new Date());
  return pair.ok ? pair : err(pair.error.map(({ message }) => message).join("; "));
}

/** @throws GatewayError `config_invalid` when the address cannot be listened on, or the TLS files cannot be used */
export async function openHttpServer(
  { host, port }: ListenAddress,
  tls: TlsFiles | null = null,
  watchMs: number = WATCH_MS,
): Promise<HttpServer> {
  let listener = notReady;
  const onRequest: RequestListener = (request, response) => listener(request, response);
  let plain: Server | null = null;
  let secure: TlsServer | null = null;
  if (tls === null) plain = createServer(STREAMING_SERVER_OPTIONS, onRequest);
  else {
    const pair = await readPair(tls);
    if (!pair.ok) throw new GatewayError("config_invalid", pair.error);
    // HTTP/1.1 alone: git, WebSockets and token streams are at home there, and Node's HTTP/2 has other request objects.
    const options = { ...STREAMING_SERVER_OPTIONS, ...secureContext(pair.value), ALPNProtocols: ["http/1.1"] };
    secure = createTlsServer(options, onRequest);
  }
  const server: Server = plain ?? (secure as unknown as Server);
  const upgrades = createUpgrades(onRequest);
  server.on("upgrade", upgrades.onUpgrade);
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError(
      "config_invalid",
      `cannot listen on ${formatListen({ host, port })} (${why}): stop what listens there, or set SALLYPORT_LISTEN`,
      { cause },
    );
  }
  const watched = tls === null ? [] : [tls.certificate, tls.key];
  let unwatch = (): void => {};
  return {
    address: `${tls === null ? "http" : "https"}://${formatListen({ host, port: (server.address() as AddressInfo).port })}`,
    handle: (next, onUpgrade) => {
      listener = next;
      if (onUpgrade !== undefined) upgrades.handle(onUpgrade);
    },
    reloadTls: async () => {
      if (tls === null || secure === null) return ok(null);
      const pair = await readPair(tls);
      if (!pair.ok) return pair;
      secure.setSecureContext(secureContext(pair.value));
      return ok(new Date(pair.value.leaf.validTo));
    },
    watchTls: (changed) => {
      const heard = (): void => changed();
      for (const file of watched) watchFile(file, { interval: watchMs, persistent: false }, heard);
      unwatch = () => watched.forEach((file) => unwatchFile(file, heard));
    },
    close: (drainMs) =>
      new Promise((resolve) => {
        unwatch();
        const timer = setTimeout(() => {
          server.closeAllConnections();
          upgrades.closeAllConnections();
        }, drainMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
        upgrades.closeIdleConnections();
      }),
  };
}
