import { expect, it } from "vitest";
import { pushOptions } from "../../../src/policy/checks/push-options.ts";
import { facts, policy, refFacts } from "../facts.ts";

const judge = (allowed: string[], sent: string[]) =>
  pushOptions.judge(
    { policy: policy({ pushOptions: allowed }), facts: facts([], { pushOptions: sent }) },
    refFacts("refs/heads/x"),
  );

it.each([
  [[], []],
  [["ci.skip"], ["ci.skip"]],
  [["*"], ["anything", "at=all/x"]],
  [["merge_request.*"], ["merge_request.target=a/b"]],
])("%j lets %j through", (allowed, sent) => {
  expect(judge(allowed, sent)).toEqual([]);
});

it.each([
  [[], ["ci.skip"]],
  [["ci.skip"], ["ci.skip=1"]],
  [["ci.skip"], ["CI.SKIP"]],
  [["ci.skip"], ["ci.skip", "other"]],
  [["merge_request.*"], ["x merge_request.create"]],
])("%j refuses %j", (allowed, sent) => {
  expect(judge(allowed, sent).map(({ kind }) => kind)).toEqual(["reject"]);
});

it("counts what it refuses and repeats none of it, since an option can hold a secret", () => {
  const [opinion] = judge(["ci.skip"], ["token=s3cret", "ci.skip", "b"]);
  expect(opinion).toMatchObject({ reason: expect.stringContaining("2 push options") });
  expect(JSON.stringify(opinion)).not.toContain("s3cret");
});
