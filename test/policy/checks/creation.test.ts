import { expect, it } from "vitest";
import { creation } from "../../../src/policy/checks/creation.ts";
import { facts, policy, refFacts } from "../facts.ts";

const protect = [{ refs: ["refs/tags/v*"], approvers: ["release"] }];
const judge = (entry: object, ...ref: Parameters<typeof refFacts>) =>
  creation.judge({ policy: policy({ protect, ...entry }), facts: facts([]) }, refFacts(...ref)).map(({ kind }) => kind);

it.each([
  [{ refuse: ["create"] }, "refs/tags/v1", "create", ["reject"]],
  [{ refuse: ["create"] }, "refs/tags/V1", "create", ["reject"]],
  [{ refuse: ["create"] }, "refs/tags/v1", "update", []],
  [{ refuse: ["create"] }, "refs/tags/v1", "force", []],
  [{ refuse: ["create"] }, "refs/tags/v1", "delete", []],
  [{ refuse: ["create"] }, "refs/heads/v1", "create", []],
  [{}, "refs/tags/v1", "create", []],
] as const)("under %j, %s by %s: %j", (entry, ref, how, kinds) => {
  expect(judge(entry, ref, how)).toEqual(kinds);
});
