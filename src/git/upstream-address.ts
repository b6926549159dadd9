import type { GitConnection } from "../model/connection.ts";
import { encodeRepositoryPath } from "./repository-path.ts";
import type { UpstreamRepository } from "./upstream-fetch.ts";
import { upstreamRequestHeaders, type ClientHeaders } from "./upstream-headers.ts";

/**
 * How git itself, run by the gateway, reaches the repository behind a connection: the same address and the same credential as
 * the gateway's own requests.
 * @param path decoded, below the connection's base, with `.git` where it is wanted
 */
export function upstreamAddress(
  connection: GitConnection,
  path: string,
  clientHeaders: ClientHeaders,
  userAgent: string,
): UpstreamRepository {
  const isPassthrough = connection.credential.kind === "passthrough";
  const { authorization, cookie } = upstreamRequestHeaders({
    credential: connection.credential,
    client: isPassthrough ? clientHeaders : null,
    service: "git-upload-pack",
    userAgent,
  });
  const headers: string[] = [];
  if (typeof authorization === "string") headers.push(`Authorization: ${authorization}`);
  if (typeof cookie === "string") headers.push(`Cookie: ${cookie}`);
  return { url: new URL(encodeRepositoryPath(path), connection.url).href, headers };
}
