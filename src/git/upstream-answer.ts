/** What an upstream's HTTP answer means, where it is not the Git answer that was asked for. Pure. */
import type { IncomingMessage } from "node:http";
import { err, GatewayError, ok, type Result } from "../errors.ts";
import { escapeLine } from "../model/printable.ts";
import type { GitService } from "./repository-path.ts";

export interface Asked {
  readonly connection: string;
  /** `<connection>/<path>`, for texts. */
  readonly repository: string;
  readonly service: GitService;
  readonly kind: "advertisement" | "rpc";
}

export const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status);

/** What an HTTP error or a redirect means; null for a 200. */
export function checkRefusal(
  response: IncomingMessage,
  asked: Pick<Asked, "connection" | "repository">,
): GatewayError | null {
  const status = response.statusCode ?? 0;
  const { connection } = asked;
  const repository = escapeLine(asked.repository);
  if (status === 401 || status === 403) {
    return new GatewayError(
      "upstream_unauthorized",
      `the upstream refused the gateway's credential of connection “${connection}” for ${repository} (HTTP ${status}); ask the gateway's operator`,
    );
  }
  if (status === 404 || status === 410) return notFound(repository);
  if (status === 413) {
    return new GatewayError("limit_exceeded", `the upstream of “${connection}” says that this is too large for it`);
  }
  if (status === 429 || status === 503) {
    return new GatewayError(
      "upstream_unreachable",
      `the upstream of “${connection}” cannot serve this now (HTTP ${status}); try again later`,
    );
  }
  if (isRedirect(status)) {
    return new GatewayError(
      "upstream_misbehaved",
      `the upstream of “${connection}” answers for ${repository} from another address; set the remote to the repository's present name`,
    );
  }
  if (status !== 200) {
    return new GatewayError("upstream_misbehaved", `the upstream of “${connection}” answered HTTP ${status}`);
  }
  return null;
}

/** Null for a 200 with the content type of the protocol (gitprotocol-http). */
export function checkAnswer(response: IncomingMessage, asked: Asked): GatewayError | null {
  const refusal = checkRefusal(response, asked);
  if (refusal !== null) return refusal;
  const { connection } = asked;
  const expected = `application/x-${asked.service}-${asked.kind === "rpc" ? "result" : "advertisement"}`;
  const type = (response.headers["content-type"] ?? "no content type").split(";")[0]?.trim() ?? "";
  if (type === expected) return null;
  return new GatewayError(
    "upstream_misbehaved",
    `the upstream of “${connection}” answered ${escapeLine(type, 60)} where Git was asked for: it may be a sign-in page, or no Git server`,
  );
}

/** The text for whatever must not be told apart: a repository that is not there, and one that may not be seen. */
export const notFound = (repository: string): GatewayError =>
  new GatewayError(
    "not_found",
    `repository ${escapeLine(repository)} does not exist, or you have no access to it; check the remote's address`,
  );

export interface RedirectContext {
  /** What was asked of the upstream. */
  readonly asked: URL;
  /** The connection's base, ending in `/`. */
  readonly base: URL;
  readonly connection: string;
  /** What stands before `/git/` for this client. */
  readonly prefix: string;
  /** Whether a file of the dumb protocol was asked for, which may lie in another repository. */
  readonly isFile?: boolean;
}

/**
 * Where a redirect leads by way of the gateway: an address without host, so that it holds under every name of the gateway.
 * One that leads elsewhere is refused, for git would take the client's next requests straight there.
 */
export function rewriteLocation(location: string, context: RedirectContext): Result<string, string> {
  const refused = `the upstream of “${context.connection}” redirects to another address, which the gateway does not follow`;
  if (location === "" || !URL.canParse(location, context.asked.href)) return err(refused);
  const target = new URL(location, context.asked);
  if (target.origin !== context.base.origin || !target.pathname.startsWith(context.base.pathname)) return err(refused);
  const rest = target.pathname.slice(context.base.pathname.length);
  const isGit = /\/(?:info\/refs|git-upload-pack|git-receive-pack)$/.test(rest);
  if (!isGit && !(context.isFile === true && /\/(?:HEAD|objects\/.+)$/.test(rest))) return err(refused);
  // What it names is judged when the client asks for it: this is only where it is told to ask.
  return ok(`${context.prefix}/git/${encodeURIComponent(context.connection)}/${rest}${target.search}`);
}
