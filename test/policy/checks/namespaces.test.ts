import { expect, it } from "vitest";
import { namespaces } from "../../../src/policy/checks/namespaces.ts";
import { facts, policy, refFacts } from "../facts.ts";

const judge = (ref: string, entry: object = {}) =>
  namespaces.judge({ policy: policy(entry), facts: facts([]) }, refFacts(ref)).map(({ kind }) => kind);

it.each(["refs/heads/main", "refs/heads/a/b", "refs/tags/v1", "refs/notes/commits"])("lets %s through", (ref) => {
  expect(judge(ref)).toEqual([]);
});

it.each(["refs/pull/1/head", "refs/for/main", "refs/heads", "refs/HEADS/main", "HEAD", "refs/headsx/y", "heads/main"])(
  "refuses %s",
  (ref) => {
    expect(judge(ref)).toEqual(["reject"]);
  },
);

it("follows the entry's own list", () => {
  expect(judge("refs/for/main", { namespaces: ["refs/for/*"] })).toEqual([]);
  expect(judge("refs/heads/main", { namespaces: ["refs/for/*"] })).toEqual(["reject"]);
  expect(judge("refs/heads/main", { namespaces: [] })).toEqual(["reject"]);
});
