import { expect, it } from "vitest";
import { protectedRefs } from "../../../src/policy/checks/protected-refs.ts";
import { facts, policy, refFacts } from "../facts.ts";

const protect = [{ refs: ["refs/heads/main", "refs/heads/release/*"], approvers: ["release"] }];
const judge = (...ref: Parameters<typeof refFacts>) =>
  protectedRefs.judge({ policy: policy({ protect }), facts: facts([]) }, refFacts(...ref));

it.each(["create", "update", "force", "delete"] as const)("holds a protected ref's %s", (how) => {
  expect(judge("refs/heads/main", how)).toEqual([
    {
      kind: "hold",
      reason: "needs 1 approval by release",
      requirement: { approvers: ["release"], approvals: 1, waitMs: 60_000, expiresMs: 86_400_000 },
    },
  ]);
});

it.each([
  "refs/heads/release/1",
  "refs/heads/MAIN",
  "refs/heads/Release/1",
  "refs/heads/relea\u017fe/1",
  "refs/heads/ma\u200cin",
])("holds %s", (ref) => {
  expect(judge(ref)).toHaveLength(1);
});

it.each(["refs/heads/main2", "refs/heads/release/1/2", "refs/tags/main", "refs/heads/x/main"])("lets %s be", (ref) => {
  expect(judge(ref)).toEqual([]);
});

it("names every rule that protects the ref", () => {
  const both = policy({ protect: [...protect, { refs: ["refs/heads/**"], approvers: ["boss"], approvals: 2 }] });
  const opinions = protectedRefs.judge({ policy: both, facts: facts([]) }, refFacts("refs/heads/main"));
  expect(opinions.map((opinion) => opinion.kind === "hold" && opinion.requirement.approvers)).toEqual([
    ["release"],
    ["boss"],
  ]);
  expect(opinions[1]).toMatchObject({
    reason: expect.stringContaining("protected by refs/heads/**: needs 2 approvals by boss"),
  });
});
