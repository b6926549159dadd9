import { describe, expect, it } from "vitest";
import type { Check } from "../../src/policy/check.ts";
import { CHECK_NAMES } from "../../src/policy/check-names.ts";
import { CHECKS, evaluatePush } from "../../src/policy/evaluate.ts";
import { policyFor } from "../../src/policy/match.ts";
import { UNMATCHED_POLICY } from "../../src/policy/schema.ts";
import { facts, finding, policy, refFacts } from "./facts.ts";

const MAIN = "refs/heads/main";
const FEATURE = "refs/heads/feature/x";
const protect = (refs: string[], other: object = {}) => ({ refs, approvers: ["release"], ...other });

describe("evaluatePush", () => {
  it("lets a plain push through", () => {
    const verdict = evaluatePush([policy()], facts([refFacts(FEATURE)]));
    expect(verdict).toEqual({
      kind: "allow",
      refs: [{ update: refFacts(FEATURE).update, opinion: { kind: "allow" }, observed: [] }],
      holds: [],
    });
  });

  it("is as strict as its strictest ref, and judges each ref by itself", () => {
    const verdict = evaluatePush(
      [policy({ protect: [protect([MAIN])] })],
      facts([refFacts(FEATURE), refFacts(MAIN), refFacts("refs/pull/1/head")]),
    );
    expect(verdict.kind).toBe("reject");
    expect(verdict.refs.map(({ opinion }) => opinion.kind)).toEqual(["allow", "hold", "reject"]);
    expect(verdict.holds).toHaveLength(1);
  });

  it("lets a refusal win over a hold on the same ref, and then holds nothing", () => {
    const verdict = evaluatePush([policy({ protect: [protect([MAIN])] })], facts([refFacts(MAIN, "force")]));
    expect(verdict.kind).toBe("reject");
    expect(verdict.refs[0]?.opinion).toMatchObject({ reason: expect.stringContaining("force-push") });
    expect(verdict.holds).toEqual([]);
  });

  it("tells every reason of the winning kind once", () => {
    const verdict = evaluatePush(
      [policy()],
      facts([refFacts("refs/x/y")], { findings: [finding()], pushOptions: ["ci.skip"] }),
    );
    const opinion = verdict.refs[0]?.opinion;
    expect(opinion?.kind === "reject" && opinion.reason.split("; ").length).toBeGreaterThanOrEqual(3);
  });

  it("asks all who must agree: every rule that holds a ref is a hold of its own", () => {
    const verdict = evaluatePush(
      [
        policy({
          secrets: "hold",
          approvers: ["security"],
          wait: "30s",
          protect: [
            protect(["refs/heads/*"], { approvals: 2, expires: "1h" }),
            protect([MAIN], { approvers: ["boss"] }),
          ],
        }),
      ],
      facts([refFacts(MAIN)], { findings: [finding()] }),
    );
    expect(verdict.holds.map(({ requirement }) => requirement.approvers)).toEqual([
      ["security"],
      ["release"],
      ["boss"],
    ]);
    expect(verdict.refs[0]?.opinion).toMatchObject({
      kind: "hold",
      requirement: { approvers: ["release"], approvals: 2, waitMs: 30_000, expiresMs: 3_600_000 },
    });
  });

  it("asks once for two refs held by the same rule", () => {
    const verdict = evaluatePush(
      [policy({ protect: [protect(["refs/heads/release/*"])] })],
      facts([refFacts("refs/heads/release/1"), refFacts("refs/heads/release/2")]),
    );
    expect(verdict.refs.map(({ opinion }) => opinion.kind)).toEqual(["hold", "hold"]);
    expect(verdict.holds).toHaveLength(1);
  });

  it("rejects when a check throws, whatever the others say", () => {
    const broken: Check = {
      name: "broken",
      judge: () => {
        throw new Error("private detail");
      },
    };
    const faults: string[] = [];
    const verdict = evaluatePush([policy()], facts([refFacts(FEATURE)]), {
      checks: [{ name: "fine", judge: () => [] }, broken],
      onFault: (check) => faults.push(check),
    });
    expect(verdict.kind).toBe("reject");
    expect(JSON.stringify(verdict)).toContain("broken");
    expect(JSON.stringify(verdict)).not.toContain("private detail");
    expect(faults).toEqual(["broken"]);
  });
});

