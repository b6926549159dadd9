/**
 * Every codec on its fixtures, re-split at every byte border: whole, byte by byte and cut in two it reads the same. Cut off
 * anywhere, it says so in an error of ours. What a length field says is never taken for how much room to make.
 */
import * as fc from "fast-check";
import { gzipSync } from "node:zlib";
import { describe, expect, it, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { createByteReader } from "../../src/git/byte-reader.ts";
import { parseCommitObject } from "../../src/git/commit-object.ts";
import { OutputReader, splitRecords } from "../../src/git/git-output.ts";
import { inflateSmall } from "../../src/git/inflate-meter.ts";
import { defaultPushLimits } from "../../src/git/limits.ts";
import { PackScanner } from "../../src/git/pack-scanner.ts";
import { encodePktLine, FLUSH_PKT, PktLineParser } from "../../src/git/pkt-line.ts";
import { isRefName } from "../../src/git/ref-name.ts";
import { parseTagObject } from "../../src/git/tag-object.ts";
import { listCodecs, type CodecSamples } from "../fuzz/codecs.ts";
import { encodePackFile, objectId, OFS_DELTA, REF_DELTA, makeDelta, type PackEntry } from "../fuzz/pack-file.ts";
import { Random } from "../fuzz/random.ts";
import { git, temporaryDirectory } from "../harness/git.ts";
import { everySplit, streamOf } from "./splits.ts";

const A = "a".repeat(40);
const ID = Buffer.alloc(20, 0xaa);
const COMMIT = Buffer.from(
  `tree ${A}\nparent ${A}\nauthor Ana <ana@x> 1700000000 +0100\ncommitter Ana <ana@x> 1700000000 +0100\n` +
    `encoding ISO-8859-1\ngpgsig -----BEGIN SSH SIGNATURE-----\n abc\n -----END SSH SIGNATURE-----\n\nSubject\n\nBody \xe9\n`,
  "latin1",
);
const TAG = Buffer.from(`object ${A}\ntype commit\ntag v1\ntagger Ana <ana@x> 1700000000 +0100\n\nRelease\n`);
const TREE = Buffer.concat([
  Buffer.from("100644 a.txt\0"),
  ID,
  Buffer.from("40000 b\0"),
  ID,
  Buffer.from("160000 c\0"),
  ID,
]);
const BLOB = Buffer.from("one\ntwo\n");
const NEXT = Buffer.from("one\nchanged\ntwo\n");
const ENTRIES: readonly PackEntry[] = [
  { type: 3, content: BLOB },
  { type: OFS_DELTA, content: makeDelta(BLOB, NEXT, new Random(1)), base: 0 },
  { type: 1, content: COMMIT },
];
const withNamedBase = (format: "sha1" | "sha256"): PackEntry[] => [
  ...ENTRIES,
  {
    type: REF_DELTA,
    content: makeDelta(BLOB, NEXT, new Random(1)),
    base: Buffer.from(objectId({ kind: "blob", content: BLOB }, format), "hex"),
  },
];
const HEAD = Buffer.concat([encodePktLine(`${A} ${"b".repeat(40)} refs/heads/x\0 report-status`), FLUSH_PKT]);
const SAMPLES: CodecSamples = {
  heads: [HEAD],
  bodies: [Buffer.concat([HEAD, encodePackFile(ENTRIES, "sha1")])],
  packs: {
    sha1: [encodePackFile(withNamedBase("sha1"), "sha1"), encodePackFile([], "sha1")],
    sha256: [encodePackFile(withNamedBase("sha256"), "sha256")],
  },
  objects: {
    commit: [COMMIT],
    tree: [TREE],
    blob: [
      BLOB,
      Buffer.from("\ufeffwide line\nand another\n", "utf16le"),
      Buffer.from("\ufeffwide line\nand another\n", "utf16le").swap16(),
      Buffer.from("\0\0program text here\0\n\0more of it\0\x01\x02", "latin1"),
      Buffer.from("größe\r\nzwei\0drei\n"),
    ],
    tag: [TAG],
  },
  ids: [A],
};

const outcomeOf = async (read: () => unknown): Promise<string> => {
  try {
    return JSON.stringify(await read());
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === "internal") throw error;
    return `refused: ${error.code}`;
  }
};

