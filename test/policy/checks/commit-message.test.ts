import { expect, it } from "vitest";
import { commitMessage } from "../../../src/policy/checks/commit-message.ts";
import { commit, facts, policy, refFacts } from "../facts.ts";

const judge = (commits: object, ...messages: string[]) =>
  commitMessage.judge(
    { policy: policy({ commits }), facts: facts([]) },
    {
      ...refFacts("refs/heads/x"),
      commits: messages.map((message, index) => commit({ oid: String(index + 1).repeat(40), message })),
    },
  );

it.each([
  [{}, "anything"],
  [{ message: "^[A-Z]+-\\d+: " }, "ABC-1: say hello\n\nmore\n"],
  [{ message: "^[A-Z]+-\\d+: .+$" }, "ABC-1: say hello\n"],
  [{ message: "(?m)^Signed-off-by: .+ <.+@.+>$" }, "x\n\nSigned-off-by: Ada <ada@x>\nMore: y\n"],
  [{ message: "^(?:Merge |(?:feat|fix)(?:\\(.+\\))?: )" }, "fix(a(b)): c\n"],
  [{ message: "." }, "x"],
  [{ forbidMessage: "(?i)do not merge|^wip\\b" }, "wipe the slate\n"],
  [{ message: "^.+$" }, "x".repeat(100_000)],
])("under %j lets %j pass", (commits, message) => {
  expect(judge(commits, message)).toEqual([]);
});

it.each([
  [{ message: "^[A-Z]+-\\d+: " }, "say hello\n\nABC-1: no\n"],
  [{ message: "^[A-Z]+-\\d+: .+$" }, "ABC-1: say hello\n\nmore\n"],
  [{ message: "." }, "\n \n"],
  [{ message: "x" }, ""],
  [{ forbidMessage: "(?i)do not merge|^wip\\b" }, "WIP: x\n"],
  [{ forbidMessage: "(?i)do not merge|^wip\\b" }, `${"x\n".repeat(50_000)}Do Not Merge`],
])("under %j refuses %j", (commits, message) => {
  expect(judge(commits, message).map(({ kind }) => kind)).toEqual(["reject"]);
});

it("asks every commit, and names the first", () => {
  expect(judge({ message: "^ok", forbidMessage: "s3cret" }, "ok", "no", "ok s3cret", "nor")).toEqual([
    { kind: "reject", reason: "commit 2222222222 and 1 more: the message does not match ^ok; reword it" },
    { kind: "reject", reason: "commit 3333333333: no message may match s3cret; reword it" },
  ]);
});
