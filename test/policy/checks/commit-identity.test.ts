import { describe, expect, it } from "vitest";
import type { CommitFacts } from "../../../src/model/push-facts.ts";
import { commitIdentity } from "../../../src/policy/checks/commit-identity.ts";
import { commit, facts, policy, refFacts } from "../facts.ts";

const judge = (commits: object, pushed: readonly CommitFacts[], other: Parameters<typeof facts>[1] = {}) =>
  commitIdentity.judge(
    { policy: policy({ commits }), facts: facts([], { commits: pushed, ...other }) },
    { ...refFacts("refs/heads/x"), commits: pushed },
  );
const both = { author: "verified", committer: "verified" };
const eve = "eve@example.com";

it.each([
  [both, {}],
  [both, { authorEmail: "ADA@Example.COM" }],
  [{ author: "verified" }, { committerEmail: eve }],
  [{ committer: "verified" }, { authorEmail: eve }],
  [
    { ...both, bots: ["EVE@example.com"] },
    { authorEmail: eve, committerEmail: eve },
  ],
  [{}, { authorEmail: eve, committerEmail: eve }],
  [
    { ...both, others: ["user:ada@example.com"] },
    { authorEmail: eve, committerEmail: eve },
  ],
] as const)("under %j lets %j pass", (commits, who) => {
  expect(judge(commits, [commit(), commit(who)])).toEqual([]);
});

it.each([
  ["another person", eve],
  ["nobody", ""],
  ["an address with white space", " ada@example.com"],
  ["an address with a tab behind", "ada@example.com\t"],
  ["an address that goes on", "ada@example.com.evil.org"],
  ["two addresses", "ada@example.com> <eve@example.com"],
  ["a letter that looks the same", "\u0430da@example.com"],
  ["full-width letters", "\uff41da@example.com"],
  ["an invisible character", "ada\u200b@example.com"],
])("refuses %s", (_, email) => {
  expect(judge({ author: "verified" }, [commit({ authorEmail: email })])).toMatchObject([
    { kind: "reject", reason: expect.stringContaining("the author is not you") },
  ]);
  expect(judge({ committer: "verified" }, [commit({ committerEmail: email })])).toMatchObject([
    { kind: "reject", reason: expect.stringContaining("the committer is not you") },
  ]);
});

it("compares by ASCII case alone: the Kelvin sign is no k", () => {
  const { principal } = facts([]);
  const kim = { principal: { ...principal, email: "kim@example.com" } };
  expect(judge({ author: "verified" }, [commit({ authorEmail: "KIM@example.com" })], kim)).toEqual([]);
  expect(judge({ author: "verified" }, [commit({ authorEmail: "\u212Aim@example.com" })], kim)).toHaveLength(1);
});

it("takes nobody for a person without an address", () => {
  const { principal } = facts([]);
  expect(
    judge(both, [commit({ authorEmail: "", committerEmail: "" })], { principal: { ...principal, email: "" } }),
  ).toHaveLength(2);
});

it("names the first commit and counts the rest, in no words of theirs", () => {
  const strange = [
    commit({ oid: "a".repeat(40), authorEmail: eve, authorName: "s3cret" }),
    commit({ oid: "b".repeat(40), authorEmail: eve }),
  ];
  const [opinion] = judge(both, [commit(), ...strange]);
  expect(opinion).toMatchObject({
    reason: expect.stringMatching(/^commit aaaaaaaaaa and 1 more: the author is not you; /),
  });
  expect(JSON.stringify(opinion)).not.toMatch(/s3cret|eve/);
});

describe("what is upstream already", () => {
  const ofEve = commit({ authorEmail: eve, committerEmail: eve });
  const own = commit({ oid: "f".repeat(40) });

  it("was asked of whoever brought it", () => {
    const context = { policy: policy({ commits: both }), facts: facts([], { commits: [own] }) };
    expect(commitIdentity.judge(context, { ...refFacts("refs/heads/main"), commits: [ofEve, own] })).toEqual([]);
  });

  it("is nothing that a new ref gains, whatever the pack holds", () => {
    const context = { policy: policy({ commits: both }), facts: facts([], { commits: [] }) };
    expect(commitIdentity.judge(context, { ...refFacts("refs/heads/new", "create"), commits: [ofEve] })).toHaveLength(
      2,
    );
  });
});
