import { describe, expect, it } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { encodePushResult, refusalReason, refusalResponse, sameReason } from "../../src/git/refusal.ts";
import { parseReportStatus, type PushReport } from "../../src/git/report-status.ts";
import { SidebandDemux } from "../../src/git/sideband.ts";

const updates = ["refs/heads/a", "refs/heads/b"].map((ref) => ({
  ref,
  oldOid: "0".repeat(40),
  newOid: "1".repeat(40),
}));
const headWith = (...capabilities: readonly string[]) => ({ capabilities, updates });

const bands = (bytes: Buffer): { readonly 1: Buffer; readonly 2: string; readonly 3: string } => {
  const demux = new SidebandDemux();
  const parts = demux.push(bytes);
  demux.end();
  const of = (band: number): Buffer => Buffer.concat(parts.flatMap((p) => (p.band === band ? [p.data] : [])));
  return { 1: of(1), 2: of(2).toString(), 3: of(3).toString() };
};

describe("refusalResponse", () => {
  const reasons = new Map([["refs/heads/a", "secret in a.txt:1"]]);

  it("answers side-band and report-status as they were asked for", () => {
    const head = headWith("report-status-v2", "side-band-64k");
    const answer = bands(refusalResponse({ head, reasons, messages: ["look:\n", "  evil \x1b[2J\u202e"] }));
    expect(answer[2]).toBe("look:\n  evil \\x1b[2J\\u202e\n");
    expect(parseReportStatus(answer[1])).toEqual({
      unpack: "ok",
      refs: [
        { status: "ng", ref: "refs/heads/a", reason: "secret in a.txt:1" },
        { status: "ng", ref: "refs/heads/b", reason: "not pushed, because another part of this push was refused" },
      ],
    });
  });

  it("keeps to packets of 1,000 bytes for a client of the old side-band", () => {
    const bytes = refusalResponse({
      head: headWith("report-status", "side-band"),
      reasons,
      messages: ["x".repeat(3000)],
    });
    expect(bytes.subarray(0, 4).toString()).toBe("03e8");
    expect(bands(bytes)[2]).toHaveLength(3001);
  });

  it("sends a bare report without side-band, and no messages", () => {
    const bytes = refusalResponse({ head: headWith("report-status"), reasons, messages: ["hello"], unpack: "no" });
    expect(parseReportStatus(bytes)).toMatchObject({ unpack: "no", refs: [{ status: "ng" }, { status: "ng" }] });
    expect(bytes.toString()).not.toContain("hello");
  });

  it("tells a client without report-status by a fatal error, since silence would mean success", () => {
    const answer = bands(refusalResponse({ head: headWith("side-band-64k"), reasons }));
    expect(answer[1]).toHaveLength(0);
    expect(answer[3]).toBe("refs/heads/a: secret in a.txt:1\n");
  });

  it("adds nothing to a plain success", () => {
    const report: PushReport = { unpack: "ok", refs: [{ status: "ok", ref: "refs/heads/a", options: null }] };
    const answer = bands(encodePushResult(headWith("report-status", "side-band-64k"), report));
    expect(answer[2]).toBe("");
    expect(parseReportStatus(answer[1])).toEqual(report);
  });
});

describe("refusalReason", () => {
  it("shows the person's errors on one line and keeps the operator's for the log", () => {
    expect(refusalReason(new GatewayError("limit_exceeded", "too\nlarge \x07"))).toBe("too\\nlarge \\x07");
    expect(refusalReason(new GatewayError("pack_invalid", "bad delta"))).toBe("the pack is not valid: bad delta");
    for (const error of [
      new GatewayError("internal", "at /srv/secret.ts:1"),
      new GatewayError("database_unavailable", "postgres://user:secret@db"),
      new GatewayError("storage_failed", "/srv/secret"),
      new Error("secret"),
      "secret",
    ]) {
      expect(refusalReason(error)).not.toContain("secret");
      expect(refusalReason(error)).toMatch(/gateway/);
    }
    expect([...sameReason({ updates }, "why")]).toEqual([
      ["refs/heads/a", "why"],
      ["refs/heads/b", "why"],
    ]);
  });
});
