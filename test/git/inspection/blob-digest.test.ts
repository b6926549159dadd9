import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { contentLines } from "../../../src/git/content-lines.ts";
import { BlobDigester } from "../../../src/git/inspection/blob-digest.ts";
import { HeldBytes } from "../../../src/git/inspection/held-bytes.ts";

const noise = fc
  .array(fc.oneof(fc.nat(255), fc.constantFrom(0, 0, 10, 65, 66, 67)), { minLength: 100, maxLength: 20_000 })
  .map((bytes) => Buffer.from([0, 1, 2, 3, ...bytes]));

test("what is told of a file that came in pieces is what is told of it as a whole", () => {
  fc.assert(
    fc.property(noise, fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 10 }), (bytes, cuts) => {
      const held = new HeldBytes();
      const digester = new BlobDigester(bytes.length, "sha1", held);
      for (let at = 0, cut = 0; at < bytes.length; cut++) {
        const length = cuts[cut % cuts.length] ?? 1;
        digester.feed(bytes.subarray(at, at + length));
        at += length;
      }
      const digest = digester.end();
      const whole = contentLines(bytes);
      if (whole.some(({ kind }) => kind === "text")) {
        expect(digest).toBeNull();
      } else {
        expect(digest?.oid).toBe(createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex"));
        expect(digest?.head.equals(bytes.subarray(0, 1024))).toBe(true);
        const told = [...(digest?.lines() ?? [])].flat();
        expect(told.map(({ number, bytes }) => [number, bytes.toString()])).toEqual(
          whole.map(({ number, bytes }) => [number, bytes.toString()]),
        );
      }
      held.release();
    }),
  );
});

test("text is not kept, and neither is what there is no room for", () => {
  const held = new HeldBytes();
  const text = new BlobDigester(20_000, "sha1", held);
  text.feed(Buffer.from("plain text\n".repeat(2_000)));
  expect(text.end()).toBeNull();

  const letters = new BlobDigester(80 * 1024 * 1024, "sha1", held);
  const chunk = Buffer.from("\0printable\n".repeat(100_000));
  for (let at = 0; at < 80; at++) letters.feed(chunk);
  expect(letters.end()).toBeNull();
  held.release();
});
