/** Every rule's examples in every way of writing them that is read: what is found there is masked there, whole. */
import { expect, test } from "vitest";
import { createDetector } from "../../src/secrets/detector.ts";
import { parseGitleaks } from "../../src/secrets/gitleaks-toml.ts";
import { maskText } from "../../src/secrets/mask.ts";
import { maskLines } from "../../src/secrets/mask-lines.ts";
import { createMaskStream } from "../../src/secrets/mask-stream.ts";
import { encodings, exampleIds, findNeedles, foreignToml, plants } from "../harness/plants.ts";
import { builtinRules, fingerprint } from "./builtin-rules.ts";

const foreign = parseGitleaks(foreignToml, null);
if (!foreign.ok) throw new Error(JSON.stringify(foreign.error));
const detector = createDetector([...builtinRules(), ...foreign.value.rules]);

const wide = (text: string, order: "le" | "be"): string =>
  text
    .split("")
    .map((unit) => (order === "le" ? `${unit}\0` : `\0${unit}`))
    .join("");

const ways: Readonly<Record<string, (text: string) => string>> = {
  ...encodings,
  base64url: (text) => `t=${Buffer.from(text).toString("base64url")};`,
  HEXADECIMAL: (text) => `data = ${Buffer.from(text).toString("hex").toUpperCase()} end`,
  "UTF-16LE": (text) => wide(text, "le"),
  "UTF-16BE": (text) => wide(text, "be"),
  "UTF-16LE in base64": (text) => `data: ${Buffer.from(text, "utf16le").toString("base64")}`,
  "base64 in JSON": (text) => JSON.stringify({ output: `x ${Buffer.from(text).toString("base64")}` }),
  "base64 in base64": (text) => btoa(`x: ${Buffer.from(text).toString("base64")}`),
  "JSON in JSON": (text) => JSON.stringify({ arguments: JSON.stringify({ text }) }),
};

/** Of all kinds of rules, so many are found in this writing at least: below it, a change has made it blind. */
const LEAST_SHARE = 0.9;

const inClear = new Set(plants(detector, null, (text) => text).map(({ id }) => id));

test.each(Object.entries(ways))("%s", (_, encode) => {
  const planted = plants(detector, null, encode);
  const found = new Set(planted.map(({ id }) => id));
  expect(found.size).toBeGreaterThan(LEAST_SHARE * inClear.size);
  expect(inClear.size).toBeGreaterThan(LEAST_SHARE * exampleIds.size);
  for (const { id, text, needles } of planted) {
    const own = needles.map((needle) => [needle, id] as const);
    const masked = maskText(text, detector, fingerprint).text;
    expect(findNeedles(masked, own)).toEqual([]);
    expect(findNeedles(maskLines(text, detector, fingerprint), own)).toEqual([]);
    const stream = createMaskStream(detector, fingerprint);
    const inParts = (text.match(/[^]{1,5}/g) ?? []).map((part) => stream.push(part)).join("") + stream.end();
    expect(inParts).toBe(masked);
  }
});
