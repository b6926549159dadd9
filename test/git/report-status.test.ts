import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import { encodeReportStatus, parseReportStatus, type PushReport, type RefReport } from "../../src/git/report-status.ts";
import { endsWell } from "./splits.ts";

const lines = (...text: readonly string[]): Buffer =>
  Buffer.concat([...text.map((line) => encodePktLine(line)), FLUSH_PKT]);

const REPORT: PushReport = {
  unpack: "ok",
  refs: [
    {
      status: "ok",
      ref: "refs/for/main",
      options: { refname: "refs/changes/1/1", oldOid: "a", newOid: "b", forcedUpdate: true },
    },
    { status: "ok", ref: "refs/for/main", options: { refname: "refs/changes/2/1" } },
    { status: "ok", ref: "refs/heads/x", options: null },
    { status: "ng", ref: "refs/heads/y", reason: "no such luck" },
  ],
};

describe("report-status", () => {
  it("reads what git writes", () => {
    expect(parseReportStatus(lines("unpack ok\n", "ok refs/heads/x\n", "ng refs/heads/y non-fast-forward\n"))).toEqual({
      unpack: "ok",
      refs: [
        { status: "ok", ref: "refs/heads/x", options: null },
        { status: "ng", ref: "refs/heads/y", reason: "non-fast-forward" },
      ],
    });
    expect(parseReportStatus(lines("unpack index-pack abnormal exit", "ng refs/heads/y unpacker error"))).toMatchObject(
      {
        unpack: "index-pack abnormal exit",
      },
    );
  });

  it("keeps the options of version 2, and leaves them out for version 1", () => {
    expect(parseReportStatus(encodeReportStatus(REPORT, 2))).toEqual(REPORT);
    expect(parseReportStatus(encodeReportStatus(REPORT, 1)).refs).toEqual([
      { status: "ok", ref: "refs/for/main", options: null },
      { status: "ok", ref: "refs/heads/x", options: null },
      { status: "ng", ref: "refs/heads/y", reason: "no such luck" },
    ]);
  });

  it("writes a reason on one line, without what a terminal would obey", () => {
    const refs: RefReport[] = [{ status: "ng", ref: "refs/heads/x", reason: "a\nok refs/heads/x\n\x1b[2J" }];
    expect(encodeReportStatus({ unpack: "ok", refs }, 1).toString()).toContain(
      "ng refs/heads/x a\\nok refs/heads/x\\n\\x1b[2J\n",
    );
  });

  it.each([
    ["nothing", FLUSH_PKT],
    ["no unpack line", lines("ok refs/heads/x")],
    ["an unknown word", lines("unpack ok", "maybe refs/heads/x")],
    ["an option of nothing", lines("unpack ok", "option refname x")],
    ["an option of an ng", lines("unpack ok", "ng refs/heads/x no", "option refname x")],
    ["an ok of nothing", lines("unpack ok", "ok ")],
    ["no flush", encodePktLine("unpack ok")],
    ["HTML", Buffer.from("<html></html>")],
  ])("refuses %s", (_what, bytes) => {
    expect(() => parseReportStatus(bytes)).toThrow(expect.objectContaining({ code: "request_malformed" }));
  });

  it("parse(encode(report)) = report", () => {
    const word = fc.string({ unit: fc.constantFrom(...Array.from("abc/-")), minLength: 1, maxLength: 10 });
    const options = fc.option(
      fc.record(
        { refname: word, oldOid: word, newOid: word, forcedUpdate: fc.constant(true) },
        { requiredKeys: ["refname"] },
      ),
    );
    const ref = fc.oneof(
      fc.record({ status: fc.constant("ok" as const), ref: word, options }),
      fc.record({ status: fc.constant("ng" as const), ref: word, reason: word }),
    );
    fc.assert(
      fc.property(fc.record({ unpack: word, refs: fc.array(ref) }), (report) => {
        expect(parseReportStatus(encodeReportStatus(report, 2))).toEqual(report);
      }),
    );
  });

  it("random bytes give a report or a GatewayError", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array(),
          fc.array(fc.string({ maxLength: 20 })).map((text) => lines(...text)),
        ),
        async (bytes) => {
          expect(
            await endsWell(() => {
              parseReportStatus(bytes);
            }),
          ).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});
