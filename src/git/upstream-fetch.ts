import { GatewayError } from "../errors.ts";
import type { Git } from "./process.ts";

/** How the gateway itself reaches a repository. */
export interface UpstreamRepository {
  /** Absolute, http or https, without user name and password. */
  readonly url: string;
  /** Header lines with the credential, e.g. `Authorization: Basic …`; they go to this address alone. */
  readonly headers: readonly string[];
}

export interface FetchOptions {
  readonly git: Git;
  readonly gitDir: string;
  readonly upstream: UpstreamRepository;
  /** e.g. `blob:none`. A server that knows no filters sends everything instead. */
  readonly filter: string;
  /** Refspecs, or plain ids. */
  readonly refspecs: readonly string[];
  readonly depth?: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes git treat the upstream as the place where missing objects are (partial clone, git's technical/partial-clone).
 * Given only to the commands that may fetch: nothing of it is in a file, so that all others fail on what is missing.
 *
 * Twice, under two names: git asks with the filter `blob:none` for trees and files in one request, and where one of the trees
 * holds one of the files, the server takes the file for filtered and leaves it out. What the first remote has not brought,
 * git asks of the second, and then only files are left.
 */
export const promisorConfig = (
  upstream: UpstreamRepository,
  filter: string,
): readonly (readonly [key: string, value: string])[] => [
  ...["upstream", "upstream-again"].flatMap((name) => [
    [`remote.${name}.url`, upstream.url] as const,
    [`remote.${name}.promisor`, "true"] as const,
    [`remote.${name}.partialclonefilter`, filter] as const,
  ]),
  ...upstream.headers.map((header) => [`http.${upstream.url}.extraHeader`, header] as const),
];

/**
 * `git fetch` from the upstream, all or nothing.
 * @throws GatewayError `upstream_unreachable`, `upstream_unauthorized`, `upstream_misbehaved`, `inspection_failed` (the
 * upstream does not hand out one of the ids), `limit_exceeded` (time)
 */
export async function fetchFromUpstream(options: FetchOptions): Promise<void> {
  // Some hosts know filters but not each of them; blob:none is the one that all of those know.
  const filters = [...new Set<string | null>([options.filter, "blob:none", null])];
  for (const filter of filters) {
    try {
      await fetchOnce(options, filter);
      return;
    } catch (error) {
      if (filter === null || !(error instanceof GatewayError) || error.message !== FILTER_REFUSED) throw error;
    }
  }
}

const FILTER_REFUSED = "the upstream does not know the filter that it was asked for";

async function fetchOnce(options: FetchOptions, filter: string | null): Promise<void> {
  await options.git.run({
    args: [
      "fetch",
      "--quiet",
      "--no-tags",
      "--no-write-fetch-head",
      "--no-auto-maintenance",
      "--recurse-submodules=no",
      "--refmap=",
      ...(filter === null ? [] : [`--filter=${filter}`]),
      ...(options.depth === undefined ? [] : [`--depth=${options.depth}`]),
      "--stdin",
      "upstream",
    ],
    gitDir: options.gitDir,
    config: promisorConfig(options.upstream, filter ?? "blob:none"),
    input: options.refspecs.map((refspec) => `${refspec}\n`),
    timeoutMs: options.timeoutMs,
    signal: options.signal,
    failure: explainFetch,
  });
}

/** The id that the upstream did not know, where a fetch has failed for that. */
export function unknownTo(error: GatewayError): string | null {
  const said = error.cause instanceof Error ? error.cause.message : "";
  // git's upload-pack, and JGit's.
  return /(?:not our ref|want) ([0-9a-f]{40,64})/.exec(said)?.[1] ?? null;
}

function explainFetch(stderr: string): GatewayError {
  if (/filter '[^']*' not supported/i.test(stderr)) return new GatewayError("upstream_misbehaved", FILTER_REFUSED);
  if (/not our ref|unadvertised object|want [0-9a-f]+ not valid|did not send all|bad object/i.test(stderr)) {
    return new GatewayError(
      "inspection_failed",
      "the push builds on objects that the upstream does not have or does not hand out; fetch, rebase and push again",
    );
  }
  if (/authentication failed|could not read (?:username|password)|error: (?:401|403)/i.test(stderr)) {
    return new GatewayError(
      "upstream_unauthorized",
      "the upstream does not let the gateway read this repository: its credential needs read access",
    );
  }
  if (/could not resolve|failed to connect|couldn't connect|connection (?:refused|reset)|timed out/i.test(stderr)) {
    return new GatewayError("upstream_unreachable", "the upstream does not answer the gateway; try again later");
  }
  return new GatewayError("upstream_misbehaved", "the gateway could not fetch old objects from the upstream");
}
