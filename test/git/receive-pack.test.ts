import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createByteReader } from "../../src/git/byte-reader.ts";
import { encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import {
  deliveryCapabilities,
  encodePushRequest,
  parsePushRequest,
  PushHeadError,
  type PushRequestHead,
} from "../../src/git/receive-pack.ts";
import type { PushHeadLimits } from "../../src/model/push-limits.ts";
import { endsWell, everySplit, streamOf } from "./splits.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);
const ZERO = "0".repeat(40);
const CAPS = "\0 report-status side-band-64k agent=git/2.39.5";

const pkts = (...lines: readonly (string | Buffer | null)[]): Buffer =>
  Buffer.concat(lines.map((line) => (line === null ? FLUSH_PKT : encodePktLine(line))));

const parse = (bytes: Uint8Array, limits?: PushHeadLimits): Promise<PushRequestHead> =>
  parsePushRequest(createByteReader(streamOf([bytes])), limits);

const CERTIFICATE = [
  "certificate version 0.1\n",
  "pusher Ana <ana@example.com> 1700000000 +0000\n",
  "pushee https://gateway.example/git/code/app.git\n",
  "nonce 1700000000-abc\n",
  "push-option ci.skip\n",
  "\n",
  `${A} ${B} refs/heads/main\n`,
  `${B} ${ZERO} refs/heads/old\n`,
  "-----BEGIN PGP SIGNATURE-----\n",
  "\n",
  "iQ==\n",
  "-----END PGP SIGNATURE-----\n",
];
const SIGNED = pkts(
  `push-cert\0 report-status push-options\n`,
  ...CERTIFICATE,
  "push-cert-end\n",
  null,
  "ci.skip",
  null,
);

describe("parsePushRequest", () => {
  it("reads commands, capabilities, shallow lines and options, and stops at the pack", async () => {
    const head = pkts(
      `shallow ${B}`,
      `${A} ${B} refs/heads/main\0 report-status push-options object-format=sha1\n`,
      `${ZERO} ${B} refs/tags/v1`,
      `${A} ${ZERO} refs/heads/ol\u00e9\n`,
      null,
      "ci.skip",
      "reviewer=ana\n",
      null,
    );
    for (const chunks of everySplit(Buffer.concat([head, Buffer.from("PACK....")]))) {
      const reader = createByteReader(streamOf(chunks));
      expect(await parsePushRequest(reader)).toEqual({
        updates: [
          { ref: "refs/heads/main", oldOid: A, newOid: B },
          { ref: "refs/tags/v1", oldOid: ZERO, newOid: B },
          { ref: "refs/heads/ol\u00e9", oldOid: A, newOid: ZERO },
        ],
        capabilities: ["report-status", "push-options", "object-format=sha1"],
        shallow: [B],
        pushOptions: ["ci.skip", "reviewer=ana"],
        objectFormat: "sha1",
        certificate: null,
        raw: head,
      });
      expect((await reader.read(8)).toString()).toBe("PACK....");
    }
  });

  it("reads the commands of a certificate from inside it", async () => {
    for (const chunks of everySplit(SIGNED)) {
      const head = await parsePushRequest(createByteReader(streamOf(chunks)));
      expect(head.updates).toEqual([
        { ref: "refs/heads/main", oldOid: A, newOid: B },
        { ref: "refs/heads/old", oldOid: B, newOid: ZERO },
      ]);
      expect(head.certificate).toBe(CERTIFICATE.join(""));
      expect(head.pushOptions).toEqual(["ci.skip"]);
      expect(head.raw).toEqual(SIGNED);
    }
  });

  it("reads sha256 ids where that format was asked for", async () => {
    const [old, new_, shallow] = ["0".repeat(64), "c".repeat(64), "d".repeat(64)];
    const head = await parse(pkts(`shallow ${shallow}`, `${old} ${new_} refs/heads/main\0 object-format=sha256`, null));
    expect(head).toMatchObject({ objectFormat: "sha256", shallow: [shallow] });
    expect(head.updates).toEqual([{ ref: "refs/heads/main", oldOid: old, newOid: new_ }]);
  });

  it("takes git's probe for what it is", async () => {
    expect(await parse(FLUSH_PKT)).toMatchObject({ updates: [], capabilities: [], raw: FLUSH_PKT });
  });

  it.each<[string, Buffer, string]>([
    [
      "two commands for a ref",
      pkts(`${A} ${B} refs/heads/x${CAPS}`, `${A} ${ZERO} refs/heads/x`, null),
      "two commands",
    ],
    ["a short id", pkts(`${A.slice(1)} ${B} refs/heads/x${CAPS}`, null), "no command of a sha1 push"],
    ["an upper-case id", pkts(`${A.toUpperCase()} ${B} refs/heads/x${CAPS}`, null), "no command of a sha1 push"],
    ["a sha256 id in a sha1 push", pkts(`${"a".repeat(64)} ${"b".repeat(64)} refs/heads/x${CAPS}`, null), "no command"],
    [
      "a sha1 id in a sha256 push",
      pkts(`${A} ${B} refs/heads/x\0object-format=sha256`, null),
      "no command of a sha256",
    ],
    [
      "a shallow id of another length",
      pkts(`shallow ${A}a`, `${A} ${B} refs/heads/x${CAPS}`, null),
      "not a sha1 object id",
    ],
    [
      "two formats",
      pkts(`${A} ${B} refs/heads/x\0object-format=sha1 object-format=sha256`, null),
      "names no object format",
    ],
    ["an unknown format", pkts(`${A} ${B} refs/heads/x\0object-format=md5`, null), "names no object format"],
    ["a bad ref", pkts(`${A} ${B} refs/heads/../x${CAPS}`, null), "is not a ref name"],
    ["HEAD", pkts(`${A} ${B} HEAD${CAPS}`, null), "is not a ref name"],
    ["a line feed in a ref", pkts(`${A} ${B} refs/heads/x\ny${CAPS}`, null), "is not a ref name"],
    ["bytes that are not UTF-8", pkts(Buffer.from(`${A} ${B} refs/heads/\xff${CAPS}`, "latin1"), null), "is not UTF-8"],
    [
      "later capabilities",
      pkts(`${A} ${B} refs/heads/x${CAPS}`, `${A} ${B} refs/heads/y\0atomic`, null),
      "outside of the first",
    ],
    [
      "capabilities on a shallow line",
      pkts(`shallow ${A}\0atomic`, `${A} ${B} refs/heads/x`, null),
      "outside of the first",
    ],
    [
      "a shallow line behind a command",
      pkts(`${A} ${B} refs/heads/x${CAPS}`, `shallow ${A}`, null),
      "no command of a sha1",
    ],
    ["a delim packet", Buffer.concat([pkts(`${A} ${B} refs/heads/x${CAPS}`), Buffer.from("0001")]), "unexpected delim"],
    ["no end", pkts(`${A} ${B} refs/heads/x${CAPS}`), "the stream ends at byte"],
    ["no end of the options", pkts(`${A} ${B} refs/heads/x\0push-options`, null, "a"), "the stream ends at byte"],
    ["a flag with a value", pkts(`${A} ${B} refs/heads/x\0report-status push-options=1`, null), "takes no value"],
    ["atomic with a value", pkts(`${A} ${B} refs/heads/x\0atomic=0`, null), "takes no value"],
    ["a tab between capabilities", pkts(`${A} ${B} refs/heads/x\0agent=x\tatomic`, null), "control character"],
    [
      "a line feed between capabilities",
      pkts(`${A} ${B} refs/heads/x\0agent=x\npush-options`, null),
      "control character",
    ],
    ["a NUL in the capabilities", pkts(`${A} ${B} refs/heads/x\0agent=x\0push-options`, null), "control character"],
    ["a NUL in an option", pkts(`${A} ${B} refs/heads/x\0push-options`, null, "a\0b", null), "push option holds"],
  ])("refuses %s", async (_what, bytes, text) => {
    const refused = parse(bytes);
    await expect(refused).rejects.toBeInstanceOf(PushHeadError);
    await expect(refused).rejects.toMatchObject({ code: "request_malformed", message: expect.stringContaining(text) });
  });

  const signed = (lines: readonly string[], ...after: readonly (string | null)[]): Buffer =>
    pkts("push-cert\0 report-status\n", ...lines, ...after);
  const plain = CERTIFICATE.filter((line) => !line.startsWith("push-option"));
  it.each<[string, Buffer, string]>([
    [
      "commands behind it",
      signed(plain, "push-cert-end\n", `${A} ${B} refs/heads/evil`, null),
      "outside of the push certificate",
    ],
    ["a second certificate", signed(plain, "push-cert-end\n", "push-cert\0", null), "outside of the push certificate"],
    [
      "commands before it",
      pkts(`${A} ${B} refs/heads/x${CAPS}`, "push-cert", ...plain, "push-cert-end\n", null),
      "no command",
    ],
    ["no push-cert-end", signed(plain, null), "without push-cert-end"],
    ["no signature", signed(plain.slice(0, 7), "push-cert-end\n", null), "exactly one signature"],
    [
      "a second signature, which git would take for the end",
      signed([...plain, ...plain.slice(-4)], "push-cert-end\n", null),
      "exactly one signature",
    ],
    [
      "a packet of two lines",
      signed(["certificate version 0.1\npusher x\n"], "push-cert-end\n", null),
      "not exactly one line",
    ],
    [
      "a NUL that hides the rest of a line",
      signed([...plain.slice(0, 5), `${A} ${B} refs/heads/a\0b\n`], null),
      "not exactly one line",
    ],
    ["no command", signed([...plain.slice(0, 5), ...plain.slice(-4)], "push-cert-end\n", null), "holds no command"],
    ["duplicate commands", signed([...plain.slice(0, 6), ...plain.slice(5)], "push-cert-end\n", null), "two commands"],
    [
      "another version",
      signed(["certificate version 0.2\n", ...plain.slice(1)], "push-cert-end\n", null),
      "version is not 0.1",
    ],
    [
      "options that differ",
      pkts("push-cert\0push-options", ...CERTIFICATE, "push-cert-end\n", null, "other", null),
      "options differ",
    ],
  ])("refuses a certificate with %s", async (_what, bytes, text) => {
    await expect(parse(bytes)).rejects.toMatchObject({
      code: "request_malformed",
      message: expect.stringContaining(text),
    });
  });

  it("bounds the number of commands and the bytes of the head, and keeps what it knows for the answer", async () => {
    const bytes = pkts(`${A} ${B} refs/heads/1${CAPS}`, `${A} ${B} refs/heads/2`, `${A} ${B} refs/heads/3`, null);
    const many = parse(bytes, { bytes: 10_000, commands: 2 });
    await expect(many).rejects.toMatchObject({
      code: "limit_exceeded",
      message: expect.stringContaining("more than 2 commands"),
    });
    await expect(many).rejects.toMatchObject({
      head: { capabilities: ["report-status", "side-band-64k", "agent=git/2.39.5"], updates: [{}, {}] },
    });
    await expect(parse(bytes, { bytes: 200, commands: 20 })).rejects.toMatchObject({ code: "limit_exceeded" });
  });

  it("random and mutated heads give a head or a GatewayError", async () => {
    const fixtures = [SIGNED, pkts(`shallow ${B}`, `${A} ${B} refs/heads/x\0push-options`, null, "o", null)];
    const mutated = fc
      .tuple(
        fc.constantFrom(...fixtures),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      )
      .map(([fixture, changes]) => {
        const bytes = Buffer.from(fixture);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return bytes;
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, fc.uint8Array()), async (bytes) => {
        expect(await endsWell(() => parse(bytes))).toBe(true);
      }),
      { numRuns: 1500 },
    );
  });
});

