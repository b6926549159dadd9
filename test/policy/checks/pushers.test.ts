import { expect, it } from "vitest";
import { pushers } from "../../../src/policy/checks/pushers.ts";
import { facts, policy, refFacts } from "../facts.ts";

const rules = [
  { refs: ["refs/heads/main", "refs/tags/**"], allow: ["release"] },
  { refs: ["refs/heads/release/*"], allow: ["release", "user:ada@example.com"] },
  { refs: ["refs/heads/**/frozen"], allow: [] },
  { refs: ["refs/heads/release/frozen"], allow: ["freezers"] },
  { refs: ["refs/heads/team/**"], allow: ["*"] },
];
const judge = (groups: string[], ...ref: Parameters<typeof refFacts>) => {
  const { principal } = facts([]);
  return pushers.judge(
    { policy: policy({ pushers: rules }), facts: facts([], { principal: { ...principal, groups } }) },
    refFacts(...ref),
  );
};

it.each([
  [["release"], "refs/heads/main"],
  [[], "refs/heads/feature"],
  [[], "refs/heads/main2"],
  [[], "refs/notes/commits"],
  [[], "refs/heads/release/1"],
  [["release"], "refs/heads/release/1"],
  [["release"], "refs/tags/v1"],
  [[], "refs/heads/team/a/b"],
  // Several rules: whoever one of them names.
  [["freezers"], "refs/heads/release/frozen"],
] as const)("%j may push to %s", (groups, ref) => {
  for (const how of ["create", "update", "force", "delete"] as const) expect(judge([...groups], ref, how)).toEqual([]);
});

it.each([
  [[], "refs/heads/main", "only release may push"],
  [["eng"], "refs/tags/v1", "only release may push"],
  [["eng"], "refs/tags/a/b", "only release may push"],
  [["release", "freezers"], "refs/heads/x/frozen", "nobody may push"],
  // Another spelling: the very same ref where the host ignores case, so it is closed to all.
  [["release"], "refs/heads/MAIN", "nobody may push"],
  [["release"], "refs/heads/Release/1", "nobody may push"],
  [[], "refs/heads/Team/a", "nobody may push"],
] as const)("%j may not push to %s", (groups, ref, reason) => {
  for (const how of ["create", "update", "force", "delete"] as const) {
    expect(judge([...groups], ref, how)).toEqual([{ kind: "reject", reason: expect.stringContaining(reason) }]);
  }
});

it("names all who may, once", () => {
  const two = policy({
    pushers: [
      { refs: ["refs/heads/**"], allow: ["a", "b"] },
      { refs: ["refs/heads/main"], allow: ["b", "c"] },
    ],
  });
  expect(pushers.judge({ policy: two, facts: facts([]) }, refFacts("refs/heads/main"))).toEqual([
    { kind: "reject", reason: expect.stringContaining("only a, b, c may push to this ref") },
  ]);
});
