/**
 * Environment + files → one frozen {@link Config}, or every mistake at once.
 *
 * Reading has three layers: YAML with places (`config/document.ts`), shape (`config/schema.ts`), and what depends on other keys,
 * on the environment or on files (here). Each layer goes on where the one before found mistakes, as far as it can.
 */
import { join, resolve } from "node:path";
import { buildConnections } from "./config/connections.ts";
import { checkAcrossKeys } from "./config/cross-checks.ts";
import { deepFreeze } from "./config/deep-freeze.ts";
import { parseConfigFiles, type ConfigDocument } from "./config/document.ts";
import { explainIssue, unknownKey } from "./config/explain.ts";
import { readConfigFiles } from "./config/files.ts";
import { buildGithub } from "./config/github-schema.ts";
import { openKey, parseKey } from "./config/key.ts";
import type { ConfigMistake } from "./config/mistake.ts";
import { packageRoot } from "./config/package-root.ts";
import { policyVersion } from "./config/policy-version.ts";
import { configSchema, type ConfigParts, type ParsedConfig } from "./config/schema.ts";
import { readSecretRules, type SecretRuleSource } from "./config/secret-rules.ts";
import { readSigners } from "./config/signers.ts";
import { findTlsFiles, tlsMistakes, type TlsFiles } from "./config/tls.ts";
import { readSecrets, type Environment, type Secrets } from "./config/secret-source.ts";
import { DEFAULT_LISTEN, LISTEN_EXPECTED, parseBaseUrl, parseListen, type ListenAddress } from "./config/values.ts";
import { err, ok, type Result } from "./errors.ts";
import type { OidcSettings } from "./identity/provider-settings.ts";
import type { Connection } from "./model/connection.ts";
import type { GithubSignIn } from "./model/oauth-client.ts";
import type { NotifierConfig } from "./model/notifier-config.ts";
import type { PushPolicy } from "./policy/schema.ts";

export interface Config {
  readonly listen: ListenAddress;
  /** Null: plain HTTP. */
  readonly tls: TlsFiles | null;
  /** Without a slash at the end. Under port 0 it names port 0 too, unless configured. */
  readonly publicUrl: string;
  /** Absolute; belongs to the gateway alone. */
  readonly dataDir: string;
  /** Null: the embedded PostgreSQL. */
  readonly databaseUrl: string | null;
  readonly connections: ReadonlyMap<string, Connection>;
  readonly github: GithubSignIn;
  readonly pushes: readonly PushPolicy[];
  readonly secretRules: readonly SecretRuleSource[];
  /** The most bytes of what is kept of repositories. */
  readonly cacheBytes: number;
  readonly recording: {
    /** What becomes of secrets on their way to a model. What is kept is masked in any case. */
    readonly prompts: "pass" | "mask" | "refuse";
    /** And on their way back. */
    readonly answers: "pass" | "mask";
    readonly keepMs: number;
    /** The most bytes of records that wait on the disk. */
    readonly spoolBytes: number;
  };
  readonly notify: readonly NotifierConfig[];
  /** 32 bytes; see `config/key.ts`. */
  readonly key: Uint8Array;
  /** SHA-256 over push policy and secret rules, hex. */
  readonly policyVersion: string;
  /** Null: there is no identity provider, and people are known by gateway tokens. */
  readonly identity: OidcSettings | null;
  /** Whose word on where a request comes from is believed, and in which header it stands. */
  readonly proxies: {
    readonly trusted: readonly string[];
    readonly header: "x-forwarded-for" | "forwarded";
  };
  readonly approvals: { readonly signInMaxAgeMs: number };
  /** Group names, `user:EMAIL` or `*`: who may read everything that is recorded. Empty: nobody beyond what is their own. */
  readonly auditors: readonly string[];
  /** The same: who may stop other people's sessions. */
  readonly operators: readonly string[];
  /** The files it was read from, as shown to people. */
  readonly sources: readonly string[];
}

/** A configuration that is right, before anything is written: the key may still have to be made. */
export type LoadedConfig = Omit<Config, "key"> & { readonly key: Uint8Array | null };

