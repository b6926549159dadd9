import type { Advertisement } from "../../git/advertisement.ts";
import { checkCertificate, parseCertificate } from "../../git/push-certificate.ts";
import type { PushRequest } from "../../git/push-exchange.ts";

/** A signed push has to be for this repository, and the upstream has to take such. @throws GatewayError `forbidden` */
export function checkSigned({ head, repository }: PushRequest, { capabilities }: Advertisement): void {
  if (head.certificate === null) return;
  checkCertificate(parseCertificate(head.certificate, head.objectFormat), {
    repository,
    offered: capabilities.find((capability) => /^push-cert=./.test(capability))?.slice("push-cert=".length) ?? null,
  });
}
