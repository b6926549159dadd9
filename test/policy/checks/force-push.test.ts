import { expect, it } from "vitest";
import { forcePush } from "../../../src/policy/checks/force-push.ts";
import { facts, policy, refFacts } from "../facts.ts";

const protect = [{ refs: ["refs/heads/main"], approvers: ["release"] }];
const judge = (entry: object, ...ref: Parameters<typeof refFacts>) =>
  forcePush
    .judge({ policy: policy({ protect, ...entry }), facts: facts([]) }, refFacts(...ref))
    .map(({ kind }) => kind);

it.each([
  [{}, "refs/heads/main", "force", ["reject"]],
  [{}, "refs/heads/MAIN", "force", ["reject"]],
  [{}, "refs/heads/main", "update", []],
  [{}, "refs/heads/main", "create", []],
  [{}, "refs/heads/main", "delete", []],
  [{}, "refs/heads/other", "force", []],
  [{ refuse: ["delete"] }, "refs/heads/main", "force", []],
  [{ refuse: [] }, "refs/heads/main", "force", []],
] as const)("under %j, %s by %s: %j", (entry, ref, how, kinds) => {
  expect(judge(entry, ref, how)).toEqual(kinds);
});