export interface ConfigInput {
  /** What `--config` named; empty: SALLYPORT_CONFIG, or else the package's `policies/`. */
  readonly paths: readonly string[];
  readonly env: Environment;
  /** What relative paths on the command line and in the environment are relative to. */
  readonly cwd: string;
  /**
   * Certificate and key are read as well. Only who serves needs them: a certificate that has expired, or a key that this user may not
   * read, is no reason to take back no token.
   */
  readonly readsTls?: boolean;
}

/** Reads and checks; changes nothing on disk. */
export async function loadConfig(input: ConfigInput): Promise<Result<LoadedConfig, readonly ConfigMistake[]>> {
  const read = await readConfigFiles(configPaths(input), input.cwd);
  const { document, mistakes: yamlMistakes } = parseConfigFiles(read.files);
  const { parts, mistakes: shapeMistakes } = parseParts(document);
  const { secrets, mistakes: secretMistakes } = await readSecrets(document, input.env);
  const rules = await readSecretRules(document, parts.secrets?.rules ?? []);
  const signers = await readSigners(document, parts.pushes ?? []);
  const tls = findTlsFiles(document, parts.tls);
  const tlsProblems = tls === null || input.readsTls !== true ? [] : await tlsMistakes(document, tls, new Date());
  const environment = readEnvironment(input.env);

  const mistakes = [
    ...read.mistakes,
    ...yamlMistakes,
    ...shapeMistakes,
    ...secretMistakes,
    ...rules.mistakes,
    ...signers.mistakes,
    ...tlsProblems,
    ...environment.mistakes,
    ...checkAcrossKeys({ document, parts, secrets, envListen: environment.listen }),
  ];
  if (mistakes.length > 0) return err(inOrder(mistakes));

  // No mistakes: every part was parsed.
  const parsed = parts as ParsedConfig;
  const listen = environment.listen ?? parsed.listen ?? DEFAULT_LISTEN;
  const key = parsed.keys.fingerprint === undefined ? null : parseKey(secrets.at("keys", "fingerprint"));
  return ok(
    deepFreeze({
      listen,
      tls,
      publicUrl: (environment.publicUrl ?? parsed.publicUrl ?? ownAddress(listen, tls)).replace(/\/$/, ""),
      dataDir: resolve(input.cwd, input.env["SALLYPORT_DATA"] || ".sallyport"),
      databaseUrl: environment.databaseUrl,
      connections: buildConnections(parsed, secrets),
      github: buildGithub(parsed),
      pushes: signers.pushes,
      secretRules: rules.sources,
      cacheBytes: parsed.cache.maxBytes,
      recording: {
        prompts: parsed.recording.prompts ?? (parsed.recording.mask === "sent" ? "mask" : "pass"),
        answers: parsed.recording.answers,
        keepMs: parsed.recording.keep,
        spoolBytes: parsed.recording.spool,
      },
      notify: buildNotifiers(parsed, secrets),
      key,
      policyVersion: policyVersion(signers.pushes, rules.sources),
      identity: buildIdentity(parsed, secrets),
      proxies: { trusted: parsed.trustedProxies, header: parsed.proxyHeader },
      approvals: { signInMaxAgeMs: parsed.approvals.signInMaxAge },
      auditors: parsed.auditors,
      operators: parsed.operators,
      sources: read.files.map(({ name }) => name),
    }),
  );
}

/**
 * Makes the data directory and, where none is configured, the key.
 * @throws GatewayError `storage_failed`, `config_invalid`
 */
export async function openConfig(loaded: LoadedConfig): Promise<Config> {
  return Object.freeze({ ...loaded, key: loaded.key ?? (await openKey(loaded.dataDir)) });
}

const ownAddress = (listen: ListenAddress, tls: TlsFiles | null): string =>
  `${tls === null ? "http" : "https"}://${formatListen(listen)}`;

/** `host:port`, with brackets around an IPv6 address. */
export const formatListen = ({ host, port }: ListenAddress): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

