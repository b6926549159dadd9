/**
 * A gateway that has a name and speaks TLS, as clients want it of a GitHub host, and before which people sign in at a real identity
 * provider. Nothing resolves the name: clients reach it through a proxy, the browser by a connection of its own.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { makeCertificate } from "./certificate.ts";
import { startOidcProvider } from "./oidc-provider.ts";
import { startOutside, type Outside } from "./outside.ts";
import { WebBrowser } from "./web-browser.ts";
import { startWorld, type World } from "./world.ts";

const HOST = "sallyport.test";

export interface NamedGateway {
  readonly world: World;
  /** `https://…`, without a slash at the end. */
  readonly url: string;
  /** PEM, for clients to trust. */
  readonly certificateFile: string;
  readonly outside: Outside;
  /** A browser in which an account of the provider is signed in at the gateway. */
  browser(account: string): Promise<WebBrowser>;
  /** What the provider says of an account, signed: a credential by itself. */
  jwt(account: keyof typeof ACCOUNTS): Promise<string>;
  /** What a person does with a code that their client shows: types it, reads, and clicks. */
  approve(browser: WebBrowser, code: string): Promise<void>;
}

/** Ana and Ben are in `eng`, who may use Copilot; Guest is not. */
const ACCOUNTS = {
  ana: { email: "ana@example.com", email_verified: true, groups: ["eng"] },
  ben: { email: "ben@example.com", email_verified: true, groups: ["eng"] },
  guest: { email: "guest@example.com", email_verified: true, groups: ["guests"] },
};

export async function startNamedGateway(): Promise<NamedGateway> {
  const directory = await mkdtemp(join(tmpdir(), "sallyport-named-"));
  const provider = await startOidcProvider({ accounts: ACCOUNTS });
  onTestFinished(async () => {
    await provider.close();
    await rm(directory, { recursive: true, force: true });
  });
  const pair = makeCertificate({ names: [HOST, `api.${HOST}`] });
  const files = { certificate: join(directory, "gateway.crt"), key: join(directory, "gateway.key") };
  await writeFile(files.certificate, pair.certificate);
  await writeFile(files.key, pair.key);
  const url = `https://${HOST}`;
  const world = await startWorld({ provider, config: { tls: files, publicUrl: url }, copilotAllow: ["eng"] });
  provider.register(url);
  const port = Number(new URL(world.url).port);
  const outside = await startOutside(new Map([HOST, `api.${HOST}`].map((name) => [`${name}:443`, port])));

  const named = (target: URL, init: RequestInit): Promise<Response> =>
    target.hostname === HOST ? fetchNamed(target, init, { port, ca: pair.certificate }) : fetch(target, init);

  return {
    world,
    url,
    certificateFile: files.certificate,
    outside,
    browser: async (account) => {
      const browser = new WebBrowser(named);
      await browser.signIn(url, account);
      return browser;
    },
    jwt: (account) => provider.sign({ sub: account, ...ACCOUNTS[account] }),
    approve: async (browser, code) => {
      await browser.open(`${url}/login/device`);
      const consent = await browser.submit("/login/device", { code });
      if (!consent.html.includes(code)) throw new Error(`no consent is asked for: ${consent.html}`);
      const done = await browser.submit("/login/device/", { decision: "approve" });
      if (!done.html.includes("Signed in")) throw new Error(`the sign-in was not approved: ${done.html}`);
    },
  };
}

/** `fetch`, with the name leading to the loopback and the certificate trusted. */
function fetchNamed(url: URL, init: RequestInit, { port, ca }: { port: number; ca: string }): Promise<Response> {
  const headers = Object.fromEntries(new Headers(init.headers));
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: "127.0.0.1",
        port,
        ca,
        servername: url.hostname,
        method: init.method ?? "GET",
        path: url.pathname + url.search,
        headers: { ...headers, host: url.host },
        agent: false,
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.once("error", reject);
        answer.once("end", () => {
          const pairs: [string, string][] = [];
          for (let at = 0; at + 1 < answer.rawHeaders.length; at += 2) {
            pairs.push([answer.rawHeaders[at] ?? "", answer.rawHeaders[at + 1] ?? ""]);
          }
          const status = answer.statusCode ?? 500;
          const body = status === 204 || status === 304 ? null : Buffer.concat(chunks);
          resolve(new Response(body, { status, headers: pairs }));
        });
      },
    );
    sent.once("error", reject);
    sent.end(typeof init.body === "string" ? init.body : undefined);
  });
}
