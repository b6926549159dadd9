import type { Finding } from "../../model/finding.ts";
import type { PushFacts, RefFacts } from "../../model/push-facts.ts";
import type { Opinion } from "../../model/verdict.ts";
import type { Check } from "../check.ts";
import type { PushPolicy, SecretsMode } from "../schema.ts";

/**
 * Secrets count against the refs that bring them; what stands at no ref (push options, whatever could not be told apart) counts
 * against every one. The places are told apart from the verdict, by the flow; `warn` findings are recorded and told, and let
 * pass, and so is what the baseline has accepted. A secret that stood in the same file upstream is not the pusher's doing, so it
 * has a mode of its own. A comment that allows a secret is the word of whoever wrote it: it asks for approval, and is none.
 */
export const secrets: Check = {
  name: "secrets",
  judge: ({ policy, facts }, ref) => {
    const blocking = findingsOf(facts, ref).filter(
      ({ severity, baseline }) => severity === "block" && baseline === null,
    );
    const isUpstream = (count: number) => `that ${count === 1 ? "is" : "are"} upstream already`;
    return [
      ...opinionsOn(
        policy,
        policy.secrets,
        blocking.filter(({ known }) => !known),
        () => "",
      ),
      ...opinionsOn(
        policy,
        policy.knownSecrets,
        blocking.filter(({ known }) => known),
        isUpstream,
      ),
    ];
  },
};

/** @param which says more of them, by their count */
function opinionsOn(
  policy: PushPolicy,
  mode: SecretsMode,
  findings: readonly Finding[],
  which: (count: number) => string,
): readonly Opinion[] {
  if (mode === "observe") return [];
  const isAllowed = ({ allowed }: Finding): boolean => allowed !== null && policy.allowComments !== "ignore";
  const allowed = policy.allowComments === "pass" ? 0 : findings.filter(isAllowed).length;
  const others = findings.filter((finding) => !isAllowed(finding)).length;
  const tell = (count: number): string =>
    [count === 1 ? "1 secret" : `${count} secrets`, "found", which(count)].filter((word) => word !== "").join(" ");
  return [
    ...opinionOf(policy, mode, tell(others), others),
    ...opinionOf(policy, "hold", `${tell(allowed)}, allowed by a comment`, allowed),
  ];
}

function opinionOf(policy: PushPolicy, mode: SecretsMode, found: string, findings: number): readonly Opinion[] {
  if (findings === 0) return [];
  const requirement = policy.secretsHold;
  // Short: git prints it in the brackets behind the ref, and what to do stands in the lines above.
  if (mode !== "hold") return [{ kind: "reject", reason: found }];
  if (requirement === null) {
    return [{ kind: "reject", reason: `${found}; no approvers are configured here who could agree` }];
  }
  return [{ kind: "hold", reason: `${found}: ${requirement.approvers.join(", ")} must agree`, requirement }];
}

const keyOf = ({ rule, source, oid, path, line, column }: Finding): string =>
  [rule, source, oid, path, line, column].join("\0");

/** Asked once for each ref of a push, and the same for all of them. */
const homeless = new WeakMap<PushFacts, readonly Finding[]>();

function homelessOf(facts: PushFacts): readonly Finding[] {
  const known = homeless.get(facts);
  if (known !== undefined) return known;
  const atRefs = new Set(facts.refs.flatMap(({ findings }) => findings.map(keyOf)));
  const found = facts.findings.filter((finding) => finding.source === "push-option" || !atRefs.has(keyOf(finding)));
  homeless.set(facts, found);
  return found;
}

function findingsOf(facts: PushFacts, ref: RefFacts): readonly Finding[] {
  const own = new Set(ref.findings.map(keyOf));
  return [...ref.findings, ...homelessOf(facts).filter((finding) => !own.has(keyOf(finding)))];
}