describe.each(listCodecs(SAMPLES))("$name", ({ seeds, read }) => {
  it("reads its fixtures the same however they are cut", async () => {
    for (const seed of seeds) {
      const whole = await outcomeOf(() => read([seed]));
      for (const chunks of everySplit(seed)) expect(await outcomeOf(() => read(chunks))).toBe(whole);
    }
  });

  it("reads or refuses what is cut off anywhere, and what has a byte changed anywhere", async () => {
    for (const seed of seeds) {
      for (let at = 0; at < seed.length; at++) {
        expect(await outcomeOf(() => read([seed.subarray(0, at)]))).toBeTypeOf("string");
        const changed = Buffer.from(seed);
        changed[at] = (changed[at] ?? 0) ^ (at % 2 === 0 ? 0xff : 1);
        expect(await outcomeOf(() => read([changed]))).toBeTypeOf("string");
      }
    }
  });
});

test("of a pack that is cut off anywhere, none is taken for whole", async () => {
  for (const pack of SAMPLES.packs.sha1) {
    for (let end = 0; end < pack.length; end++) {
      const scanner = new PackScanner("sha1", defaultPushLimits);
      const scan = async (): Promise<unknown> => {
        if (end > 0) await scanner.feed(pack.subarray(0, end));
        return scanner.finish();
      };
      await expect(scan()).rejects.toMatchObject({ code: "pack_invalid" });
      scanner.close();
      scanner.entries?.release();
    }
  }
});

const line = fc.string({ unit: fc.constantFrom(...Array.from("abcXYZ019 é-_.@:")), minLength: 1, maxLength: 20 });
const word = line.map((text) => text.replaceAll(" ", "-"));
/** Names of headers are ASCII: bytes beyond are shown one character each. */
const key = fc.string({ unit: fc.constantFrom(...Array.from("abcXYZ019-")), minLength: 1, maxLength: 20 });
const hexId = fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString("hex"));

test("a commit is read as it was written", () => {
  fc.assert(
    fc.property(
      fc.record({
        tree: hexId,
        parents: fc.array(hexId, { maxLength: 3 }),
        name: word,
        email: word,
        seconds: fc.nat(4_000_000_000),
        extra: fc.array(fc.tuple(key, fc.array(line, { minLength: 1, maxLength: 3 })), { maxLength: 2 }),
        message: fc.array(line, { maxLength: 4 }).map((lines) => lines.join("\n")),
      }),
      ({ tree, parents, name, email, seconds, extra, message }) => {
        const content = [
          `tree ${tree}`,
          ...parents.map((parent) => `parent ${parent}`),
          `author ${name} <${email}> ${seconds} +0000`,
          `committer ${name} <${email}> ${seconds} +0000`,
          ...extra.map(([key, values]) => `x${key} ${values.join("\n ")}`),
          "",
          message,
        ].join("\n");
        const commit = parseCommitObject(A, Buffer.from(content));
        expect(commit.tree).toBe(tree);
        expect(commit.facts).toMatchObject({
          parents,
          authorName: name.trim(),
          committerEmail: email,
          authoredAt: new Date(seconds * 1000).toISOString(),
          message,
        });
        const searched = commit.texts.map(({ text }) => text).join("\n");
        for (const [key, values] of extra) for (const part of [key, ...values]) expect(searched).toContain(part);
        expect(searched).toContain(message);
      },
    ),
  );
});

test("a tag is read as it was written", () => {
  fc.assert(
    fc.property(hexId, fc.constantFrom("commit", "tree", "blob", "tag"), word, line, (target, type, name, message) => {
      const content = `object ${target}\ntype ${type}\ntag ${name}\ntagger Ana <ana@x> 1 +0000\n\n${message}`;
      expect(parseTagObject(A, Buffer.from(content))).toMatchObject({ target, targetType: type, name, message });
    }),
  );
});

test("every byte of a commit or a tag is searched, but for its ids and numbers", () => {
  const secret = "SECRET-TOKEN";
  for (const [kind, whole] of [
    ["commit", COMMIT],
    ["tag", TAG],
  ] as const) {
    for (let at = 0; at <= whole.length; at++) {
      const content = Buffer.concat([whole.subarray(0, at), Buffer.from(secret), whole.subarray(at)]);
      let texts: readonly { readonly text: string }[];
      try {
        texts = kind === "commit" ? parseCommitObject(A, content).texts : parseTagObject(A, content).texts;
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
        continue;
      }
      expect(
        texts.some(({ text }) => text.includes(secret)),
        `${kind} at ${at}`,
      ).toBe(true);
    }
  }
});

