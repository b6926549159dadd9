/** Everything that the story is played with: a Git server, Copilot and Slack as stand-ins, and a gateway before them, all on loopback. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCopilotUpstream, type CopilotUpstream } from "../../../fixtures/copilot-upstream/server.ts";
import { startGitUpstream, type GitUpstreamFixture } from "../../../fixtures/git-upstream.ts";
import { startSlackServer, type SlackServer } from "../../../fixtures/slack-server.ts";
import { openConfig } from "../../config.ts";
import { GatewayError } from "../../errors.ts";
import { startGateway } from "../../gateway.ts";
import { createLogger } from "../../log.ts";
import { createDetector } from "../../secrets/detector.ts";
import { createScanner } from "../../secrets/scanner.ts";
import type { CommandIo } from "../command.ts";
import { loadConfigOrTell, readRules } from "../load-config.ts";
import { readVersion } from "../version.ts";
import { startJanitor } from "./janitor.ts";
import { CHANNEL, renderConfig } from "./script.ts";

export interface Stage {
  /** The gateway's address, without a slash at the end. */
  readonly address: string;
  readonly git: GitUpstreamFixture;
  readonly copilot: CopilotUpstream;
  readonly slack: SlackServer;
  /** Where all of it lives. */
  readonly directory: string;
  /** For commands of the command line that are about this gateway. */
  readonly env: CommandIo["env"];
  /** The last lines of the gateway's log. */
  readonly log: readonly string[];
  /** Milliseconds from nothing to a gateway that listens, its new database included. */
  readonly startedInMs: number;
  close(): Promise<void>;
}

const LOG_LINES = 20;

export async function openStage(io: CommandIo): Promise<Stage> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), "sallyport-demo-")));
  const dataDir = join(directory, "data");
  const janitor = startJanitor(directory, join(dataDir, "postgres", "data", "postmaster.pid"), io.env["PATH"]);
  const opened: (() => Promise<unknown>)[] = [
    async () => {
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
      await janitor.dismiss();
    },
  ];
  // What cannot be ended must not keep the rest from it.
  const close = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (let end = opened.pop(); end !== undefined; end = opened.pop()) await end().catch((e) => failures.push(e));
    if (failures.length > 0) throw failures[0];
  };

  try {
    const begun = performance.now();
    const [gitPassword, copilotBearer, slackToken] = [makeSecret(), makeSecret(), makeSecret()];
    const git = await startGitUpstream({
      root: join(directory, "upstream"),
      username: "gateway",
      password: gitPassword,
    });
    opened.push(() => git.stop());
    const copilot = await startCopilotUpstream({ bearer: copilotBearer });
    opened.push(() => copilot.close());
    const slack = await startSlackServer({ token: slackToken, channels: { [CHANNEL]: "C0DEM0" } });
    opened.push(() => slack.close());

    const configFile = join(directory, "sallyport.yaml");
    await writeFile(configFile, renderConfig({ git: git.url, copilot: copilot.url, slack: slack.url }));
    const env = {
      PATH: io.env["PATH"],
      SALLYPORT_CONFIG: configFile,
      SALLYPORT_DATA: dataDir,
      // Its own address is in links, so that it has to be known before.
      SALLYPORT_LISTEN: `127.0.0.1:${await findFreePort()}`,
      GIT_PASSWORD: gitPassword,
      COPILOT_BEARER: copilotBearer,
      SLACK_TOKEN: slackToken,
    };
    const loaded = await loadConfigOrTell([], { ...io, env }, io.stderr);
    if (loaded === null) throw new GatewayError("internal", "the demo's own configuration is wrong");
    const config = await openConfig(loaded);
    const { rules } = readRules(config.secretRules, { examples: false });
    const scanner = createScanner(createDetector(rules), config.key);
    const log: string[] = [];
    const keep = (line: string): void => {
      log.push(line.trimEnd());
      if (log.length > LOG_LINES) log.shift();
    };
    const gateway = await startGateway({
      config,
      scanner,
      rules,
      environment: env,
      version: await readVersion(),
      log: createLogger({ stream: { write: keep, isTTY: true }, mask: (text) => scanner.mask(text).text }),
    });
    opened.push(() => gateway.close());
    const startedInMs = performance.now() - begun;
    return { address: gateway.address, git, copilot, slack, directory, env, log, startedInMs, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const makeSecret = (): string => randomBytes(16).toString("hex");

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
