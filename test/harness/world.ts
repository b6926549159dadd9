/**
 * Everything around a gateway, in one line: a Git upstream with a repository, a Copilot upstream, Slack where it is wanted, a
 * database of the test's own, and the gateway itself on a real socket. All of it is gone when the test ends, or, with
 * {@link sharedWorld}, when all tests of the file have ended.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { stringify } from "yaml";
import { startCopilotUpstream, type CopilotUpstream } from "../../fixtures/copilot-upstream/server.ts";
import { startGitUpstream, type GitUpstreamFixture } from "../../fixtures/git-upstream.ts";
import { startSlackServer, type SlackServer } from "../../fixtures/slack-server.ts";
import { readRules } from "../../src/cli/load-config.ts";
import { loadConfig, openConfig } from "../../src/config.ts";
import { formatMistake } from "../../src/config/mistake.ts";
import { startGateway, type RunningGateway } from "../../src/gateway.ts";
import { hashToken, mintToken } from "../../src/identity/tokens.ts";
import { createLogger } from "../../src/log.ts";
import type { Logger } from "../../src/model/log.ts";
import { GATEWAY_ISSUER, type Audience } from "../../src/model/principal.ts";
import { createDetector, type Detector } from "../../src/secrets/detector.ts";
import { createScanner } from "../../src/secrets/scanner.ts";
import type { DatabaseHandle } from "../../src/store/database.ts";
import { upsertPrincipal, upsertProviderPerson } from "../../src/store/principals.ts";
import { insertToken } from "../../src/store/tokens.ts";
import { testDatabase } from "./database.ts";
import type { OidcProviderFixture } from "./oidc-provider.ts";
import { startGatewayProcess } from "./gateway-process.ts";
import { git, mustGit, workingCopy, type GitRun, type WorkingCopy } from "./git.ts";

export interface WorldOptions {
  /** `pushes:` of the configuration. */
  readonly pushes?: readonly Readonly<Record<string, unknown>>[];
  /** Merged into the connection `code`. */
  readonly connection?: Readonly<Record<string, unknown>>;
  /** Who may use the connection `copilot`. Default: everybody. */
  readonly copilotAllow?: readonly string[];
  /** More connections. */
  readonly connections?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Groups that may read everybody's record. */
  readonly auditors?: readonly string[];
  /** Whether holds are told in Slack. */
  readonly slack?: boolean;
  /** People sign in there: `identity.oidc` of the configuration, with what `oidc` changes of it. */
  readonly provider?: OidcProviderFixture;
  readonly oidc?: Readonly<Record<string, unknown>>;
  /** More top-level keys of the configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Files beside the configuration, by name: what it names relative to itself. */
  readonly files?: Readonly<Record<string, string>>;
  /** The gateway speaks to another database than the test's own, e.g. through something that can be cut. */
  readonly databaseUrl?: (url: string) => string;
  /** How long an upstream may be silent; absent: as in production. */
  readonly upstreamIdleMs?: number;
  /** How long a body may take that is no byte stream. */
  readonly bodyMs?: number;
  /** The gateway is a process of its own (`sallyport serve`, as built into dist/), which can be killed. */
  readonly process?: boolean;
}

/** A user of the gateway, with a token of their own. */
export interface Person {
  readonly email: string;
  readonly token: string;
  clone(repository: string): Promise<WorkingCopy>;
  /** A new repository whose origin is the gateway's. */
  init(repository: string): Promise<WorkingCopy>;
  /** git by itself, with this person's credential for the gateway. */
  git(args: readonly string[]): Promise<GitRun>;
  /** A page of the API's list. */
  api(target: string): Promise<{ readonly items: readonly Record<string, unknown>[] }>;
  fetch(target: string, init?: RequestInit): Promise<Response>;
  decide(approval: string, decision: "approve" | "deny", reason: string): Promise<Response>;
}

export interface World {
  /** The gateway's address, without a final slash. */
  readonly url: string;
  readonly upstream: GitUpstreamFixture & {
    /** A commit made behind the gateway's back. @returns its oid */
    commitDirectly(repository: string, ref: string, files: Readonly<Record<string, string>>): Promise<string>;
  };
  readonly copilot: CopilotUpstream;
  readonly slack: SlackServer;
  readonly database: DatabaseHandle;
  readonly dataDir: string;
  person(email: string, groups: readonly string[], audiences?: readonly Audience[]): Promise<Person>;
  /** Every row of every table as text. */
  dumpDatabase(): Promise<string>;
  logText(): string;
  /** Stops the gateway and starts another one on the same database and data directory, with another policy where one is given. */
  restart(changes?: Pick<WorldOptions, "pushes">): Promise<void>;
  /** Another gateway on the same database, with a data directory and a key of its own. @returns its address */
  startAnother(): Promise<string>;
  /** `kill -9`, for a gateway that is a process of its own; `restart` starts the next one. */
  kill(): Promise<void>;
  /** Called by itself where the world belongs to one test. */
  close(): Promise<void>;
}

