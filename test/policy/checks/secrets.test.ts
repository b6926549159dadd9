import { expect, it } from "vitest";
import { secrets } from "../../../src/policy/checks/secrets.ts";
import { facts, finding, policy, refFacts } from "../facts.ts";

const judge = (entry: object, severities: readonly ("block" | "warn")[]) =>
  secrets.judge(
    { policy: policy(entry), facts: facts([], { findings: severities.map(finding) }) },
    refFacts("refs/heads/x"),
  );

it.each([
  [{}, [], []],
  [{}, ["warn", "warn"], []],
  [{}, ["block"], ["reject"]],
  [{ secrets: "reject" }, ["warn", "block"], ["reject"]],
  [{ secrets: "observe" }, ["block"], []],
  [{ secrets: "hold", approvers: ["sec"] }, ["block"], ["hold"]],
  [{ secrets: "hold", approvers: ["sec"] }, ["warn"], []],
] as const)("%j with findings %j: %j", (entry, severities, kinds) => {
  expect(judge(entry, severities).map(({ kind }) => kind)).toEqual(kinds);
});

it("counts the findings that block", () => {
  expect(judge({}, ["block", "warn", "block"])[0]).toMatchObject({
    reason: expect.stringContaining("2 secrets found"),
  });
  expect(judge({}, ["block"])[0]).toMatchObject({ reason: expect.stringContaining("1 secret found") });
});

it("holds for the entry's approvers", () => {
  const entry = { secrets: "hold", approvers: ["sec"], approvals: 1, wait: "0s", expires: "2h" };
  expect(judge(entry, ["block"])[0]).toMatchObject({
    requirement: { approvers: ["sec"], approvals: 1, waitMs: 0, expiresMs: 7_200_000 },
  });
});

it("rejects where a hold has nobody to decide", () => {
  const broken = { ...policy(), secrets: "hold" as const, secretsHold: null };
  const opinions = secrets.judge(
    { policy: broken, facts: facts([], { findings: [finding()] }) },
    refFacts("refs/heads/x"),
  );
  expect(opinions.map(({ kind }) => kind)).toEqual(["reject"]);
});
