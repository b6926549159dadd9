import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { encodeDanglingQuestion, parseDanglingAnswer } from "../../src/git/dangling-refs.ts";
import { createByteReader } from "../../src/git/byte-reader.ts";
import { parsePushRequest } from "../../src/git/receive-pack.ts";
import { mustGit, temporaryDirectory } from "../harness/git.ts";

test.each(["sha1", "sha256"] as const)(
  "git itself tells what a name stands for, and changes nothing: %s",
  async (format) => {
    const cwd = await temporaryDirectory("dangling");
    const must = (...args: readonly string[]) => mustGit(args, { cwd });
    await must("init", "-q", "--bare", `--object-format=${format}`, ".");
    const tree = await mustGit(["mktree"], { cwd, input: "" });
    const oid = await must("commit-tree", "-m", "x", tree);
    await must("update-ref", "refs/heads/main", oid);
    await must("symbolic-ref", "refs/heads/it's", "refs/heads/gone");
    await must("symbolic-ref", "refs/heads/far", "refs/heads/it's");
    const refs = ["refs/heads/it's", "refs/heads/far", "refs/heads/new", "refs/heads/main/x", "refs/tags/t"];
    const { head, pack } = encodeDanglingQuestion(refs, oid);
    const run = await mustGit(["receive-pack", "--stateless-rpc", "."], { cwd, input: Buffer.concat([head, pack]) });
    expect(parseDanglingAnswer(run, refs)).toEqual(
      new Map([
        ["refs/heads/it's", "refs/heads/gone"],
        ["refs/heads/far", "refs/heads/gone"],
      ]),
    );
    expect(await must("for-each-ref", "--format=%(objectname) %(refname)")).toBe(`${oid} refs/heads/main`);
    const read = await parsePushRequest(createByteReader(Readable.from([head])));
    expect(read.updates.map(({ ref }) => ref)).toEqual(refs);
  },
);

test.each([
  ["", []],
  ["error: something else\n", []],
  ["error: cannot lock ref 'refs/heads/a': unable to resolve reference 'refs/heads/a'\n", []],
  ["error: cannot lock ref 'refs/heads/a': unable to resolve reference 'refs/heads/b'\n", ["refs/heads/b"]],
  ["Fehler: Kann Referenz 'refs/heads/a' nicht sperren: 'refs/heads/b' fehlt\r\n", []],
  ["Fehler: Referenz nicht gesperrt 'refs/heads/a': keine Referenz 'refs/heads/b' da\n", ["refs/heads/b"]],
  ["remote: 'refs/heads/other': 'refs/heads/b'\n", []],
])("%j", (text, targets) => {
  expect([...parseDanglingAnswer(text, ["refs/heads/a"]).values()]).toEqual(targets);
});
