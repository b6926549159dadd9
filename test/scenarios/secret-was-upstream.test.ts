/** Secrets that the pusher did not bring: upstream in the same file before, moved along with it, or come by another branch. */
import { expect, test } from "vitest";
import { plantedAwsKey, plantedSlackToken } from "../harness/planted.ts";
import { mustGit, type WorkingCopy } from "../harness/git.ts";
import { sharedWorld } from "../harness/world.ts";

const world = sharedWorld({
  pushes: [
    { repositories: ["code/known/reject/*"], knownSecrets: "reject" },
    { repositories: ["code/known/hold/*"], knownSecrets: "hold", approvers: ["security"], wait: "0s" },
    { repositories: ["code/branch/*"], secrets: "observe", knownSecrets: "reject" },
  ],
});

const MAIN = "refs/heads/main";
const KEY = `key = "${plantedAwsKey}"`;
const lines = (...own: readonly string[]): string =>
  [...Array.from({ length: 30 }, (_, at) => `setting_${at} = ${at * 7}`), ...own, ""].join("\n");
const TOLD = "These secrets were upstream before this push; revoke what is real:";

let made = 0;

/** A clone of a repository that has a secret since before the gateway. */
async function withSecret(folder: string) {
  const repository = `${folder}/app-${made++}`;
  await world().upstream.createRepository(repository);
  await world().upstream.commitDirectly(repository, MAIN, { "app.conf": lines(KEY) });
  const ana = await world().person("ana@example.com", ["eng"]);
  const copy = await ana.clone(repository);
  const push = (...refs: readonly string[]) =>
    copy.git("push", "origin", ...(refs.length === 0 ? [`HEAD:${MAIN}`] : refs));
  return { repository, copy, push, ana, main: () => world().upstream.ref(repository, MAIN) };
}

const move = async (copy: WorkingCopy, from: string, to: string): Promise<string> => {
  await copy.must("mv", from, to);
  await mustGit(["commit", "-q", "-m", "Move"], { cwd: copy.directory });
  return copy.must("rev-parse", "HEAD");
};

test.each([
  ["its line is touched", (copy: WorkingCopy) => copy.commit("Touch", { "app.conf": lines(`${KEY} # the key`) })],
  ["it stands on another line", (copy: WorkingCopy) => copy.commit("Up", { "app.conf": [KEY, lines()].join("\n") })],
  [
    "its file is moved, and its line touched",
    async (copy: WorkingCopy) => {
      await move(copy, "app.conf", "etc-app.conf");
      return copy.commit("Touch", { "etc-app.conf": lines(`${KEY} # the key`) });
    },
  ],
])("is said to have been there, and passes, where %s", async (_, change) => {
  const { copy, push, main, ana, repository } = await withSecret("known");
  const oid = await change(copy);
  const pushed = await push();
  expect(pushed.code).toBe(0);
  expect(pushed.stderr).toContain(TOLD);
  expect(pushed.stderr).toMatch(/app\.conf:\d+:\d+ {2}aws/);
  expect(pushed.stderr).not.toContain(plantedAwsKey);
  expect(await main()).toBe(oid);
  const { items } = await ana.api(`/api/v1/pushes?repository=code/${repository}`);
  expect(items).toMatchObject([{ status: "delivered", finding_count: 1 }]);
});

test.each([
  ["its file is only moved", (copy: WorkingCopy) => move(copy, "app.conf", "etc-app.conf")],
  ["other lines change", (copy: WorkingCopy) => copy.commit("Other", { "app.conf": lines(KEY, "more = 1") })],
])("is not told again where %s", async (_, change) => {
  const { copy, push, main } = await withSecret("known");
  const oid = await change(copy);
  const pushed = await push();
  expect(pushed.code).toBe(0);
  expect(pushed.stderr).not.toContain("remote: ");
  expect(await main()).toBe(oid);
});

test("refuses or holds the push where policy says so of what was upstream", async () => {
  const touch = (copy: WorkingCopy) => copy.commit("Touch", { "app.conf": lines(`${KEY} # the key`) });
  const refusing = await withSecret("known/reject");
  const before = await refusing.main();
  await touch(refusing.copy);
  expect((await refusing.push()).stderr).toMatch(/\(1 secret found that is upstream already\)/);
  expect(await refusing.main()).toBe(before);

  const holding = await withSecret("known/hold");
  await touch(holding.copy);
  expect((await holding.push()).stderr).toContain("1 secret found that is upstream already: security must agree");
});

test("is the pusher's own where it is another one, or stands in another file", async () => {
  const { copy, push, main } = await withSecret("known");
  const before = await main();
  await copy.commit("Copy", { "other.conf": `${KEY}\n` });
  expect((await push()).stderr).toMatch(/other\.conf:1:\d+ {2}aws/);
  await copy.must("reset", "-q", "--hard", "origin/main");
  await copy.commit("Another", { "app.conf": lines(KEY, `slack = "${plantedSlackToken}"`) });
  expect((await push()).stderr).toMatch(/app\.conf:32:\d+ {2}slack/);
  expect(await main()).toBe(before);
});

test("what came earlier by a feature branch is seen again when main moves to it", async () => {
  const { copy, push, main } = await withSecret("branch");
  const before = await main();
  await copy.commit("Feature", { "feature.conf": `slack = "${plantedSlackToken}"\n` });
  expect((await push("HEAD:refs/heads/feature")).code).toBe(0);
  // No object is new: the push has no pack at all.
  const moved = await push();
  expect(moved.stderr).toMatch(/main \(1 secret found that is upstream already\)/);
  expect(await main()).toBe(before);
});
