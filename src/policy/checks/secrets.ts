import type { Finding } from "../../model/finding.ts";
import type { PushFacts, RefFacts } from "../../model/push-facts.ts";
import type { Opinion } from "../../model/verdict.ts";
import type { Check } from "../check.ts";
import type { PushPolicy, SecretsMode } from "../schema.ts";

/**
 * Secrets count against the refs that bring them; what stands at no ref (push options, whatever could not be told apart) counts
 * against every one. The places are told apart from the verdict, by the flow; `warn` findings are recorded and told, and let
 * pass. A secret that stood in the same file upstream is not the pusher's doing, so it has a mode of its own.
 */
export const secrets: Check = {
  name: "secrets",
  judge: ({ policy, facts }, ref) => {
    const blocking = findingsOf(facts, ref).filter((finding) => finding.severity === "block");
    const fresh = blocking.filter((finding) => !finding.known).length;
    const known = blocking.length - fresh;
    return [
      ...opinionOf(policy, policy.secrets, `${count(fresh)} found`, fresh),
      ...opinionOf(
        policy,
        policy.knownSecrets,
        `${count(known)} found that ${known === 1 ? "is" : "are"} upstream already`,
        known,
      ),
    ];
  },
};

const count = (findings: number): string => (findings === 1 ? "1 secret" : `${findings} secrets`);

function opinionOf(policy: PushPolicy, mode: SecretsMode, found: string, findings: number): readonly Opinion[] {
  if (findings === 0 || mode === "observe") return [];
  const requirement = policy.secretsHold;
  if (mode === "hold" && requirement !== null) {
    return [{ kind: "hold", reason: `${found}: ${requirement.approvers.join(", ")} must agree`, requirement }];
  }
  // Short: git prints it in the brackets behind the ref, and what to do stands in the lines above.
  return [{ kind: "reject", reason: found }];
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