describe("policyFor", () => {
  const first = policy({ repositories: ["code/team/app"], secrets: "observe" });
  const second = policy({ repositories: ["code/**"] });

  it.each([
    ["code/team/app", first],
    ["code/TEAM/App", first],
    ["code/team/app2", second],
    ["other/team/app", UNMATCHED_POLICY],
  ])("takes the first entry that matches %s", (repository, expected) => {
    expect(policyFor([first, second], repository)).toBe(expected);
  });

  it("still checks secrets and namespaces where nothing matches, and protects nothing", () => {
    const judge = (ref: string, other: object) =>
      evaluatePush([], facts([refFacts(ref, "force")], { repository: "x/y", ...other })).kind;
    expect(judge(MAIN, {})).toBe("allow");
    expect(judge(MAIN, { findings: [finding()] })).toBe("reject");
    expect(judge(MAIN, { pushOptions: ["o"] })).toBe("reject");
    expect(judge("refs/for/main", {})).toBe("reject");
  });
});

describe("the lists of a ref", () => {
  const counting = () => {
    const asked = { commits: 0, files: 0 };
    const ref = Object.defineProperties(
      { ...refFacts(FEATURE) },
      { commits: { get: () => (asked.commits++, []) }, files: { get: () => (asked.files++, []) } },
    );
    return { asked, ref };
  };

  it("are made for nobody where no check asks", () => {
    const { asked, ref } = counting();
    evaluatePush([policy()], facts([ref]));
    expect(asked).toEqual({ commits: 0, files: 0 });
  });

  it("are made once for all checks that do", () => {
    const { asked, ref } = counting();
    const rules = {
      commits: { author: "verified", message: "x", forbidMessage: "y" },
      files: { maxBytes: 1, forbid: ["a"], symlinks: "refuse" },
    };
    evaluatePush([policy({ ...rules, observe: ["commit-message"] })], facts([ref]));
    expect(asked).toEqual({ commits: 1, files: 1 });
  });
});

describe("checks that are observed", () => {
  const observe = ["force-push", "secrets", "protected-refs"];
  const entry = (other: object = {}) => policy({ protect: [protect([MAIN])], ...other });

  it("say what they would have said, and count for nothing", () => {
    const pushed = [refFacts(MAIN, "force"), refFacts(FEATURE)];
    const verdict = evaluatePush([entry({ observe })], facts(pushed, { findings: [finding()] }));
    expect(verdict).toMatchObject({ kind: "allow", holds: [] });
    expect(
      verdict.refs.map(({ opinion, observed = [] }) => [
        opinion.kind,
        observed.map(({ check, opinion: { kind } }) => [check, kind]),
      ]),
    ).toEqual([
      [
        "allow",
        [
          ["force-push", "reject"],
          ["secrets", "reject"],
          ["protected-refs", "hold"],
        ],
      ],
      ["allow", [["secrets", "reject"]]],
    ]);
  });

  it("leave the others as they are", () => {
    const verdict = evaluatePush([entry({ observe: ["protected-refs"] })], facts([refFacts(MAIN, "force")]));
    expect(verdict.refs[0]).toMatchObject({
      opinion: { kind: "reject", reason: expect.not.stringContaining("approval") },
      observed: [{ check: "protected-refs", opinion: { kind: "hold" } }],
    });
  });

  it("stop nothing by failing, and tell the operator", () => {
    const broken: Check = {
      name: "secrets",
      judge: () => {
        throw new Error("x");
      },
    };
    const faults: string[] = [];
    const verdict = evaluatePush([entry({ observe })], facts([refFacts(FEATURE)]), {
      checks: [broken],
      onFault: (check) => faults.push(check),
    });
    expect(verdict.kind).toBe("allow");
    expect(verdict.refs[0]?.observed).toEqual([
      { check: "secrets", opinion: expect.objectContaining({ kind: "reject" }) },
    ]);
    expect(faults).toEqual(["secrets"]);
  });

  it("go by the names that the configuration has", () => {
    expect(CHECKS.map(({ name }) => name)).toEqual([...CHECK_NAMES]);
  });
});