test("a name is a ref here where git says so, and a little less", async () => {
  const cwd = await temporaryDirectory("refs");
  const part = fc.string({ unit: fc.constantFrom(...Array.from("ab.-_@{}~^:?*[\\ \u007fé/"), "lock"), maxLength: 8 });
  const names = fc
    .sample(fc.array(part, { maxLength: 4 }), { numRuns: 120, seed: 3 })
    .map((parts) => `refs/${parts.join("/")}`);
  let taken = 0;
  for (const name of [...names, "refs/heads/x", "refs/heads/a.b", "refs/heads/é"]) {
    const { code } = await git(["check-ref-format", name], { cwd });
    if (code === 0 && isRefName(name)) taken += 1;
    if (code !== 0) expect(isRefName(name), name).toBe(false);
  }
  expect(taken).toBeGreaterThan(3);
});

describe("lengths that lie", () => {
  const MEBIBYTE = 1024 * 1024;
  const grownBy = async (work: () => unknown): Promise<number> => {
    const before = process.memoryUsage().arrayBuffers;
    await work();
    return process.memoryUsage().arrayBuffers - before;
  };

  it("a packet that says 65,520 bytes is held as it comes", () => {
    const parser = new PktLineParser();
    parser.push(Buffer.from("fff0"));
    for (let i = 0; i < 1000; i++) parser.push(Buffer.from("x"));
    expect(parser.pendingBytes).toBe(1004);
  });

  it("a reader that is asked for gigabytes waits for them, and says what is missing", async () => {
    const grown = await grownBy(async () => {
      const reader = createByteReader(streamOf([Buffer.from("abc")]));
      await expect(reader.read(2 ** 40)).rejects.toMatchObject({ code: "request_malformed" });
    });
    expect(grown).toBeLessThan(MEBIBYTE);
  });

  it.each([
    ["a million objects", [{ count: 1_000_000 }, []]],
    ["an object of 99 MiB", [{ count: 1 }, [{ type: 3, content: Buffer.from("x"), declared: 99 * MEBIBYTE }]]],
    [
      "a delta of 99 MiB",
      [
        { count: 2 },
        [
          { type: 3, content: BLOB },
          { type: OFS_DELTA, content: Buffer.from("x"), base: 0, declared: 99 * MEBIBYTE },
        ],
      ],
    ],
  ] as const)("a pack that says %s", async (_what, [options, entries]) => {
    const pack = encodePackFile(entries as readonly PackEntry[], "sha1", options);
    const scanner = new PackScanner("sha1", defaultPushLimits);
    const grown = await grownBy(() =>
      scanner.feed(pack).catch((error: unknown) => expect(error).toBeInstanceOf(GatewayError)),
    );
    scanner.close();
    scanner.entries?.release();
    expect(grown).toBeLessThan(2 * MEBIBYTE);
  });

  it("an object that says more than it unpacks to, and one that unpacks to more than it says", () => {
    const stream = encodePackFile([{ type: 3, content: Buffer.alloc(50_000) }], "sha1").subarray(15);
    expect(() => inflateSmall(stream, 49_999)).toThrow(GatewayError);
    expect(() => inflateSmall(stream, 50_001)).toThrow(GatewayError);
  });

  it("git's own answers: a line without end, a record without end, an object that breaks off", async () => {
    const endless = async function* (): AsyncGenerator<Buffer> {
      for (let i = 0; i < 2_000; i++) yield Buffer.alloc(64 * 1024, "x");
    };
    await expect(new OutputReader(endless()).line()).rejects.toMatchObject({ code: "inspection_failed" });
    const records = async (): Promise<void> => {
      for await (const _ of splitRecords(endless(), 0));
    };
    await expect(records()).rejects.toMatchObject({ code: "inspection_failed" });
    await expect(
      new OutputReader(streamOf([Buffer.from("abc")]) as AsyncIterable<Buffer>).bytes(2 ** 40),
    ).rejects.toMatchObject({
      code: "inspection_failed",
    });
  });

  it("gzip of gigabytes ends at the limit", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MEBIBYTE), { level: 9 });
    const gzip = listCodecs(SAMPLES).find(({ name }) => name === "gzip body");
    expect(await outcomeOf(() => gzip?.read([bomb]))).toBe("refused: limit_exceeded");
  });
});
