import { expect, it } from "vitest";
import { deletion } from "../../../src/policy/checks/deletion.ts";
import { facts, policy, refFacts } from "../facts.ts";

const protect = [{ refs: ["refs/heads/main"], approvers: ["release"] }];
const judge = (entry: object, ...ref: Parameters<typeof refFacts>) =>
  deletion.judge({ policy: policy({ protect, ...entry }), facts: facts([]) }, refFacts(...ref)).map(({ kind }) => kind);

it.each([
  [{}, "refs/heads/main", "delete", ["reject"]],
  [{}, "refs/heads/Main", "delete", ["reject"]],
  [{}, "refs/heads/main", "force", []],
  [{}, "refs/heads/main", "update", []],
  [{}, "refs/heads/other", "delete", []],
  [{ refuse: ["force-push"] }, "refs/heads/main", "delete", []],
] as const)("under %j, %s by %s: %j", (entry, ref, how, kinds) => {
  expect(judge(entry, ref, how)).toEqual(kinds);
});
