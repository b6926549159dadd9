/**
 * A dry run of each check: what it would refuse or hold passes, and whoever pushes and whoever reads the record is told. The same
 * push to a repository where the check counts is refused or held, so that each of these is something to tell.
 */
import { expect, test } from "vitest";
import { CHECK_NAMES, type CheckName } from "../../src/policy/check-names.ts";
import { plantedAwsKey } from "../harness/planted.ts";
import type { GitRun, WorkingCopy } from "../harness/git.ts";
import { sharedWorld, type Person } from "../harness/world.ts";

interface DryRun {
  readonly policy: Readonly<Record<string, unknown>>;
  /** Checks that would stop the same push besides. */
  readonly besides?: readonly CheckName[];
  readonly ref: string;
  /** @returns what to push */
  readonly make: (copy: WorkingCopy) => Promise<readonly string[]>;
  readonly would: "refused" | "held";
  readonly reason: RegExp;
}

/** Nobody's: what is not signed needs none. RFC 4253, section 6.6. */
const KEY = Buffer.concat([Buffer.from("\0\0\0\u000bssh-ed25519\0\0\0 ", "latin1"), Buffer.alloc(32, 7)]);

const MAIN = "refs/heads/main";
const APPROVERS = { approvers: ["release"], wait: "0s" };

const change = async (copy: WorkingCopy): Promise<string> => copy.commit("Change", { "a.txt": "changed\n" });
const toMain = async (copy: WorkingCopy): Promise<readonly string[]> => {
  await change(copy);
  return [`HEAD:${MAIN}`];
};

const DRY_RUNS: Readonly<Record<CheckName, DryRun>> = {
  namespaces: {
    policy: {},
    ref: "refs/odd/place",
    make: async (copy) => {
      await change(copy);
      return ["HEAD:refs/odd/place"];
    },
    would: "refused",
    reason: /this ref is outside of what may be pushed here/,
  },
  "push-options": {
    policy: {},
    ref: MAIN,
    make: async (copy) => ["-o", "ci.skip", ...(await toMain(copy))],
    would: "refused",
    reason: /1 push option is not let through here; push without -o/,
  },
  pushers: {
    policy: { pushers: [{ refs: [MAIN], allow: ["release"] }] },
    ref: MAIN,
    make: toMain,
    would: "refused",
    reason: /only release may push to this ref/,
  },
  "force-push": {
    policy: { protect: [{ refs: [MAIN], ...APPROVERS }] },
    besides: ["protected-refs"],
    ref: MAIN,
    make: async (copy) => {
      await copy.must("commit", "-q", "--amend", "-m", "Another history");
      return ["--force", `HEAD:${MAIN}`];
    },
    would: "refused",
    reason: /a protected ref takes no force-push/,
  },
  deletion: {
    policy: { protect: [{ refs: ["refs/heads/old"], ...APPROVERS }] },
    besides: ["protected-refs"],
    ref: "refs/heads/old",
    make: async () => [":refs/heads/old"],
    would: "refused",
    reason: /a protected ref cannot be deleted through the gateway/,
  },
  creation: {
    policy: { protect: [{ refs: ["refs/heads/release/*"], ...APPROVERS }], refuse: ["create"] },
    besides: ["protected-refs"],
    ref: "refs/heads/release/1",
    make: async (copy) => {
      await change(copy);
      return ["HEAD:refs/heads/release/1"];
    },
    would: "refused",
    reason: /a protected ref cannot be created through the gateway/,
  },
  secrets: {
    policy: { secrets: "reject" },
    ref: MAIN,
    make: async (copy) => {
      await copy.commit("Change", { "settings.env": `AWS_ACCESS_KEY_ID=${plantedAwsKey}\n` });
      return [`HEAD:${MAIN}`];
    },
    would: "refused",
    reason: /1 secret found/,
  },
  "commit-identity": {
    policy: { commits: { author: "verified" } },
    ref: MAIN,
    make: async (copy) => {
      await copy.must("commit", "-q", "--allow-empty", "--author=Eve <eve@example.com>", "-m", "Change");
      return [`HEAD:${MAIN}`];
    },
    would: "refused",
    reason: /commit [0-9a-f]{10}: the author is not you/,
  },
  "commit-signature": {
    policy: { commits: { signed: true, signers: "allowed_signers" } },
    ref: MAIN,
    make: toMain,
    would: "refused",
    reason: /commit [0-9a-f]{10}: not signed/,
  },
  "commit-message": {
    policy: { commits: { message: "^[A-Z]+-[0-9]+: " } },
    ref: MAIN,
    make: toMain,
    would: "refused",
    reason: /commit [0-9a-f]{10}: the message does not match/,
  },
  "file-size": {
    policy: { files: { maxBytes: "7 B" } },
    ref: MAIN,
    make: toMain,
    would: "refused",
    reason: /commit [0-9a-f]{10}: a file larger than 7 bytes/,
  },
  "file-kinds": {
    policy: { files: { forbid: ["**/*.txt"] } },
    ref: MAIN,
    make: toMain,
    would: "refused",
    reason: /commit [0-9a-f]{10}: files like \*\*\/\*\.txt are not taken here/,
  },
  "protected-refs": {
    policy: { protect: [{ refs: [MAIN], ...APPROVERS }] },
    ref: MAIN,
    make: toMain,
    would: "held",
    reason: /needs 1 approval by release/,
  },
  "path-approvals": {
    policy: { paths: [{ paths: ["a.txt"], ...APPROVERS }] },
    ref: MAIN,
    make: toMain,
    would: "held",
    reason: /a change of a\.txt needs 1 approval by release/,
  },
};

