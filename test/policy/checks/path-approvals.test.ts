import { expect, it } from "vitest";
import { pathApprovals } from "../../../src/policy/checks/path-approvals.ts";
import { facts, policy, refFacts } from "../facts.ts";

const rules = [
  { paths: ["infra/**", "Dockerfile"], approvers: ["ops"] },
  { paths: ["**/*.tf"], approvers: ["ops", "cloud"], approvals: 2, wait: "0s", expires: "1h" },
  { paths: ["docs/*"], approvers: ["docs"], refs: ["refs/heads/main"] },
];
const judge = (paths: readonly string[], ref = "refs/heads/main") =>
  pathApprovals.judge({ policy: policy({ paths: rules }), facts: facts([]) }, { ...refFacts(ref), paths });
const asked = (paths: readonly string[], ref?: string) =>
  judge(paths, ref).map((opinion) => opinion.kind === "hold" && opinion.requirement.approvers.join());

it.each([
  [["infra/a/b.txt"], "refs/heads/x", ["ops"]],
  [["a", "b", "Dockerfile"], "refs/heads/x", ["ops"]],
  [["main.tf"], "refs/heads/x", ["ops,cloud"]],
  [["infra/main.tf"], "refs/heads/x", ["ops", "ops,cloud"]],
  [["docs/a.md", "infra/x"], "refs/heads/main", ["ops", "docs"]],
  [["docs/a.md"], "refs/heads/Main", ["docs"]],
  [["docs/a.md"], "refs/heads/x", []],
  [["docs/a/b.md"], "refs/heads/main", []],
  [["Infra/a", "dockerfile", "a/Dockerfile", "infra", "infrastructure/x"], "refs/heads/main", []],
  [[], "refs/heads/main", []],
] as const)("of %j on %s asks %j", (paths, ref, approvers) => {
  expect(asked(paths, ref)).toEqual(approvers);
});

it("asks of a new ref, which has nothing to differ from, whatever a rule says of some refs alone", () => {
  const judge = (ref: string, how: "create" | "delete" | "update") =>
    pathApprovals
      .judge({ policy: policy({ paths: rules }), facts: facts([]) }, refFacts(ref, how))
      .map((opinion) => opinion.kind === "hold" && opinion.reason);
  expect(judge("refs/heads/main", "create")).toEqual(["a new ref with docs/* needs 1 approval by docs"]);
  expect(judge("refs/heads/topic", "create")).toEqual([]);
  expect(judge("refs/heads/main", "update")).toEqual([]);
  expect(judge("refs/heads/main", "delete")).toEqual([]);
});

it("asks as the rule says, in words of the rule alone", () => {
  expect(judge(["secret-name.tf"])).toEqual([
    {
      kind: "hold",
      reason: "a change of **/*.tf needs 2 approvals by ops or cloud",
      requirement: { approvers: ["ops", "cloud"], approvals: 2, waitMs: 0, expiresMs: 3_600_000 },
    },
  ]);
});
