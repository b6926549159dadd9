import * as fc from "fast-check";
import { expect, test } from "vitest";
import { maskText } from "../../src/secrets/mask.ts";
import { createMaskStream } from "../../src/secrets/mask-stream.ts";
import { createDetector } from "../../src/secrets/detector.ts";
import { cpuTimeMs } from "../harness/cpu-time.ts";
import { builtinRules, fingerprint, pem, secrets } from "./builtin-rules.ts";

/** A few rules, so that none finds the encoded text as it stands. */
const ids = ["aws-access-key", "slack-token", "sallyport-token", "private-key", "generic-password-unquoted"];
const builtin = createDetector(builtinRules().filter(({ id }) => ids.includes(id)));

const utf16 = (text: string, order: "le" | "be"): string =>
  text
    .split("")
    .map((unit) => (order === "le" ? `${unit}\0` : `\0${unit}`))
    .join("");
const escaped = (text: string, form: (code: string) => string): string =>
  text
    .split("")
    .map((unit) => form(unit.charCodeAt(0).toString(16)))
    .join("");
const encodings: readonly (readonly [name: string, encode: (text: string) => string, note: string])[] = [
  ["base64", (text) => Buffer.from(text).toString("base64"), "base64"],
  ["base64url", (text) => Buffer.from(text).toString("base64url"), "base64"],
  ["hex", (text) => Buffer.from(text).toString("hex"), "hex"],
  ["HEX", (text) => Buffer.from(text).toString("hex").toUpperCase(), "hex"],
  ["percent", (text) => escaped(text, (code) => `%${code}`), "percent"],
  ["\\u", (text) => escaped(text, (code) => `\\u${code.padStart(4, "0")}`), "escapes"],
  ["\\u{}", (text) => escaped(text, (code) => `\\u{${code}}`), "escapes"],
  ["\\x", (text) => escaped(text, (code) => `\\x${code}`), "escapes"],
  ["UTF-16LE", (text) => utf16(text, "le"), "utf-16"],
  ["UTF-16BE", (text) => utf16(text, "be"), "utf-16"],
  ["UTF-16LE in base64", (text) => Buffer.from(text, "utf16le").toString("base64"), "utf-16) (base64"],
  ["base64 in base64", (text) => btoa(`x: ${btoa(text)}`), "base64) (base64"],
];

test.each(encodings)("a secret in %s is found, at its place, and masked", (_, encode, note) => {
  for (const secret of [secrets.awsKey, secrets.slack, secrets.sallyport]) {
    for (const [before, behind] of [
      ['key = "', '"\n'],
      ["", ""],
      ["line\n", "\nline"],
    ] as const) {
      const encoded = encode(`id=${secret} `);
      const text = before + encoded + behind;
      const found = builtin.detect(text);
      expect(found).toHaveLength(1);
      expect(found[0]!.description).toContain(`(${note})`);
      expect(found[0]!.severity).toBe("block");
      expect(found[0]!.start).toBeGreaterThanOrEqual(before.length);
      expect(found[0]!.end).toBeLessThanOrEqual(before.length + encoded.length);
      const masked = maskText(text, builtin, fingerprint).text;
      expect(masked).toContain(`:${fingerprint(secret).slice(0, 8)}⟧`);
      expect(builtin.detect(masked)).toEqual([]);
      expect(masked.startsWith(before) && masked.endsWith(behind)).toBe(true);
    }
  }
});

test("a letter beyond U+00FF that ends a key in UTF-16 is read whole: half of it may look like anything", () => {
  const keys = createDetector(builtinRules().filter(({ id }) => id === "generic-key"));
  const value = ["bdc55270", "455ca0a892e4"].join("");
  for (const sign of ["\u201d", "\u2018", "\u03b1", "\u0100", "\u65e5", " \u044f"]) {
    for (const isLittle of [true, false]) {
      const bytes = Buffer.from(`acme key: ${value}${sign}, and`, "utf16le");
      const text = (isLittle ? bytes : bytes.swap16()).toString("latin1");
      const whole = maskText(text, keys, fingerprint).text;
      expect(whole, sign).toContain(`:${fingerprint(value).slice(0, 8)}⟧`);
      const stream = createMaskStream(keys, fingerprint);
      expect(
        text
          .split("")
          .map((unit) => stream.push(unit))
          .join("") + stream.end(),
        sign,
      ).toBe(whole);
    }
  }
});

test("a private key in base64, its lines and all", () => {
  const text = `data: ${btoa(pem(8))}\n`;
  expect(builtin.detect(text)).toMatchObject([
    { rule: "private-key", description: expect.stringContaining("base64") as string },
  ]);
});

test("what a Kubernetes secret holds is read with its name", () => {
  const text = `kind: Secret\ndata:\n  password: ${btoa("Y4tCWNXEbuti2-9")}\n  note: ${btoa("hello hello hello hello")}\n`;
  const found = builtin.detect(text);
  expect(found).toMatchObject([{ rule: "generic-password-unquoted", severity: "warn" }]);
  expect(text.slice(found[0]!.start, found[0]!.end)).toBe(btoa("Y4tCWNXEbuti2-9"));
});

test("it is not read deeper than three times", () => {
  let text = secrets.sallyport;
  const depths: number[] = [];
  for (let depth = 1; depth <= 5; depth++) {
    text = btoa(` ${text} `);
    depths.push(builtin.detect(text).length);
  }
  expect(depths).toEqual([1, 1, 1, 0, 0]);
});

test.each([
  ["hashes", "sha512-j7WyPdf0CJoutMzMoPLF/bVXHtKZIT9Rb4eGeEbWw8X2t5oirjPgpL+OpaENZrILYaXqYwnVH+qgUwVbl+pUJQ=="],
  ["words", "src/secrets/encoded-text-finder and a_very_long_identifier_of_many_words"],
  ["other letters", "na\\u00efve %E2%82%AC \\x1b[31m"],
  ["text that says nothing", btoa("The quick brown fox jumps over the lazy dog")],
])("nothing is found in %s", (_, text) => {
  expect(builtin.detect(text)).toEqual([]);
});

test("a megabyte of it takes no more than one reading of each layer", () => {
  const before = cpuTimeMs();
  for (const [, encode] of encodings) {
    const part = encode("nothing to see here, 0123456789 ");
    expect(builtin.detect(part.repeat(Math.ceil(2 ** 20 / part.length)))).toEqual([]);
    expect(builtin.detect(encode("nothing to see here, 0123456789 ".repeat(2 ** 13)))).toEqual([]);
  }
  expect(cpuTimeMs() - before).toBeLessThan(60_000);
});

test("masked in parts as it is as a whole, wherever it is cut", () => {
  const piece = fc.oneof(
    fc
      .tuple(
        fc.constantFrom(...encodings),
        fc.constantFrom(secrets.awsKey, secrets.slack, "some other text, in plain words"),
      )
      .map(([[, encode], text]) => encode(text)),
    fc.constantFrom(" ", "\n", '"', "password: ", "%", "\\", "\\u00", "ab", "=", "\0"),
    fc.string({ maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.array(fc.nat(50), { maxLength: 30 }), (pieces, lengths) => {
      const text = pieces.join("");
      const whole = maskText(text, builtin, fingerprint);
      for (const sizes of [lengths, text.split("").map(() => 1)]) {
        const stream = createMaskStream(builtin, fingerprint);
        let at = 0;
        let out = "";
        for (const size of sizes) out += stream.push(text.slice(at, (at += size)));
        out += stream.end(text.slice(at));
        expect({ text: out, counts: stream.counts }).toEqual(whole);
      }
    }),
    { numRuns: 300 },
  );
});