const UPSTREAM_CREDENTIAL = { username: "gateway", password: "upstream-password" };
const COPILOT_BEARER = "copilot-upstream-bearer";
const SLACK_TOKEN = "slack-bot-token";

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const dataDir = await mkdtemp(path.join(tmpdir(), "sallyport-world-"));
  const [database, upstream, copilot, slack] = await Promise.all([
    testDatabase(),
    startGitUpstream(UPSTREAM_CREDENTIAL),
    startCopilotUpstream({ bearer: COPILOT_BEARER }),
    startSlackServer({ token: SLACK_TOKEN, channels: { pushes: "C0123456789" } }),
  ]);
  const config = {
    connections: {
      code: {
        kind: "git",
        url: upstream.url,
        credential: { username: UPSTREAM_CREDENTIAL.username, password: { env: "GIT_PASSWORD" } },
        allow: ["*"],
        ...options.connection,
      },
      copilot: {
        kind: "copilot",
        url: copilot.url,
        credential: { bearer: { env: "COPILOT_BEARER" } },
        allow: options.copilotAllow ?? ["*"],
      },
      ...options.connections,
    },
    pushes: options.pushes ?? [],
    ...(options.auditors === undefined ? {} : { auditors: options.auditors }),
    notify:
      options.slack === true
        ? [{ kind: "slack", token: { env: "SLACK_TOKEN" }, channel: "#pushes", apiUrl: slack.url }]
        : [],
    ...(options.provider === undefined
      ? {}
      : { identity: { oidc: { ...options.provider.settings, ...options.oidc } } }),
    ...options.config,
  };
  const configFile = path.join(dataDir, "sallyport.yaml");
  const writeConfig = (pushes: WorldOptions["pushes"]) =>
    writeFile(configFile, stringify({ ...config, pushes: pushes ?? config.pushes }));
  for (const [name, text] of Object.entries(options.files ?? {})) await writeFile(path.join(dataDir, name), text);
  await writeConfig(options.pushes);

  let log = "";
  const logger: MakeLogger = (mask) =>
    createLogger({ stream: { write: (line: string) => (log += line) }, mask, level: "debug" });
  const databaseUrl = options.databaseUrl?.(database.url) ?? database.url;
  let port = 0;
  const environment = (data: string, listenPort: number) => ({
    PATH: process.env["PATH"],
    SALLYPORT_DATA: data,
    SALLYPORT_LISTEN: `127.0.0.1:${listenPort}`,
    DATABASE_URL: databaseUrl,
    GIT_PASSWORD: UPSTREAM_CREDENTIAL.password,
    COPILOT_BEARER,
    SLACK_TOKEN,
    OIDC_SECRET: options.provider?.clientSecret,
  });
  const others: RunningGateway[] = [];
  const start = async () => {
    const env = environment(dataDir, port);
    const gateway =
      options.process === true
        ? await startGatewayProcess({ configFile, env, onLog: (text) => (log += text) })
        : {
            ...(await startHere(configFile, env, dataDir, logger, options)),
            kill: () => Promise.reject(NOT_A_PROCESS),
          };
    port = Number(new URL(gateway.address).port);
    options.provider?.register(gateway.address);
    return gateway;
  };
  let gateway = await start();

  const close = async (): Promise<void> => {
    await Promise.all([gateway.close(), ...others.map((other) => other.close())]);
    await Promise.all([upstream.stop(), copilot.close(), slack.close()]);
    await database.close();
    await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
  };
  let isShared = false;
  try {
    onTestFinished(close);
  } catch {
    isShared = true;
  }
  /** A shared world's clones live as long as it does. */
  const cloneParent = async () => (isShared ? { parent: await mkdtemp(path.join(dataDir, "clone-")) } : {});

  const commitDirectly: World["upstream"]["commitDirectly"] = async (repository, ref, files) => {
    const current = await upstream.ref(repository, ref);
    const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;
    const input = [
      `commit ${ref}\nmark :1\ncommitter Ana <ana@example.com> now\n${data("Made directly\n")}`,
      current === null ? "" : `from ${current}\n`,
      ...Object.entries(files).map(([name, text]) => `M 100644 inline ${JSON.stringify(name)}\n${data(text)}`),
      "get-mark :1\n",
    ].join("");
    return mustGit(["fast-import", "--quiet", "--date-format=now"], { cwd: upstream.directoryOf(repository), input });
  };

  const person: World["person"] = async (email, groups, audiences = ["git", "copilot", "api"]) => {
    const principal = await (options.provider === undefined
      ? upsertPrincipal(database.db, { issuer: GATEWAY_ISSUER, subject: email, email, kind: "person" })
      : upsertProviderPerson(database.db, {
          issuer: options.provider.issuer,
          subject: email,
          email,
          kind: "person",
          groups,
          statedAt: new Date(),
        }));
    const token = mintToken();
    await insertToken(database.db, {
      principalId: principal.id,
      name: "test",
      hash: hashToken(token),
      groups: [...groups],
      audiences: [...audiences],
      expiresAt: null,
    });
    const basic = Buffer.from(`${email}:${token}`).toString("base64");
    const env = {
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: `http.${gateway.address}/.extraHeader`,
      GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
    };
    const urlOf = (repository: string): string => `${gateway.address}/git/code/${repository}.git`;
    const request: Person["fetch"] = (target, init = {}) => {
      const headers = new Headers(init.headers);
      headers.set("authorization", `Bearer ${token}`);
      return fetch(`${gateway.address}${target}`, { ...init, headers });
    };
    return {
      email,
      token,
      clone: async (repository) => workingCopy({ url: urlOf(repository), env, ...(await cloneParent()) }),
      init: async (repository) => workingCopy({ url: urlOf(repository), env, init: true, ...(await cloneParent()) }),
      git: (args) => git(args, { cwd: dataDir, env }),
      api: async (target) => {
        const response = await request(target);
        if (!response.ok) throw new Error(`${target} answered ${response.status}: ${await response.text()}`);
        return (await response.json()) as { items: Record<string, unknown>[] };
      },
      fetch: request,
      decide: (approval, decision, reason) =>
        request(`/api/v1/approvals/${approval}/${decision}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ reason }),
        }),
    };
  };

  await upstream.createRepository("team/app");
  await commitDirectly("team/app", "refs/heads/main", { "README.md": "# App\n" });

  return {
    get url() {
      return gateway.address;
    },
    upstream: { ...upstream, commitDirectly },
    copilot,
    slack,
    database,
    dataDir,
    person,
    dumpDatabase: () => dumpDatabase(database),
    logText: () => log,
    restart: async (changes = {}) => {
      await gateway.close();
      await writeConfig(changes.pushes ?? options.pushes);
      gateway = await start();
    },
    startAnother: async () => {
      const data = path.join(dataDir, `another-${others.length}`);
      const other = await startHere(configFile, environment(data, 0), data, logger, options);
      others.push(other);
      return other.address;
    },
    kill: () => gateway.kill(),
    close,
  };
}

const NOT_A_PROCESS = new Error("this gateway runs in the test's own process: start the world with `process: true`");

const detectors = new Map<string, Detector>();

/** Made once for all worlds of a file: it takes a second for all of the built-in rules, and keeps nothing of what it reads. */
function detectorOf(sources: Parameters<typeof readRules>[0]): Detector {
  const key = JSON.stringify(sources.map(({ name, text, base }) => [name, text, base]));
  const detector = detectors.get(key) ?? createDetector(readRules(sources, { examples: false }).rules);
  detectors.set(key, detector);
  return detector;
}

/** As `sallyport serve` makes it: it takes the detector's mask. */
type MakeLogger = (mask: (text: string) => string) => Logger;

async function startHere(
  configFile: string,
  env: Readonly<Record<string, string | undefined>>,
  dataDir: string,
  makeLogger: MakeLogger,
  { upstreamIdleMs: idleMs, bodyMs }: Pick<WorldOptions, "upstreamIdleMs" | "bodyMs">,
): Promise<RunningGateway> {
  const loaded = await loadConfig({ paths: [configFile], env, cwd: dataDir });
  if (!loaded.ok) throw new Error(loaded.error.map(formatMistake).join("\n"));
  const config = await openConfig(loaded.value);
  const detector = detectorOf(loaded.value.secretRules);
  const scanner = createScanner(detector, config.key);
  return startGateway({
    config,
    scanner,
    rules: detector.rules,
    environment: { PATH: env["PATH"] },
    version: "0.0.0-test",
    log: makeLogger((text) => scanner.mask(text).text),
    ...(idleMs === undefined ? {} : { upstreamTimeouts: { idleMs } }),
    ...(bodyMs === undefined ? {} : { bodyMs }),
  });
}

/**
 * One world for all tests of a file: call it outside of them, and the function that it returns inside. For tests that do not
 * disturb each other.
 */
export function sharedWorld(options: WorldOptions = {}): () => World {
  let world: World | null = null;
  beforeAll(async () => {
    world = await startWorld(options);
  });
  afterAll(() => world?.close());
  return () => {
    if (world === null) throw new Error("the world is there in tests and hooks only");
    return world;
  };
}

async function dumpDatabase({ sql }: DatabaseHandle): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    select quote_ident(table_schema) || '.' || quote_ident(table_name) as name
    from information_schema.tables where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`;
  const parts: string[] = [];
  for (const { name } of tables) {
    for (const row of await sql.unsafe<{ row: string }[]>(`select t::text as row from ${name} t`)) {
      parts.push(row.row);
    }
    // bytea prints as hex: what it holds has to be looked through as well.
    for (const row of await sql.unsafe<Record<string, unknown>[]>(`select * from ${name}`)) {
      for (const value of Object.values(row)) if (Buffer.isBuffer(value)) parts.push(value.toString("latin1"));
    }
  }
  return parts.join("\n");
}
