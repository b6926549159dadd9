import { describe, expect, it } from "vitest";
import { pushPolicySchema } from "../../src/config/schema.ts";
import { USUAL_LIMITS } from "../../src/policy/schema/limits.ts";

const mistakes = (entry: object): string[] =>
  (pushPolicySchema.safeParse({ repositories: ["code/**"], ...entry }).error?.issues ?? []).map(
    (issue) => `${issue.path.join(".")}: ${issue.message}`,
  );

describe("pushPolicySchema", () => {
  it("fills in what is not said, strictly", () => {
    expect(pushPolicySchema.parse({ repositories: ["code/**"] })).toEqual({
      repositories: ["code/**"],
      secrets: "reject",
      allowComments: "hold",
      knownSecrets: "observe",
      secretsHold: null,
      namespaces: ["refs/heads/**", "refs/tags/**", "refs/notes/**"],
      pushOptions: [],
      protect: [],
      refuse: ["force-push", "delete"],
      pushers: [],
      paths: [],
      commits: {
        author: false,
        committer: false,
        bots: [],
        others: [],
        message: null,
        forbidMessage: null,
        signed: false,
        signersFile: null,
        signers: [],
      },
      files: { maxBytes: null, forbid: [], symlinks: "allow", submodules: "allow" },
      limits: USUAL_LIMITS,
      observe: [],
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
    [
      "a repository with .git",
      { repositories: ["code/app.git"] },
      "repositories.0: repositories are named without .git",
    ],
    ["no repository", { repositories: [] }, "repositories: name at least one"],
    ["a duration without a unit", { wait: 60 }, "wait: expected a duration"],
    ["a hold on known secrets without approvers", { knownSecrets: "hold" }, "a hold needs approvers"],
    ["pushers of no ref", { pushers: [{ refs: [], allow: ["a"] }] }, "pushers.0.refs: name at least one ref"],
    [
      "pushers of what no push can name",
      { pushers: [{ refs: ["main"], allow: [] }] },
      "pushers.0.refs.0: expected the",
    ],
    ["a path rule without approvers", { paths: [{ paths: ["a"] }] }, "paths.0: a hold needs approvers"],
    ["an absolute path", { paths: [{ paths: ["/a"], approvers: ["a"] }] }, "paths.0.paths.0: paths are relative"],
    ["a directory", { paths: [{ paths: ["infra/"], approvers: ["a"] }] }, "a directory alone matches no file"],
    ["a path with dots", { files: { forbid: ["a/../b"] } }, "files.forbid.0: a path in a repository has no"],
    ["no path at all", { paths: [{ paths: [], approvers: ["a"] }] }, "paths.0.paths: name at least one path"],
    ["an unknown kind of verification", { commits: { author: "yes" } }, "commits.author"],
    ["bots that say nothing", { commits: { bots: ["a@b"] } }, "commits.bots: bots says nothing without"],
    ["others that say nothing", { commits: { others: ["*"] } }, "commits.others: others says nothing without"],
    [
      "a bot without an address",
      { commits: { author: "verified", bots: ["ci"] } },
      "commits.bots.0: expected an e-mail",
    ],
    ["signed commits by nobody", { commits: { signed: true } }, "commits: signed: true needs signers"],
    ["signers of nothing", { commits: { signers: "f" } }, "commits.signers: signers says nothing without"],
    ["a pattern that looks around", { commits: { message: "a(?=b)" } }, "commits.message: this pattern cannot be used"],
    ["a pattern that refers back", { commits: { forbidMessage: "(a)\\1" } }, "commits.forbidMessage: this pattern"],
    ["a pattern without an end", { commits: { message: "(a" } }, "never closed"],
    ["a pattern that is too large", { commits: { message: "((a{1000}){1000})" } }, "too large"],
    ["an empty pattern", { commits: { message: "" } }, "matches everything"],
    ["a size without a number", { files: { maxBytes: "big" } }, "files.maxBytes: expected a number of bytes"],
    ["a size of nothing", { files: { maxBytes: "0MB" } }, "files.maxBytes: expected a number of bytes"],
    ["half a byte", { files: { maxBytes: "1.5B" } }, "files.maxBytes: expected a number of bytes"],
    ["a limit of nothing", { limits: { objects: 0 } }, "limits.objects: at least 1"],
    ["a limit in words", { limits: { commits: "many" } }, "limits.commits: expected a whole number of commits"],
    ["no time at all", { limits: { time: "0s" } }, "limits.time: a push takes some time"],
    ["an unknown check", { observe: ["secret"] }, "observe.0"],
  ])("refuses %s", (_, entry, message) => {
    expect(mistakes(entry)).toEqual([expect.stringContaining(message)]);
  });
});

describe("limits", () => {
  const limits = (given: object) => pushPolicySchema.parse({ repositories: ["**"], limits: given }).limits;

  it("become the bounds of reading a push, and what is not said stays as it is", () => {
    expect(limits({})).toEqual(USUAL_LIMITS);
    expect(USUAL_LIMITS).toMatchObject({ push: {}, head: {} });
    expect(Object.keys({ ...USUAL_LIMITS.push, ...USUAL_LIMITS.head })).toEqual([]);
    expect(limits({ refs: 10, packBytes: "10MB", time: "5m" })).toEqual({
      ...USUAL_LIMITS,
      push: { packBytes: 10_000_000, gitTimeoutMs: 300_000, inspectionMs: 300_000 },
      head: { commands: 10 },
    });
    const all = limits({
      packBytes: 1,
      objects: 2,
      objectBytes: "3 B",
      inflatedBytes: "4KiB",
      inflationRatio: 5,
      inflatedFreeBytes: "50kB",
      diffBytes: "6kB",
      commits: 7,
      refs: 8,
      commandBytes: "9MiB",
      changedPaths: 10,
      treeDepth: 11,
      findings: 13,
      time: "12s",
    });
    expect(all).toEqual({
      ...USUAL_LIMITS,
      push: {
        packBytes: 1,
        objects: 2,
        objectBytes: 3,
        inflatedBytes: 4096,
        inflationRatio: 5,
        inflatedFreeBytes: 50_000,
        additionBytes: 6000,
        commits: 7,
        changedPaths: 10,
        treeDepth: 11,
        findings: 13,
        gitTimeoutMs: 12_000,
        inspectionMs: 12_000,
      },
      head: { commands: 8, bytes: 9 * 2 ** 20 },
    });
  });

  it("say how large an object of Git LFS may be", () => {
    expect(limits({}).lfsObjectBytes).toBeNull();
    expect(limits({ lfsObjectBytes: "5GiB" })).toEqual({ ...USUAL_LIMITS, lfsObjectBytes: 5 * 2 ** 30 });
  });
});
