import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFetchRequestReader, isVersion2 } from "../../src/git/fetch-request.ts";
import { DELIM_PKT, encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import { endsWell, everySplit } from "./splits.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);

const pkts = (...lines: readonly (string | Buffer | null)[]): Buffer =>
  Buffer.concat(
    lines.map((line) => (line === null ? FLUSH_PKT : Buffer.isBuffer(line) ? line : encodePktLine(`${line}\n`))),
  );

const read = (bytes: Uint8Array, v2: boolean) => {
  const reader = createFetchRequestReader({ v2 });
  reader.push(bytes);
  reader.end();
  return reader.request;
};

const V0 = pkts(
  `want ${A} multi_ack_detailed side-band-64k agent=git/2`,
  `want ${B}`,
  `shallow ${B}`,
  "deepen 3",
  "filter blob:none",
  null,
  `have ${B}`,
  "done",
);
const V2 = pkts(
  "command=fetch",
  "agent=git/2",
  "object-format=sha1",
  DELIM_PKT,
  "thin-pack",
  "ofs-delta",
  "deepen-since 1700000000",
  "deepen-not refs/heads/ü",
  "deepen-relative",
  "want-ref refs/heads/main",
  `want ${A}`,
  `have ${B}`,
  "done",
  null,
);

describe("createFetchRequestReader", () => {
  it("reads a request of version 0, and nothing behind its wants", () => {
    const expected = {
      kind: "objects",
      wants: [A, B],
      wantCount: 2,
      wantRefs: [],
      options: ["depth 3", "filter blob:none"],
    };
    for (const chunks of everySplit(V0)) {
      const reader = createFetchRequestReader({ v2: false });
      for (const chunk of chunks) reader.push(chunk);
      reader.end();
      expect(reader.request).toEqual(expected);
    }
    const reader = createFetchRequestReader({ v2: false });
    for (const chunk of [V0, Buffer.from("no packet")]) reader.push(chunk);
    expect(reader.request).toEqual(expected);
  });

  it("reads a request of version 2", () => {
    const expected = {
      kind: "objects",
      wants: [A],
      wantCount: 1,
      wantRefs: ["refs/heads/main"],
      options: ["since 1700000000", "not refs/heads/ü", "relative"],
    };
    for (const chunks of everySplit(V2)) {
      const reader = createFetchRequestReader({ v2: true });
      for (const chunk of chunks) reader.push(chunk);
      reader.end();
      expect(reader.request).toEqual(expected);
    }
  });

  it("knows a listing of the refs", () => {
    expect(read(pkts("agent=git/2", "command=ls-refs", DELIM_PKT, "peel", "ref-prefix HEAD", null), true).kind).toBe(
      "refs",
    );
    expect(read(pkts("command=object-info", null), true).kind).toBe("other");
  });

  it("keeps a bounded number of wants, and counts them all", () => {
    const many = Array.from({ length: 5000 }, (_, i) => `want ${i.toString(16).padStart(40, "0")}`);
    const request = read(pkts("command=fetch", DELIM_PKT, ...many, null), true);
    expect(request.wants).toHaveLength(100);
    expect(request.wantCount).toBe(5000);
  });

  it.each([
    ["packs from elsewhere", pkts("command=fetch", DELIM_PKT, `want ${A}`, "packfile-uris https", "done", null)],
    ["packs from anywhere", pkts("command=fetch", DELIM_PKT, "packfile-uris", null)],
    ["bundles from elsewhere", pkts("command=bundle-uri", null)],
    ["bundles in a second request", pkts("command=ls-refs", null, "agent=x", "command=bundle-uri", null)],
  ])("refuses to ask for %s, however it is cut", (_what, bytes) => {
    for (const chunks of everySplit(bytes)) {
      const reader = createFetchRequestReader({ v2: true });
      expect(() => {
        for (const chunk of chunks) reader.push(chunk);
      }).toThrow(expect.objectContaining({ code: "forbidden" }));
    }
  });

  it("random bytes give a request or a GatewayError", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.boolean(), async (bytes, v2) => {
        expect(
          await endsWell(() => {
            read(bytes, v2);
          }),
        ).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

it.each([
  ["version=2", true],
  ["version=1:version=2", true],
  ["foo:version=2:bar", true],
  ["version=1", false],
  ["version=22", false],
  [undefined, false],
])("Git-Protocol: %s is version 2: %s", (header, expected) => {
  expect(isVersion2(header)).toBe(expected);
});
