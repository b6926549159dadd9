import { array, assert, asyncProperty, boolean, constantFrom, integer, oneof } from "fast-check";
import { expect, test } from "vitest";
import { readContentLines } from "../../src/git/content-lines.ts";
import { collect } from "./inspection.ts";

async function* pieces(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  let from = 0;
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    if (cut > from) yield bytes.subarray(from, cut);
    from = Math.max(from, cut);
  }
}

const read = async (bytes: Buffer, cuts: readonly number[] = []): Promise<string[]> =>
  (await collect(readContentLines(pieces(bytes, cuts)))).flat().map(({ number, kind, bytes }) => {
    return `${number} ${kind} ${bytes.toString("utf8")}`;
  });

test("text is its lines, with or without a last line feed", async () => {
  expect(await read(Buffer.from("a\n\nö\n"))).toEqual(["1 text a", "2 text ", "3 text ö"]);
  expect(await read(Buffer.from("a\nb"))).toEqual(["1 text a", "2 text b"]);
  expect(await read(Buffer.alloc(0))).toEqual([]);
});

test("of a program, what is printable: plain, and with NULs between in every order and alignment", async () => {
  const program = Buffer.concat([
    Buffer.alloc(100, 2),
    Buffer.from("plain text here\0ab\0\n\0"),
    Buffer.from("wide text", "utf16le"),
    Buffer.from([1, 1]),
    Buffer.from("other end", "utf16le").swap16(),
    Buffer.from([1, 10]),
    Buffer.from("four bytes").reduce(
      (all, byte) => Buffer.concat([all, Buffer.from([byte, 0, 0, 0])]),
      Buffer.alloc(0),
    ),
  ]);
  expect(await read(program)).toEqual([
    "1 extracted plain text here",
    "2 extracted wide text other end",
    "3 extracted four bytes",
  ]);
});

test.each<[string, Buffer, readonly string[]]>([
  [
    "the other byte order than the mark says",
    Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("hidden by order", "utf16le").swap16()]),
    ["hidden by order"],
  ],
  [
    "the other byte order, big-endian",
    Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from("hidden by order", "utf16le")]),
    ["hidden by order"],
  ],
  [
    "an odd byte in the middle, behind which everything is out of step",
    Buffer.concat([Buffer.from("\ufeffone\n", "utf16le"), Buffer.from([1]), Buffer.from("hidden by step", "utf16le")]),
    ["hidden by step"],
  ],
  ["plain letters", Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("plain letters\n")]), ["plain letters"]],
])("a byte order mark hides nothing: %s", async (_how, content, hidden) => {
  const lines = (await read(content)).filter((line) => line.includes(" extracted "));
  expect(lines.map((line) => line.replace(/^\d+ extracted /, ""))).toEqual(hidden);
});

test("what a byte order mark tells rightly is told once", async () => {
  const text = "\ufefffirst line here\nsecond line\n";
  expect(await read(Buffer.from(text, "utf16le"))).toEqual(["1 text first line here", "2 text second line"]);
  expect(await read(Buffer.from(text, "utf16le").swap16())).toEqual(["1 text first line here", "2 text second line"]);
});

test("where the chunks are cut changes nothing", async () => {
  const byte = oneof(constantFrom(0, 0, 0, 10, 65, 66, 67, 68), integer({ min: 0, max: 255 }));
  const head = constantFrom("", "\xff\xfe", "\xfe\xff", "\0\x01\x02\x03", "text ");
  await assert(
    asyncProperty(
      head,
      array(byte, { maxLength: 300 }),
      array(integer({ min: 0, max: 20_000 }), { maxLength: 6 }),
      boolean(),
      async (head, bytes, cuts, isLong) => {
        // Beyond the first 8000 bytes too, where cutting is no longer hidden by looking at the head.
        const content = Buffer.concat([
          Buffer.from(head, "latin1"),
          Buffer.alloc(isLong ? 9_000 : 0, "ab\n\0cdefgh"),
          Buffer.from(bytes),
        ]);
        // The two readings of one file take turns chunk by chunk.
        const whole = (await read(content)).sort();
        expect((await read(content, cuts)).sort()).toEqual(whole);
        expect((await read(content, [...content.keys()])).sort()).toEqual(whole);
      },
    ),
    { numRuns: 60, seed: 1 },
  );
});

test("a secret is found wherever it stands in a line without end, and across every piece that is cut from it", async () => {
  const size = 3 * 1024 * 1024;
  for (const [head, kind] of [
    ["", "text"],
    ["\0\x01".repeat(200), "extracted"],
  ] as const) {
    for (const at of [10, 1024 * 1024 - 3, 1024 * 1024 + 65_536 - 6, 2 * 1024 * 1024 - 8192, size - 20]) {
      const content = Buffer.concat([Buffer.from(head), Buffer.alloc(size, "x")]);
      content.write("TOKEN-123456", at + head.length);
      const cuts = Array.from({ length: size / 65_536 }, (_, index) => index * 65_536);
      const lines = (await collect(readContentLines(pieces(content, cuts)))).flat();
      const found = lines.filter((line) => line.bytes.includes("TOKEN-123456"));
      expect(found.length, `${kind} at ${at}`).toBeGreaterThan(0);
      expect(found.every((line) => line.kind === kind && line.number === 1)).toBe(true);
      // Columns count where the content is text.
      const [first] = found;
      const column = (first?.column ?? 0) + (first?.bytes.indexOf("TOKEN") ?? 0);
      expect(kind === "extracted" || column === at + 1, `${kind} at ${at}, told at ${column}`).toBe(true);
    }
  }
});
