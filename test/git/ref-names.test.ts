import { describe, expect, it } from "vitest";
import { encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import { createRefListingReader, createRefNames } from "../../src/git/ref-names.ts";
import { everySplit } from "./splits.ts";

const A = "a".repeat(40);
const B = "b".repeat(64);
const pkts = (...lines: readonly (string | null)[]): Buffer =>
  Buffer.concat(lines.map((line) => (line === null ? FLUSH_PKT : encodePktLine(line))));

describe("createRefListingReader", () => {
  it.each([
    [
      "an advertisement",
      pkts(
        "# service=git-upload-pack\n",
        null,
        `${A} HEAD\0multi_ack agent=x\n`,
        `${A} refs/heads/ü\n`,
        `${B} refs/tags/v\n`,
        null,
      ),
    ],
    [
      "an answer to ls-refs",
      pkts(`${A} HEAD symref-target:refs/heads/ü\n`, `${A} refs/heads/ü\n`, `${B} refs/tags/v peeled:${A}\n`, null),
    ],
  ])("reads %s, however it is cut", (_what, bytes) => {
    for (const chunks of everySplit(bytes)) {
      const listing = createRefListingReader();
      for (const chunk of chunks) listing.push(chunk);
      expect(listing.names).toEqual(
        new Map([
          [A, ["HEAD", "refs/heads/ü"]],
          [B, ["refs/tags/v"]],
        ]),
      );
    }
  });

  it("has no names of what is no listing, nor of a version 2 advertisement", () => {
    for (const bytes of [Buffer.from("<html>"), pkts("version 2\n", "ls-refs=unborn\n", null)]) {
      const listing = createRefListingReader();
      listing.push(bytes);
      listing.push(bytes);
      expect(listing.names.size).toBe(0);
    }
  });

  it("stops at a bounded number of names", () => {
    const listing = createRefListingReader();
    for (let i = 0; i < 30_000; i++)
      listing.push(encodePktLine(`${i.toString(16).padStart(40, "0")} refs/heads/${i}\n`));
    expect(listing.names.size).toBe(20_000);
  });
});

describe("createRefNames", () => {
  const named = (prefix: string, count: number) =>
    new Map(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, [`refs/heads/${prefix}${i}`]]));

  it("finds the names of the last listing", () => {
    const names = createRefNames();
    names.remember("x", named("a", 3));
    names.remember(
      "x",
      new Map([
        ["a0", ["HEAD", "refs/heads/main"]],
        ["a1", ["refs/heads/main"]],
      ]),
    );
    expect(names.find("x", ["a1", "a0", "a2"])).toEqual(["refs/heads/main", "HEAD"]);
    expect(names.find("y", ["a0"])).toEqual([]);
  });

  it("forgets what nobody has asked for", () => {
    const names = createRefNames(10);
    names.remember("old", named("o", 4));
    names.remember("kept", named("k", 4));
    expect(names.find("old", ["o1"])).toEqual(["refs/heads/o1"]);
    names.remember("new", named("n", 4));
    expect(names.find("kept", ["k1"])).toEqual([]);
    expect(names.find("old", ["o1"])).toEqual(["refs/heads/o1"]);
    names.remember("huge", named("h", 11));
    expect(names.find("huge", ["h1"])).toEqual([]);
    expect(names.find("new", ["n1"])).toEqual(["refs/heads/n1"]);
  });
});