function configPaths({ paths, env }: ConfigInput): readonly string[] {
  if (paths.length > 0) return paths;
  const named = env["SALLYPORT_CONFIG"];
  return named === undefined || named === "" ? [join(packageRoot(), "policies")] : [named];
}

/** Each top-level key by itself, so that a mistake in one does not hide those in another. */
function parseParts(document: ConfigDocument): {
  readonly parts: ConfigParts;
  readonly mistakes: readonly ConfigMistake[];
} {
  const mistakes: ConfigMistake[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(configSchema.shape)) {
    const result = schema.safeParse(document.value[key]);
    if (result.success) values[key] = result.data;
    else mistakes.push(...result.error.issues.flatMap((issue) => explainIssue(document, [key], issue)));
  }
  const unknown = Object.keys(document.value).filter((key) => !Object.hasOwn(configSchema.shape, key));
  mistakes.push(...unknown.map((key) => unknownKey(document, [], key)));
  return { parts: values, mistakes };
}

interface FromEnvironment {
  readonly listen: ListenAddress | null;
  readonly publicUrl: string | null;
  readonly databaseUrl: string | null;
  readonly mistakes: readonly ConfigMistake[];
}

function readEnvironment(env: Environment): FromEnvironment {
  const mistakes: ConfigMistake[] = [];
  const refuse = (name: string, message: string): null => {
    mistakes.push({ file: name, line: null, column: null, path: "", message });
    return null;
  };
  const read = <T>(name: string, parse: (text: string) => T | null): T | null => {
    const text = env[name];
    return text === undefined || text === "" ? null : parse(text);
  };
  return {
    listen: read("SALLYPORT_LISTEN", (text) => parseListen(text) ?? refuse("SALLYPORT_LISTEN", LISTEN_EXPECTED)),
    publicUrl: read("SALLYPORT_PUBLIC_URL", (text) => {
      const parsed = parseBaseUrl(text);
      return "url" in parsed ? parsed.url : refuse("SALLYPORT_PUBLIC_URL", parsed.problem);
    }),
    databaseUrl: read("DATABASE_URL", (text) =>
      URL.canParse(text) && /^postgres(?:ql)?:$/.test(new URL(text).protocol)
        ? text
        : refuse("DATABASE_URL", "expected postgres://user:password@host:port/database"),
    ),
    mistakes,
  };
}

function buildIdentity({ identity }: ParsedConfig, secrets: Secrets): OidcSettings | null {
  if (identity?.oidc === undefined) return null;
  const { clientSecret, groupsMaxAge, ...oidc } = identity.oidc;
  return {
    ...oidc,
    clientSecret: clientSecret === undefined ? null : secrets.at("identity", "oidc", "clientSecret"),
    clientAuthentication: oidc.clientAuthentication ?? null,
    name: oidc.name ?? new URL(oidc.issuer).host,
    audiences: oidc.audiences ?? [oidc.clientId],
    groupsMaxAgeMs: groupsMaxAge,
    clients: oidc.clients ?? null,
    domains: oidc.domains ?? null,
    overage: oidc.overage ?? null,
  };
}

function buildNotifiers({ notify }: ParsedConfig, secrets: Secrets): readonly NotifierConfig[] {
  return notify.map((parsed, index): NotifierConfig => {
    const name = parsed.name ?? parsed.kind;
    if (parsed.kind === "slack") {
      const { channel, apiUrl } = parsed;
      return { kind: "slack", name, token: secrets.at("notify", index, "token"), channel, apiUrl: apiUrl ?? null };
    }
    const secret = parsed.secret === undefined ? null : secrets.at("notify", index, "secret");
    return { kind: "webhook", name, url: parsed.url, secret };
  });
}

/** By file in the order of reading, then by line. */
function inOrder(mistakes: readonly ConfigMistake[]): ConfigMistake[] {
  const files = [...new Set(mistakes.map(({ file }) => file))];
  const rank = (mistake: ConfigMistake): number => files.indexOf(mistake.file);
  return [...mistakes].sort(
    (a, b) => rank(a) - rank(b) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}
