/** One question to the upstream's LFS server, and its answer as the client may have it. */
import { GatewayError } from "../../errors.ts";
import type { LfsCall, LfsCallAnswer, LfsUpstream } from "../../git/lfs/lfs-upstream.ts";
import { escapeLine } from "../../model/printable.ts";
import { isPassthrough, type LfsRequest } from "./dependencies.ts";

/** What goes back to the client, as JSON. */
export interface LfsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/**
 * Under a credential that the gateway holds, an upstream's refusal of it is the operator's to mend, and no reason for the client
 * to sign in again. With the client's own, the upstream's answers stand.
 * @throws GatewayError `upstream_unauthorized`, `upstream_unreachable`, `upstream_misbehaved`, `client_gone`
 */
export async function callLfs(
  deps: { readonly upstream: (connection: string) => LfsUpstream },
  request: LfsRequest,
  call: Pick<LfsCall, "method" | "path" | "body">,
): Promise<LfsAnswer> {
  const { connection, repository, upstreamPath, clientHeaders, signal } = request;
  const answer = await deps.upstream(connection.name).call(upstreamPath, { ...call, clientHeaders, signal });
  const { status, json } = answer;
  if (status >= 200 && status < 300) {
    if (json !== null) return { status, headers: {}, body: json };
    throw new GatewayError(
      "upstream_misbehaved",
      `the upstream of “${connection.name}” answered something that is no Git LFS: it may be a sign-in page, or no LFS server`,
    );
  }
  if (!isPassthrough(request) && (status === 401 || status === 403)) {
    throw new GatewayError(
      "upstream_unauthorized",
      `the upstream refused the gateway's credential of connection “${connection.name}” for the LFS objects of ` +
        `${escapeLine(repository)} (HTTP ${status}); ask the gateway's operator`,
    );
  }
  if (status < 400) {
    throw new GatewayError("upstream_misbehaved", `the upstream of “${connection.name}” answered HTTP ${status}`);
  }
  return { status: statusFor(status), headers: headersFor(request, answer), body: bodyFor(request, answer) };
}

/** Never 422: on that, git-lfs 3.3 lets a push go on without its objects. */
const statusFor = (status: number): number => (status === 422 ? 400 : status);

function headersFor(request: LfsRequest, { status, headers }: LfsCallAnswer): Record<string, string> {
  const { "retry-after": retryAfter, ...aboutCredentials } = headers;
  return {
    ...(isPassthrough(request) ? aboutCredentials : {}),
    // git-lfs 3.3 dies of a 429 that does not say when to come again.
    ...(retryAfter === undefined && status !== 429 ? {} : { "retry-after": retryAfter ?? "10" }),
  };
}

function bodyFor({ connection, repository }: LfsRequest, { status, json }: LfsCallAnswer): object {
  const given = typeof json === "object" && json !== null && "message" in json ? json.message : null;
  const said =
    typeof given === "string"
      ? escapeLine(given, 500)
      : `the upstream of “${connection.name}” answered HTTP ${status} for the LFS objects of ${escapeLine(repository)}`;
  // A lock that stands in the way is told with the lock.
  const lock = typeof json === "object" && json !== null && "lock" in json ? { lock: json.lock } : {};
  return { message: said, ...lock };
}
