import { expect, test } from "vitest";
import { encodeLsRefs, parseSymrefs } from "../../src/git/ls-refs.ts";
import { DELIM_PKT, encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";

const OID = "1".repeat(40);
const answer = (...lines: string[]) => Buffer.concat([...lines.map((line) => encodePktLine(line)), FLUSH_PKT]);

test("the request names every ref as a prefix", () => {
  expect(encodeLsRefs(["refs/heads/a"]).toString()).toBe(
    "0014command=ls-refs\n0001000csymrefs\n001cref-prefix refs/heads/a\n0000",
  );
});

test("symbolic refs are told from others, whatever else is said of them", () => {
  const symrefs = parseSymrefs(
    answer(
      `${OID} refs/heads/alias symref-target:refs/heads/main\n`,
      `${OID} refs/heads/main\n`,
      `${"2".repeat(64)} refs/tags/v1 peeled:${OID} symref-target:refs/tags/v2`,
      "unborn HEAD symref-target:refs/heads/none\n",
    ),
  );
  expect([...symrefs]).toEqual([
    ["refs/heads/alias", "refs/heads/main"],
    ["refs/tags/v1", "refs/tags/v2"],
    ["HEAD", "refs/heads/none"],
  ]);
  expect([...parseSymrefs(FLUSH_PKT)]).toEqual([]);
});

test.each([
  ["an error", answer("ERR unknown command")],
  ["version 0", answer(`${OID} HEAD\0multi_ack`, "NAK\n").subarray(0, -4)],
  ["HTML", Buffer.from("<html>")],
  ["nothing", Buffer.alloc(0)],
  ["a part", answer(`${OID} refs/heads/a\n`).subarray(0, 20)],
  ["no flush at its end", Buffer.concat([encodePktLine(`${OID} refs/heads/a\n`), DELIM_PKT])],
])("%s is no answer", (_what, bytes) => {
  expect(() => parseSymrefs(bytes)).toThrow("protocol version 2");
});
