import { expect, it } from "vitest";
import type { CommitFacts } from "../../../src/model/push-facts.ts";
import { commitSignature } from "../../../src/policy/checks/commit-signature.ts";
import { NO_COMMIT_RULES } from "../../../src/policy/schema/commits.ts";
import { commit, facts, policy, refFacts } from "../facts.ts";

const judge = (signed: boolean, ...commits: CommitFacts[]) =>
  commitSignature.judge(
    { policy: { ...policy(), commits: { ...NO_COMMIT_RULES, signed } }, facts: facts([]) },
    { ...refFacts("refs/heads/x"), commits },
  );
const by = (signer: string | null, other: Partial<CommitFacts> = {}) =>
  commit({ signature: { format: "ssh", signer }, ...other });

it("lets pass what the committer or the pusher has signed, and everything where it is not asked for", () => {
  expect(judge(true, by("ada@example.com"), by("ADA@example.com", { committerEmail: "bot@example.com" }))).toEqual([]);
  expect(judge(true, by("bob@example.com", { committerEmail: "bob@example.com" }))).toEqual([]);
  expect(judge(true)).toEqual([]);
  expect(judge(false, commit())).toEqual([]);
});

it.each([
  ["what is not signed", commit(), "not signed"],
  ["OpenPGP", commit({ signature: { format: "openpgp", signer: null } }), "only SSH signatures can be checked here"],
  [
    "X.509",
    commit({ signature: { format: "x509", signer: "ada@example.com" } }),
    "only SSH signatures can be checked here",
  ],
  ["nobody's", by(null), "signed by no key that is listed"],
  ["another person's", by("eve@example.com"), "signed by no key that is listed"],
  ["an empty name's", by("", { committerEmail: "" }), "signed by no key that is listed"],
])("refuses %s", (_, wrong, reason) => {
  expect(judge(true, by("ada@example.com"), wrong)).toEqual([
    { kind: "reject", reason: expect.stringContaining(reason) },
  ]);
});

it("tells each fault once, with its commits", () => {
  const faulty = [commit({ oid: "a".repeat(40) }), by(null, { oid: "b".repeat(40) }), commit({ oid: "c".repeat(40) })];
  expect(judge(true, ...faulty)).toEqual([
    { kind: "reject", reason: expect.stringMatching(/^commit aaaaaaaaaa and 1 more: not signed/) },
    { kind: "reject", reason: expect.stringMatching(/^commit bbbbbbbbbb: signed by no key/) },
  ]);
});
