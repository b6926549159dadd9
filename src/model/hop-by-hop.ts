/** Headers of one hop only, lower case (RFC 9110, section 7.6.1, and 6.5 for trailers); those that `Connection` names come on top. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
