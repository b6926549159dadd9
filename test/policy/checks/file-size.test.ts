import { expect, it } from "vitest";
import { fileSize } from "../../../src/policy/checks/file-size.ts";
import { facts, file, policy, refFacts } from "../facts.ts";

const judge = (entry: object, ...bytes: (number | null)[]) =>
  fileSize.judge(
    { policy: policy(entry), facts: facts([]) },
    {
      ...refFacts("refs/heads/x"),
      files: bytes.map((size, index) => file(`s3cret/${index}`, { bytes: size, oid: String(index + 1).repeat(40) })),
    },
  );
const ten = { files: { maxBytes: "10MB" } };

it.each([
  [{}, [1e12]],
  [ten, [0, 10_000_000, null]],
  [ten, []],
])("under %j lets %j pass", (entry, bytes) => {
  expect(judge(entry, ...bytes)).toEqual([]);
});

it("refuses what is larger, wherever in the range it stood, and repeats no name", () => {
  expect(judge(ten, 1, 10_000_001)).toEqual([
    { kind: "reject", reason: expect.stringMatching(/^commit 2222222222: a file larger than 10 MB; .*Git LFS$/) },
  ]);
  const [opinion] = judge(ten, 10_000_001, 1, 20_000_000);
  expect(opinion).toMatchObject({ reason: expect.stringMatching(/^commit 1111111111 and 1 more: 2 files larger/) });
  expect(JSON.stringify(opinion)).not.toContain("s3cret");
});
