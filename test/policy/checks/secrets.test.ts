import { describe, expect, it } from "vitest";
import type { Finding } from "../../../src/model/finding.ts";
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

describe("by ref", () => {
  const known = { ...finding(), known: true };
  const at = (line: number, other: Partial<Finding> = {}) => ({ ...finding(), line, ...other });
  const option = at(9, { source: "push-option", oid: null, path: null });
  const byRef = (entry: object, refs: readonly (readonly Finding[])[], all: readonly Finding[] = refs.flat()) => {
    const judged = refs.map((findings, index) => ({ ...refFacts(`refs/heads/${index}`), findings }));
    const context = { policy: policy(entry), facts: facts(judged, { findings: all }) };
    return judged.map((ref) =>
      secrets.judge(context, ref).map((opinion) => opinion.kind !== "allow" && opinion.reason),
    );
  };

  it("counts against the refs that bring it", () => {
    expect(byRef({}, [[at(1)], [], [at(1), at(2)]])).toEqual([["1 secret found"], [], ["2 secrets found"]]);
  });

  it("counts a push option's against every ref, once", () => {
    expect(byRef({}, [[], [at(1)]], [at(1), option])).toEqual([["1 secret found"], ["2 secrets found"]]);
    expect(byRef({}, [[option], [at(1), option]])).toEqual([["1 secret found"], ["2 secrets found"]]);
  });

  it("counts against every ref what stands at none", () => {
    expect(byRef({}, [[], [at(1)]], [at(1), at(2)])).toEqual([["1 secret found"], ["2 secrets found"]]);
  });

  it("lets pass what was upstream before, where it may", () => {
    expect(byRef({}, [[known]])).toEqual([[]]);
    expect(byRef({ knownSecrets: "reject" }, [[known]])).toEqual([["1 secret found that is upstream already"]]);
    expect(byRef({ knownSecrets: "hold", approvers: ["sec"] }, [[known, at(2, { known: true }), at(3)]])).toEqual([
      ["1 secret found", "2 secrets found that are upstream already: sec must agree"],
    ]);
    expect(byRef({ secrets: "observe", knownSecrets: "reject" }, [[at(2)]])).toEqual([[]]);
  });
});

describe("a comment that allows", () => {
  const allowed: Finding = { ...finding(), line: 7, allowed: { by: "sallyport:allow", reason: "test key" } };
  const judged = (entry: object, findings: readonly Finding[]) =>
    secrets.judge({ policy: policy(entry), facts: facts([], { findings }) }, refFacts("refs/heads/x"));
  const reasons = (entry: object, findings: readonly Finding[]) =>
    judged(entry, findings).map((opinion) => (opinion.kind === "allow" ? "" : `${opinion.kind}: ${opinion.reason}`));
  const nobody = "reject: 1 secret found, allowed by a comment; no approvers are configured here who could agree";
  const sec = "hold: 1 secret found, allowed by a comment: sec must agree";

  it.each([
    ["nobody is named", {}, [nobody]],
    ["nobody is named, in the long form", { secrets: { mode: "reject" } }, [nobody]],
    ["the entry names approvers", { approvers: ["sec"] }, [sec]],
    ["its own approvers come first", { secrets: { approvers: ["sec"] }, approvers: ["leads"] }, [sec]],
    ["secrets are held anyway", { secrets: { mode: "hold", approvers: ["sec"] } }, [sec]],
    ["secrets are only recorded", { secrets: "observe", approvers: ["sec"] }, []],
    ["it lets pass", { secrets: { allowComments: "pass" } }, []],
    ["it is ignored", { secrets: { allowComments: "ignore" }, approvers: ["sec"] }, ["reject: 1 secret found"]],
  ])("%s", (_, entry, expected) => {
    expect(reasons(entry, [allowed])).toEqual(expected);
  });

  it("asks whoever decides elsewhere in the entry, where nobody is named for secrets", () => {
    const entry = {
      protect: [{ refs: ["refs/heads/main"], approvers: ["leads", "ops"], approvals: 2, wait: "30s" }],
      paths: [{ paths: ["infra/**"], approvers: ["ops", "sec"], expires: "2h" }],
    };
    expect(judged(entry, [allowed])).toMatchObject([
      {
        kind: "hold",
        requirement: { approvers: ["leads", "ops", "sec"], approvals: 2, waitMs: 30_000, expiresMs: 7_200_000 },
      },
    ]);
  });

  it("speaks for its own secret alone", () => {
    expect(reasons({ approvers: ["sec"] }, [allowed, finding()])).toEqual(["reject: 1 secret found", sec]);
    expect(reasons({ secrets: { allowComments: "pass" } }, [allowed, finding()])).toEqual(["reject: 1 secret found"]);
  });

  it("counts for secrets that were upstream before as well", () => {
    const known = { ...allowed, known: true };
    expect(reasons({ approvers: ["sec"] }, [known])).toEqual([]);
    expect(reasons({ approvers: ["sec"], knownSecrets: "reject" }, [known])).toEqual([
      "hold: 1 secret found that is upstream already, allowed by a comment: sec must agree",
    ]);
  });
});

it("lets pass what the baseline has accepted, and nothing beside it", () => {
  const accepted: Finding = { ...finding(), baseline: { id: "b", reason: "test key" } };
  const judged = (findings: readonly Finding[]) =>
    secrets.judge({ policy: policy({}), facts: facts([], { findings }) }, refFacts("refs/heads/x"));
  expect(judged([accepted])).toEqual([]);
  expect(judged([accepted, { ...finding(), line: 2 }])).toEqual([{ kind: "reject", reason: "1 secret found" }]);
});