describe("encodePushRequest", () => {
  const oid = fc.string({ unit: fc.constantFrom(...Array.from("0123456789abcdef")), minLength: 40, maxLength: 40 });
  const word = fc.string({ unit: fc.constantFrom(...Array.from("abcxyz019-_é")), minLength: 1, maxLength: 12 });
  const anyHead = fc
    .record({
      updates: fc.uniqueArray(fc.record({ ref: word.map((name) => `refs/heads/${name}`), oldOid: oid, newOid: oid }), {
        minLength: 1,
        selector: (update) => update.ref,
      }),
      shallow: fc.array(oid, { maxLength: 3 }),
      pushOptions: fc.array(word, { maxLength: 3 }),
    })
    .map(({ pushOptions, ...head }) => ({
      ...head,
      pushOptions,
      capabilities: ["report-status", ...(pushOptions.length > 0 ? ["push-options"] : [])],
      objectFormat: "sha1" as const,
      certificate: null,
    }));

  it("parse(encode(head)) = head, and encoding what was parsed gives the same bytes", async () => {
    await fc.assert(
      fc.asyncProperty(anyHead, async (head) => {
        const raw = encodePushRequest(head);
        const parsed = await parse(raw);
        expect(parsed).toEqual({ ...head, raw });
        expect(encodePushRequest(parsed)).toBe(parsed.raw);
      }),
    );
  });

  it("re-encodes a subset with the capabilities on its first command", async () => {
    const head = await parse(
      pkts(`${A} ${B} refs/heads/x\0 report-status push-options`, `${A} ${B} refs/heads/y`, null, "opt", null),
    );
    const changed = encodePushRequest(head, { updates: head.updates.slice(1) });
    expect(changed).toEqual(pkts(`${A} ${B} refs/heads/y\0 report-status push-options`, null, "opt", null));
  });

  it("sends a certificate again word for word, and never a part of it", async () => {
    const head = await parse(SIGNED);
    const { raw: _raw, ...fields } = head;
    const again = await parse(encodePushRequest(fields));
    expect(again.certificate).toBe(head.certificate);
    expect(again.updates).toEqual(head.updates);
    expect(() => encodePushRequest(head, { updates: head.updates.slice(1) })).toThrow(
      "signed push can only be delivered whole",
    );
  });

  it("delivers with a report, also for a client that asked for none", async () => {
    const head = await parse(pkts(`${A} ${B} refs/heads/x\0agent=old`, null));
    expect(deliveryCapabilities(head)).toEqual(["agent=old", "report-status"]);
    const sent = await parse(encodePushRequest(head, { capabilities: deliveryCapabilities(head) }));
    expect(sent.capabilities).toEqual(["agent=old", "report-status"]);
  });
});
