/** Git itself, the cache of repositories, and where Git connections lead. */
import path from "node:path";
import type { Config } from "../config.ts";
import { GatewayError } from "../errors.ts";
import { startGitLauncher } from "../git/git-launcher.ts";
import { createLfsUpstream } from "../git/lfs/lfs-upstream.ts";
import { createGit, memoryLimit } from "../git/process.ts";
import { createRepositoryCache } from "../git/repository-cache.ts";
import { createGitUpstream } from "../git/upstream.ts";
import type { UpstreamTimeouts } from "../git/upstream-request.ts";
import type { Logger } from "../model/log.ts";

const FETCH_TIMEOUT_MS = 5 * 60_000;

export interface GitSideOptions {
  readonly config: Config;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly log: Logger;
  readonly upstreamTimeouts?: Partial<UpstreamTimeouts>;
}

export async function openGitSide(options: GitSideOptions) {
  const { config, environment, version, log, upstreamTimeouts: timeouts = {} } = options;
  const userAgent = `sallyport/${version} (gateway-internal)`;
  const launcher = await startGitLauncher({
    environment,
    wrapper: memoryLimit(environment),
    onLost: (error) =>
      log.error({ error }, "the launcher of git is gone: from now on the gateway starts git by itself"),
  });
  const git = createGit({ environment, userAgent, launcher });
  const connections = [...config.connections.values()].filter((connection) => connection.kind === "git");
  const upstreams = byName(connections, (connection) => createGitUpstream({ connection, version, timeouts }));
  const lfsUpstreams = byName(connections, (connection) => createLfsUpstream({ connection, version, timeouts }));
  return {
    git,
    userAgent,
    upstream: upstreams.get,
    lfsUpstream: lfsUpstreams.get,
    cache: createRepositoryCache({
      git,
      root: path.join(config.dataDir, "cache"),
      maxBytes: config.cacheBytes,
      fetchTimeoutMs: FETCH_TIMEOUT_MS,
    }),
    close: async () => {
      upstreams.close();
      lfsUpstreams.close();
      await launcher?.close();
    },
  };
}

function byName<C extends { readonly name: string }, U extends { close(): void }>(
  connections: readonly C[],
  create: (connection: C) => U,
) {
  const all = new Map(connections.map((connection) => [connection.name, create(connection)]));
  return {
    /** What was recorded may name a connection that has left the configuration. */
    get: (name: string): U => {
      const found = all.get(name);
      if (found === undefined) throw new GatewayError("not_found", `there is no Git connection ${name} any more`);
      return found;
    },
    close: (): void => {
      for (const upstream of all.values()) upstream.close();
    },
  };
}
