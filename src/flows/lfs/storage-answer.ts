import { GatewayError } from "../../errors.ts";

/** What a store's answer means that is not the one asked for. */
export function storageFailure(connection: string, status: number, what: string): GatewayError {
  const store = `the LFS storage of “${connection}”`;
  if (status === 401 || status === 403) {
    return new GatewayError("upstream_unauthorized", `${store} refused ${what} (HTTP ${status}); try again`);
  }
  if (status === 404 || status === 410) return new GatewayError("not_found", `${store} does not have this object`);
  if (status === 413) return new GatewayError("limit_exceeded", `${store} says that this object is too large for it`);
  if (status === 429 || status >= 500) {
    return new GatewayError(
      "upstream_unreachable",
      `${store} cannot take ${what} now (HTTP ${status}); try again later`,
    );
  }
  return new GatewayError("upstream_misbehaved", `${store} answered HTTP ${status} to ${what}`);
}
