import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { blockReach } from "../../src/secrets/candidate.ts";
import { maskText } from "../../src/secrets/mask.ts";
import { createMaskStream } from "../../src/secrets/mask-stream.ts";
import { builtin, builtinExamples, fingerprint, pem, pemHeader, secrets } from "./builtin-rules.ts";

const whole = (text: string) => maskText(text, builtin, fingerprint);

function inParts(parts: readonly string[]) {
  const stream = createMaskStream(builtin, fingerprint);
  const text = parts.map((part) => stream.push(part)).join("") + stream.end();
  return { text, counts: stream.counts };
}

const units = (text: string): string[] => text.split("");

test("a mask keeps rule, place and what equal secrets have in common", () => {
  const text = `a ${secrets.awsKey} b ${secrets.awsKey} c ${secrets.slack}`;
  const short = (secret: string): string => fingerprint(secret).slice(0, 8);
  expect(whole(text)).toEqual({
    text: `a ⟦aws-access-key:${short(secrets.awsKey)}⟧ b ⟦aws-access-key:${short(secrets.awsKey)}⟧ c ⟦slack-token:${short(secrets.slack)}⟧`,
    counts: { "aws-access-key": 2, "slack-token": 1 },
  });
});

test("what stands around a secret inside a wider one goes with it", () => {
  const text = `password = "abc12!${secrets.awsKey}!xyz98" end`;
  expect(whole(text).text).toMatch(/^password = "⟦aws-access-key:[0-9a-f]{8}⟧" end$/);
});

test.each(builtinExamples.map(([id, text], i) => [`${id} ${i}`, text] as const))(
  "%s: cut at every code unit it gives what the whole gives",
  (_, example) => {
    const text = `words before ${example} and after\n`;
    const expected = whole(text);
    expect(Object.keys(expected.counts).length).toBeGreaterThan(0);
    expect(inParts(units(text))).toEqual(expected);
    // An assertion for each would take longer than the masking.
    const differing = Array.from({ length: text.length + 1 }, (_, cut) =>
      inParts([text.slice(0, cut), text.slice(cut)]),
    )
      .map((told, cut) => ({ cut, ...told }))
      .filter(({ text, counts }) => text !== expected.text || !isDeepStrictEqual(counts, expected.counts));
    expect(differing).toEqual([]);
  },
);

test("any text, cut in any way, gives what the whole gives, and a second masking changes no mask", () => {
  const parts = [
    ...builtinExamples.map(([, text]) => text),
    ...Object.values(secrets),
    pem(2),
    pemHeader,
    'password = "',
    "⟦aws-access-key:0a1b2c3d⟧",
    "⟦",
    "⟧",
    "token: ",
    "-----END",
    "https://a:",
    "@host",
    "\n",
    " ",
    '"',
    "\\n",
    "😀",
  ];
  const piece = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...parts) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...parts), fc.nat(60)).map(([text, n]) => text.slice(0, n)) },
    { weight: 1, arbitrary: fc.string({ maxLength: 12 }) },
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(80), { maxLength: 40 }), (pieces, lengths) => {
      const text = pieces.join("");
      const chunks: string[] = [];
      let at = 0;
      for (const length of lengths) chunks.push(text.slice(at, (at += length)));
      chunks.push(text.slice(at));
      const expected = whole(text);
      expect(inParts(chunks)).toEqual(expected);
      expect(inParts(units(text))).toEqual(expected);
      // A place that was hidden behind a secret may come to light; no mask goes.
      const again = whole(expected.text).text;
      let after = 0;
      for (const [mask] of expected.text.matchAll(/⟦[a-z-]+:[0-9a-f]{8}⟧/g)) {
        const at = again.indexOf(mask, after);
        expect(at).toBeGreaterThanOrEqual(after);
        after = at + mask.length;
      }
    }),
    { numRuns: 300 },
  );
});

test.each(builtinExamples.map(([id, text], i) => [`${id} ${i}`, text] as const))(
  "%s: masked is masked",
  (_, example) => {
    const once = whole(`x ${example} y`).text;
    expect(whole(once)).toEqual({ text: once, counts: {} });
  },
);

test("something that only resembles a mask hides nothing", () => {
  const text = `password = "⟦aws-access-key:0a1b2c3d⟧hunter2-and-3"`;
  expect(whole(text).text).not.toContain("hunter2");
});

test("ordinary text is held back by a few characters at most", () => {
  const text =
    "The password is never written here; tokens and secrets are counted. See https://example.com/key for more.\n";
  const stream = createMaskStream(builtin, fingerprint);
  let told = 0;
  const held = units(text.repeat(20)).map((unit, i) => {
    told += stream.push(unit).length;
    return i + 1 - told;
  });
  held.sort((a, b) => a - b);
  expect(held.at(-1)).toBeLessThanOrEqual(64);
  expect(held[Math.floor(held.length * 0.99)]).toBeLessThanOrEqual(32);
  expect(held[Math.floor(held.length * 0.5)]).toBeLessThanOrEqual(8);
});

test("a private key that does not end is masked to the end of the text, in constant memory", () => {
  const stream = createMaskStream(builtin, fingerprint);
  const begin = `before ${pem(3).split("-----END")[0]!}`;
  let out = stream.push(begin);
  expect(out).toBe("before ");
  const line = `${"A1b2C3d4".repeat(8)}\n`;
  for (let sent = 0; sent < 4 * blockReach; sent += line.length) out += stream.push(line);
  expect(out).toMatch(/^before ⟦private-key:[0-9a-f]{8}⟧$/);
  // Its end comes too late to be believed, and what follows is not shown either.
  out += stream.push(`-----END RSA PRIVATE KEY-----\n${secrets.awsKey}`) + stream.end();
  expect(out).toMatch(/^before ⟦private-key:[0-9a-f]{8}⟧$/);
  expect(stream.counts).toEqual({ "private-key": 1 });
});

test("a private key without an end, or with a late one, masks alike in parts and as a whole", () => {
  const body = `${"A1b2C3d4".repeat(8)}\n`;
  for (const lines of [10, 1006, 1007, 1008, 1009, 1010, 1011, 1300]) {
    const text = `${secrets.awsKey} ${pemHeader}\n${body.repeat(lines)}-----END RSA PRIVATE KEY----- ${secrets.slack}`;
    const expected = whole(text);
    for (const size of [61, 4096, 65_536]) {
      const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
        text.slice(i * size, (i + 1) * size),
      );
      expect(inParts(chunks)).toEqual(expected);
    }
  }
});

test("two private keys on end are two secrets", () => {
  expect(whole(`${pem(2)}\n${pem(3)}\ntext`).text).toMatch(/^⟦private-key:.{8}⟧\n⟦private-key:.{8}⟧\ntext$/);
});

test("an empty text", () => {
  expect(inParts([])).toEqual({ text: "", counts: {} });
  expect(inParts([""])).toEqual({ text: "", counts: {} });
});