const world = sharedWorld({
  pushes: [...CHECK_NAMES, "told" as const].flatMap((repository) => {
    const name = repository === "told" ? "secrets" : repository;
    const { policy, besides = [] } = DRY_RUNS[name];
    return [
      { repositories: [`code/${repository}/observed`], ...policy, observe: [name, ...besides] },
      { repositories: [`code/${repository}/counted`], ...policy, observe: besides },
    ];
  }),
  files: { allowed_signers: `lee@example.com ssh-ed25519 ${KEY.toString("base64")}\n` },
});

async function push(ana: Person, name: CheckName, repository: string): Promise<GitRun> {
  const { upstream } = world();
  await upstream.createRepository(repository);
  await upstream.commitDirectly(repository, MAIN, { "README.md": "# App\n" });
  await upstream.commitDirectly(repository, "refs/heads/old", { "old.md": "# Old\n" });
  const copy = await ana.clone(repository);
  await copy.must("checkout", "-q", "-B", "main", "origin/main");
  return copy.git("push", "origin", ...(await DRY_RUNS[name].make(copy)));
}

const escaped = (text: string): string => text.replaceAll(/[/.]/g, "\\$&");

test.each(CHECK_NAMES)("%s", async (name) => {
  const { ref, would, reason } = DRY_RUNS[name];
  const { upstream } = world();
  const ana = await world().person("ana@example.com", ["eng"]);

  const counted = await push(ana, name, `${name}/counted`);
  expect(counted.code).toBe(1);
  expect(counted.stderr).toMatch(new RegExp(`${escaped(ref)}: (?:.*; )?${reason.source}`));

  const passed = await push(ana, name, `${name}/observed`);
  // Told: to whoever pushes.
  expect(passed.stderr).toContain("Checks that only observe (nothing is stopped by them):");
  expect(passed.stderr).toMatch(new RegExp(`${escaped(ref)}: would be ${would}: ${reason.source}`));
  expect(passed.stderr).not.toMatch(/rejected\]/);
  // Passed: the upstream has it.
  expect(passed.code).toBe(0);
  const { items } = await ana.api(`/api/v1/pushes?repository=code/${name}/observed`);
  expect(items).toHaveLength(1);
  const [record] = items as {
    status: string;
    refs: { ref: string; new: string; verdict: string; observed: unknown }[];
  }[];
  const [moved] = record?.refs ?? [];
  expect(await upstream.ref(`${name}/observed`, ref)).toBe(/^0+$/.test(moved?.new ?? "") ? null : moved?.new);
  // Recorded: as what it would have been, beside what it was.
  expect(record).toMatchObject({ status: "delivered", refs: [{ ref, verdict: "allow" }] });
  expect(moved?.observed).toContainEqual({
    check: name,
    verdict: would === "refused" ? "reject" : "hold",
    reason: expect.stringMatching(reason),
  });
});

test("secrets that are only observed are told with their places, and never themselves", async () => {
  const ana = await world().person("ana@example.com", ["eng"]);
  const { stderr } = await push(ana, "secrets", "told/observed");
  expect(stderr).toContain("policy lets them pass: they are upstream now. Revoke what is real:");
  expect(stderr).toMatch(/settings\.env:1:\d+ {2}aws/);
  expect(stderr).not.toContain(plantedAwsKey);
});
