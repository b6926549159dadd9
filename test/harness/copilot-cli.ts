/**
 * The unmodified Copilot CLI, run so that nothing leaves the loopback: whatever is not meant for it goes to a proxy that refuses and
 * remembers it.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { CLIENT_CACHE, fetchClient, runClient, type ClientRun } from "./fetch-client.ts";
import type { NamedGateway } from "./named-gateway.ts";
import { startOutside, type Outside } from "./outside.ts";

export const COPILOT_CLI_VERSION = "1.0.102";

export type CliRun = ClientRun;

export interface CopilotCli {
  /** A directory of its own, in which it works. */
  readonly directory: string;
  /** What it wanted to reach outside of the loopback; all of it was refused. */
  readonly refused: readonly string[];
  /** One prompt, without asking anything; `--continue` and the like go into `flags`. */
  prompt(text: string, flags?: readonly string[], settings?: Readonly<Record<string, string>>): Promise<CliRun>;
}

export interface SignedInCopilotCli extends CopilotCli {
  /** `copilot login`, with somebody who does what it says. @param approve gets the code that it shows. @param signal ends it */
  login(approve: (code: string) => Promise<void>, signal?: AbortSignal): Promise<CliRun>;
  /** The same through the browser on this machine. @param visit gets the link that it opens */
  webLogin(visit: (link: string) => Promise<void>): Promise<CliRun>;
}

/**
 * Ready to run against a gateway, with a home of its own; everything is removed when the test ends.
 * @param apiUrl `<gateway>/copilot/<connection>`
 */
export async function startCopilotCli(apiUrl: string, token: string): Promise<CopilotCli> {
  return start(await startOutside(), { COPILOT_API_URL: apiUrl, COPILOT_GITHUB_TOKEN: token });
}

/** The same before anybody has signed in: it knows the gateway's name alone. */
export async function startCopilotCliAt(gateway: NamedGateway): Promise<SignedInCopilotCli> {
  const { run, ...cli } = await start(gateway.outside, {
    NODE_EXTRA_CA_CERTS: gateway.certificateFile,
    SSL_CERT_FILE: gateway.certificateFile,
  });
  /** Once what it writes holds what a person needs, the person does their part. */
  const loginWith = (
    flags: readonly string[],
    shows: RegExp,
    act: (shown: string) => Promise<void>,
    signal?: AbortSignal,
  ) => {
    let written = "";
    let acting: Promise<void> | null = null;
    return run(
      ["login", "--host", gateway.url, ...flags],
      (text) => {
        written += text;
        const shown = shows.exec(written)?.[0];
        if (shown === undefined || acting !== null) return;
        acting = act(shown);
        // Left alone, the client waits until its time is up: what went wrong should be seen before.
        acting.catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
      },
      {},
      signal,
    );
  };
  return {
    ...cli,
    login: (approve, signal) => loginWith(["--device-code"], /\b[B-Z]{4}-[B-Z]{4}\b/, approve, signal),
    webLogin: (visit) => loginWith(["--web-flow"], /https:\S+\/login\/oauth\/authorize\?\S+(?=\s)/, visit),
  };
}

async function start({ proxyUrl, refused }: Outside, settings: Readonly<Record<string, string>>) {
  const name = "copilot-cli";
  const launcher = await fetchClient(name, "@github/copilot", COPILOT_CLI_VERSION, "npm-loader.js");
  const root = await mkdtemp(join(tmpdir(), "sallyport-copilot-cli-"));
  const directory = join(root, "work");
  const configuration = join(root, "home", ".copilot");
  await mkdir(directory);
  await mkdir(configuration, { recursive: true });
  // There is no keychain here, and nobody to ask whether a file will do.
  await writeFile(join(configuration, "settings.json"), JSON.stringify({ storeTokenPlaintext: true }));
  onTestFinished(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
    HOME: join(root, "home"),
    COPILOT_HOME: configuration,
    // It unpacks itself into its cache: kept between runs, beside the package.
    XDG_CACHE_HOME: join(CLIENT_CACHE, `${name}-${COPILOT_CLI_VERSION}-unpacked`),
    XDG_CONFIG_HOME: join(root, "config"),
    XDG_DATA_HOME: join(root, "data"),
    XDG_STATE_HOME: join(root, "state"),
    TMPDIR: root,
    CI: "true",
    COPILOT_AUTO_UPDATE: "false",
    HTTP_PROXY: proxyUrl,
    HTTPS_PROXY: proxyUrl,
    NO_PROXY: "127.0.0.1",
    NO_COLOR: "1",
    ...settings,
  };
  const quiet = ["--disable-client-telemetry", "--no-auto-update", "--disable-builtin-mcps", "--allow-all-tools"];
  const run = (
    args: readonly string[],
    onText: (text: string) => void = () => {},
    more: Readonly<Record<string, string>> = {},
    signal?: AbortSignal,
  ): Promise<CliRun> =>
    runClient(process.execPath, [launcher, ...args], {
      cwd: directory,
      env: { ...env, ...more },
      onText,
      ...(signal === undefined ? {} : { signal }),
    });
  return {
    directory,
    refused,
    run,
    prompt: (text: string, flags: readonly string[] = [], more: Readonly<Record<string, string>> = {}) =>
      run(["-p", text, ...quiet, ...flags], () => {}, more),
  };
}
