import { describe, expect, it } from "vitest";
import { pushPolicySchema } from "../../src/policy/schema.ts";

const mistakes = (entry: object): string[] =>
  (pushPolicySchema.safeParse({ repositories: ["code/**"], ...entry }).error?.issues ?? []).map(
    (issue) => `${issue.path.join(".")}: ${issue.message}`,
  );

describe("pushPolicySchema", () => {
  it("fills in what is not said, strictly", () => {
    expect(pushPolicySchema.parse({ repositories: ["code/**"] })).toEqual({
      repositories: ["code/**"],
      secrets: "reject",
      secretsHold: null,
      namespaces: ["refs/heads/**", "refs/tags/**", "refs/notes/**"],
      pushOptions: [],
      protect: [],
      refuse: ["force-push", "delete"],
    });
  });

  it("lets the entry's approvers stand for every hold in it, and a rule say otherwise", () => {
    const entry = pushPolicySchema.parse({
      repositories: ["**"],
      approvers: ["security"],
      wait: "5m",
      secrets: "hold",
      protect: [
        { refs: ["refs/heads/main"] },
        { refs: ["refs/tags/*"], approvers: ["release"], approvals: 2, wait: "0s" },
      ],
    });
    expect(entry.secretsHold).toEqual({
      approvers: ["security"],
      approvals: 1,
      waitMs: 300_000,
      expiresMs: 86_400_000,
    });
    expect(entry.protect).toEqual([
      { refs: ["refs/heads/main"], approvers: ["security"], approvals: 1, waitMs: 300_000, expiresMs: 86_400_000 },
      { refs: ["refs/tags/*"], approvers: ["release"], approvals: 2, waitMs: 0, expiresMs: 86_400_000 },
    ]);
  });

  it.each([
    [
      "a ref that no push can name",
      { protect: [{ refs: ["main"], approvers: ["a"] }] },
      "protect.0.refs.0: expected the full name",
    ],
    [
      "a protected ref without approvers",
      { protect: [{ refs: ["refs/heads/main"] }] },
      "protect.0: a hold needs approvers",
    ],
    ["a hold on secrets without approvers", { secrets: "hold" }, "a hold needs approvers"],
    ["an empty list of approvers", { approvers: [] }, "approvers: at least one approver"],
    ["no approvals", { approvals: 0 }, "approvals: at least 1"],
    ["half an approval", { approvals: 1.5 }, "approvals: expected a whole number"],
    [
      "more approvals than people",
      { protect: [{ refs: ["refs/heads/main"], approvers: ["user:a@x", "user:a@x"], approvals: 2 }] },
      "protect.0.approvals: more approvals",
    ],
    ["a person without an address", { approvers: ["user:ada"] }, "approvers.0: after user:"],
    [
      "a wait that outlives the question",
      { protect: [{ refs: ["**"], approvers: ["a"], wait: "2h", expires: "1h" }] },
      "protect.0.wait",
    ],
    ["a question that nobody can answer", { secrets: "hold", approvers: ["a"], wait: "0s", expires: "0s" }, "expires"],
    ["a repository without a connection", { repositories: ["code"] }, "repositories.0: expected <connection>/<path>"],
    ["no repository", { repositories: [] }, "repositories: name at least one"],
    ["a duration without a unit", { wait: 60 }, "wait: expected a duration"],
  ])("refuses %s", (_, entry, message) => {
    expect(mistakes(entry)).toEqual([expect.stringContaining(message)]);
  });
});
