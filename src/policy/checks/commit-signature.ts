import { sameEmail } from "../../model/email.ts";
import type { CommitFacts } from "../../model/push-facts.ts";
import type { Check } from "../check.ts";
import { nameCommits } from "../name-commits.ts";

type Fault = "unsigned" | "format" | "signer";

const FAULTS: Readonly<Record<Fault, string>> = {
  unsigned: "not signed; sign with your SSH key (git config gpg.format ssh, git commit -S)",
  format: "only SSH signatures can be checked here, not OpenPGP or X.509; sign with git config gpg.format ssh",
  signer: "signed by no key that is listed for its committer or for you; ask the gateway's operator to list yours",
};

/** Every commit of the range is signed by a listed key of its committer, or of the person who pushes it. */
export const commitSignature: Check = {
  name: "commit-signature",
  judge: ({ policy, facts }, ref) => {
    if (!policy.commits.signed) return [];
    const faulty = new Map<Fault, string[]>();
    for (const commit of ref.commits) {
      const fault = faultOf(commit, facts.principal.email);
      if (fault !== null) faulty.set(fault, [...(faulty.get(fault) ?? []), commit.oid]);
    }
    return [...faulty].map(([fault, oids]) => ({
      kind: "reject",
      reason: `${nameCommits(oids)}: ${FAULTS[fault]}`,
    }));
  },
};

function faultOf({ signature, committerEmail }: CommitFacts, pusher: string): Fault | null {
  if (signature === null) return "unsigned";
  if (signature.format !== "ssh") return "format";
  const { signer } = signature;
  return signer !== null && (sameEmail(signer, committerEmail) || sameEmail(signer, pusher)) ? null : "signer";
}
