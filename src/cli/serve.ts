import { setFlagsFromString } from "node:v8";
import { openConfig, type Config } from "../config.ts";
import type { Environment } from "../config/secret-source.ts";
import { createLogger } from "../log.ts";
import type { Connection } from "../model/connection.ts";
import { createDetector } from "../secrets/detector.ts";
import { createScanner } from "../secrets/scanner.ts";
import type { Command } from "./command.ts";
import { loadConfigOrTell, readRules, tellMistakes } from "./load-config.ts";
import { configOption, parseOptions } from "./parse-options.ts";
import { checkNoOtherGateway, removePidFile, writePidFile } from "./pid-file.ts";
import { readVersion } from "./version.ts";

export const serve: Command = {
  help: `Usage: sallyport serve [--config FILE|DIR]…

Runs the gateway until it is told to stop (SIGINT, SIGTERM). Its process id is in gateway.pid in the data directory.
With tls: in the configuration, SIGHUP makes it read certificate and key again; it does so by itself when they change.
The log goes to stderr: JSON lines, or short ones on a terminal.

  --config FILE|DIR   instead of SALLYPORT_CONFIG or the default in policies/; of a directory, all *.yaml in
                      order of their names; may be given several times

Environment:
  SALLYPORT_CONFIG      a file or directory of configuration
  SALLYPORT_LISTEN      host:port; wins over the configuration's
  SALLYPORT_PUBLIC_URL  how people reach it; wins over the configuration's
  SALLYPORT_DATA        the data directory (default .sallyport)
  DATABASE_URL          a PostgreSQL (15 or later); absent: an embedded one in the data directory
`,
  async run(args, io) {
    const { values } = parseOptions(args, configOption);
    const { stop } = io;
    // What a large push leaves behind is collected at twice what is in use, not at four times: a third less memory, as fast.
    setFlagsFromString("--heap-growing-percent=100");
    const loaded = await loadConfigOrTell(values.config ?? [], io, io.stderr, { readsTls: true });
    if (loaded === null) return 1;
    // Their examples are run by `check` and by the tests; here they would only make the start slower.
    const { rules, mistakes } = readRules(loaded.secretRules, { examples: false });
    if (mistakes.length > 0) {
      tellMistakes(mistakes, io.stderr);
      return 1;
    }
    const config = await openConfig(loaded);
    const scanner = createScanner(createDetector(rules), config.key);
    const log = createLogger({ stream: io.stderr, mask: (text) => scanner.mask(text).text });
    await checkNoOtherGateway(config.dataDir, io.pid);
    const { startGateway } = await import("../gateway.ts");
    const gateway = await startGateway({
      config,
      scanner,
      rules,
      environment: io.env,
      version: await readVersion(),
      log,
    });
    // Without TLS there is nothing to read again, and a terminal that is closed ends the gateway as it ends others.
    const unhear = config.tls === null ? () => {} : io.onHangup(() => gateway.reload());
    try {
      await writePidFile(config.dataDir, io.pid);
      io.stdout.write(renderBanner(config, gateway.address, setElsewhere(values.config ?? [], io.env)));
      await untilStopped(stop);
    } finally {
      unhear();
      await gateway.close();
      await removePidFile(config.dataDir, io.pid);
    }
    return 0;
  },
};

const untilStopped = (stop: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (stop.aborted) resolve();
    else stop.addEventListener("abort", () => resolve(), { once: true });
  });

/** Under `passthrough` the client's own header is the upstream's, so that the gateway's token goes by the path. */
const copilotPath = ({ name, credential }: Connection): string =>
  `${credential.kind === "passthrough" ? "/u/<token>" : ""}/copilot/${name}`;

/** A group that decides on pushes: without one, nobody can approve anything. */
function groupsOption({ pushes }: Config): string {
  const approvers = pushes.flatMap(({ protect, secretsHold }) => [
    ...protect.flatMap((rule) => rule.approvers),
    ...(secretsHold?.approvers ?? []),
  ]);
  const group = approvers.find((name) => name !== "*" && !name.startsWith("user:"));
  return group === undefined ? "" : ` --groups ${group}`;
}

/** What says which gateway a command is for: without them it is for the default one, and does not notice. */
const NAMES_THE_GATEWAY = [
  "SALLYPORT_CONFIG",
  "SALLYPORT_LISTEN",
  "SALLYPORT_PUBLIC_URL",
  "SALLYPORT_DATA",
  "DATABASE_URL",
];

/** Names alone: a database's address may hold a password. */
const setElsewhere = (config: readonly string[], env: Environment): readonly string[] => [
  ...NAMES_THE_GATEWAY.filter(
    (name) => (env[name] ?? "") !== "" && !(name === "SALLYPORT_CONFIG" && config.length > 0),
  ),
  ...config.map((path) => `--config ${path}`),
];

/**
 * What a newcomer needs next.
 * @param elsewhere what the commands need in another terminal to be for this gateway
 */
export function renderBanner(config: Config, address: string, elsewhere: readonly string[] = []): string {
  const listening = /^https?:/.test(address) ? address : `http://${address}`;
  // Port 0 is known only now.
  const publicUrl = config.publicUrl.endsWith(":0") ? listening : config.publicUrl;
  const connections = [...config.connections.values()];
  const git = connections.find(({ kind }) => kind === "git");
  const copilot = connections.find(({ kind }) => kind === "copilot");
  const lines: readonly (readonly [string, string])[] = [
    ["listens on", listening],
    ...(publicUrl === listening ? [] : [["reached as", publicUrl] as const]),
    ["pages", `${publicUrl}/`],
    ["configuration", config.sources.join(", ")],
    ["data", config.dataDir],
    ["a token", `npx sallyport token create --user you@example.com${groupsOption(config)}`],
    ...(git === undefined ? [] : [["git remote", `${publicUrl}/git/${git.name}/<path>.git`] as const]),
    ...(copilot === undefined ? [] : [["Copilot", publicUrl + copilotPath(copilot)] as const]),
    ...(connections.length === 0
      ? [["connections", "none yet: name what to stand in front of in the configuration"] as const]
      : []),
    ["every client", "npx sallyport setup"],
    ...(elsewhere.length === 0 ? [] : [["elsewhere", `commands need the same ${elsewhere.join(", ")}`] as const]),
  ];
  return `Sallyport is ready.\n${lines.map(([name, value]) => `  ${name.padEnd(15)}${value}\n`).join("")}`;
}
