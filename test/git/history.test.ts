import { expect, test } from "vitest";
import { readAdditions } from "../../src/git/additions.ts";
import { readChanges, readNewCommits } from "../../src/git/commits.ts";
import { collect, gitBytes, startScene, ZERO } from "./inspection.ts";

/** A stream for git fast-import: `count` commits, each third one a merge of a side line. */
function history(count: number): string {
  const parts: string[] = [];
  let mark = 0;
  const commit = (parents: readonly number[], name: string, text: string): number => {
    mark += 1;
    const message = `commit ${mark}`;
    parts.push(
      `commit refs/heads/main\nmark :${mark}\ncommitter A <a@x> ${1_700_000_000 + mark} +0000\ndata ${message.length}\n${message}\n`,
      ...parents.map((parent, index) => `${index === 0 ? "from" : "merge"} :${parent}\n`),
      `M 100644 inline ${name}\ndata ${text.length}\n${text}\n`,
    );
    return mark;
  };
  let head = commit([], "file-0.txt", "begin\n");
  for (let round = 0; round * 3 + 1 < count; round++) {
    const text = (lines: number): string => Array.from({ length: lines }, (_, line) => `${mark} ${line}\n`).join("");
    const left = commit([head], `dir-${mark % 20}/left-${mark % 100}.txt`, text(20));
    const right = commit([head], `dir-${mark % 20}/right-${mark % 100}.txt`, text(20));
    head = commit([left, right], `dir-${mark % 20}/right-${(mark - 1) % 100}.txt`, text(5));
  }
  return `${parts.join("")}done\n`;
}

test("two thousand commits with their merges: all of them, parents first, in bounded memory", async () => {
  const scene = await startScene();
  await gitBytes(["fast-import", "--quiet", "--done"], scene.work, history(2000));
  const head = await scene.must("rev-parse", "main");
  const expected = (await scene.must("rev-list", "main")).split("\n");
  const merges = Number(await scene.must("rev-list", "--count", "--merges", "main"));
  const updates = [{ ref: "refs/heads/main", oldOid: ZERO, newOid: head }];

  const before = process.memoryUsage().rss;
  const objects = await scene.inspect({ updates });
  const commits = await collect(readNewCommits(objects));
  const additions = await collect(readAdditions(objects));
  const changes = await collect(readChanges(objects));

  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  expect(merges).toBeGreaterThan(600);
  expect(commits.map((commit) => commit.facts.oid).sort()).toEqual([...expected].sort());
  const seen = new Set<string>();
  for (const { facts } of commits) {
    for (const parent of facts.parents) expect(seen.has(parent)).toBe(true);
    seen.add(facts.oid);
  }
  expect(new Set(additions.map((addition) => addition.commit)).size).toBe(expected.length);
  expect(new Set(changes.map((change) => change.commit)).size).toBe(expected.length);
});
