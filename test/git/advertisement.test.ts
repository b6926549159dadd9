import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createReceivePackFilter,
  createUploadPackFilter,
  filterReceivePackAdvertisement,
  parseAdvertisement,
} from "../../src/git/advertisement.ts";
import { encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import { endsWell, everySplit } from "./splits.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);
const ZERO = "0".repeat(40);
const pkts = (...lines: readonly (string | null)[]): Buffer =>
  Buffer.concat(lines.map((line) => (line === null ? FLUSH_PKT : encodePktLine(line))));

const UPLOAD = pkts(
  "# service=git-upload-pack\n",
  null,
  `${A} HEAD\0multi_ack symref=HEAD:refs/heads/main object-format=sha1 agent=git/2\n`,
  `${A} refs/heads/main\n`,
  `${B} refs/tags/v1\n`,
  `${A} refs/tags/v1^{}\n`,
  `shallow ${A}`,
  null,
);
const RECEIVE = pkts(
  "# service=git-receive-pack\n",
  null,
  `${A} refs/heads/main\0report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta push-cert=123-abc session-id=x push-options object-format=sha1 agent=git/2\n`,
  `${B} .have\n`,
  `${B} refs/heads/x\n`,
  null,
);
const CARRIED =
  "report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta push-cert=123-abc push-options object-format=sha1 agent=git/2";

describe("parseAdvertisement", () => {
  it("reads refs, peeled tags, symbolic refs and the format", () => {
    expect(parseAdvertisement(UPLOAD)).toEqual({
      refs: new Map([
        ["HEAD", A],
        ["refs/heads/main", A],
        ["refs/tags/v1", B],
      ]),
      peeled: new Map([["refs/tags/v1", A]]),
      capabilities: ["multi_ack", "symref=HEAD:refs/heads/main", "object-format=sha1", "agent=git/2"],
      symrefs: new Map([["HEAD", "refs/heads/main"]]),
      objectFormat: "sha1",
    });
  });

  it("reads an empty repository, of either format, and leaves out .have", () => {
    const empty = pkts(
      "# service=git-receive-pack\n",
      null,
      `${"0".repeat(64)} capabilities^{}\0object-format=sha256`,
      null,
    );
    expect(parseAdvertisement(empty)).toMatchObject({ refs: new Map(), objectFormat: "sha256" });
    expect([...parseAdvertisement(RECEIVE).refs.keys()]).toEqual(["refs/heads/main", "refs/heads/x"]);
  });

  it.each([
    ["HTML", Buffer.from("<!doctype html>"), "malformed"],
    ["a cut-off list", UPLOAD.subarray(0, -7), "malformed"],
    ["an error", pkts("ERR access denied \x1b[31m"), "access denied \\x1b[31m"],
    ["a line that is no ref", pkts("# service=x", null, "version 2", null), "not a line of a ref advertisement"],
  ])("refuses %s", (_what, bytes, text) => {
    expect(() => parseAdvertisement(bytes)).toThrow(
      expect.objectContaining({ code: "upstream_misbehaved", message: expect.stringContaining(text) }),
    );
  });

  it("keeps names apart that are not UTF-8", () => {
    const line = (byte: number) =>
      encodePktLine(Buffer.concat([Buffer.from(`${A} refs/heads/`), Buffer.from([byte]), Buffer.from("\n")]));
    const bytes = Buffer.concat([pkts(`${A} refs/heads/a\0atomic\n`), line(0xff), line(0xfe), FLUSH_PKT]);
    expect(parseAdvertisement(bytes).refs.size).toBe(3);
  });

  it("refuses one that is cut off between two packets, at any of them", () => {
    for (let end = 0; end < UPLOAD.length; end++) {
      // The announcement of the service ends with a flush of its own.
      expect(() => parseAdvertisement(UPLOAD.subarray(0, end))).toThrow(
        expect.objectContaining({ code: "upstream_misbehaved" }),
      );
    }
  });

  it("reads and filters 100,000 refs", () => {
    const refs = Array.from({ length: 100_000 }, (_, i) => `${i.toString(16).padStart(40, "0")} refs/heads/b${i}\n`);
    const [first = "", ...others] = refs;
    const capabilities = "report-status session-id=x atomic\n";
    const bytes = pkts("# service=git-receive-pack\n", null, first.replace("\n", `\0${capabilities}`), ...others, null);
    expect(parseAdvertisement(bytes).refs.size).toBe(100_000);
    const filter = createReceivePackFilter();
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 65_536) parts.push(filter.push(bytes.subarray(at, at + 65_536)));
    filter.end();
    const { refs: kept, capabilities: carried } = parseAdvertisement(Buffer.concat(parts));
    expect(kept.size).toBe(100_000);
    expect(carried).toEqual(["report-status", "atomic"]);
  });

  it("random bytes give refs or a GatewayError", async () => {
    const line = fc.string({ maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array(),
          fc.array(line).map((all) => pkts(...all, null)),
        ),
        async (bytes) => {
          expect(
            await endsWell(() => {
              parseAdvertisement(bytes);
            }),
          ).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("filterReceivePackAdvertisement", () => {
  const expected = pkts(
    "# service=git-receive-pack\n",
    null,
    `${A} refs/heads/main\0${CARRIED}\n`,
    `${B} refs/heads/x\n`,
    null,
  );

  it("takes off what a push through the gateway cannot carry", () => {
    expect(filterReceivePackAdvertisement(RECEIVE)).toEqual(expected);
  });

  it("does so however the answer is cut", () => {
    for (const chunks of everySplit(RECEIVE)) {
      const filter = createReceivePackFilter();
      expect(Buffer.concat(chunks.map((chunk) => filter.push(chunk)))).toEqual(expected);
      filter.end();
    }
  });

  it("keeps the capabilities where the first line, or every line, is a .have", () => {
    const first = pkts(
      "# service=git-receive-pack\n",
      null,
      `${B} .have\0atomic session-id=1`,
      `${A} refs/heads/x\n`,
      null,
    );
    expect(filterReceivePackAdvertisement(first)).toEqual(
      pkts("# service=git-receive-pack\n", null, `${A} refs/heads/x\0atomic\n`, null),
    );
    const only = pkts("# service=git-receive-pack\n", null, `${B} .have\0atomic session-id=1`, null);
    expect(filterReceivePackAdvertisement(only)).toEqual(
      pkts("# service=git-receive-pack\n", null, `${ZERO} capabilities^{}\0atomic\n`, null),
    );
  });

  it("keeps ref names that are not UTF-8 byte for byte", () => {
    const line = Buffer.concat([Buffer.from(`${A} refs/heads/`), Buffer.from([0xff, 0xfe]), Buffer.from("\n")]);
    const bytes = Buffer.concat([pkts(`${A} refs/heads/a\0atomic\n`), encodePktLine(line), FLUSH_PKT]);
    expect(filterReceivePackAdvertisement(bytes)).toEqual(bytes);
  });

  it.each([
    ["HTML", Buffer.from("<html>"), "malformed"],
    ["a line without an id", pkts("nothing\n", null), "not a line of a ref advertisement"],
    ["an empty line", pkts("", null), "not a line of a ref advertisement"],
    ["an id that is too short", pkts(`${A.slice(1)} refs/heads/x\0atomic`, null), "not a line of a ref advertisement"],
    ["an error", pkts("ERR access denied", null), "the upstream says: access denied"],
  ])("refuses what is no advertisement: %s", (_what, bytes, text) => {
    expect(() => filterReceivePackAdvertisement(bytes)).toThrow(
      expect.objectContaining({ code: "upstream_misbehaved", message: expect.stringContaining(text) }),
    );
  });
});

describe("createUploadPackFilter", () => {
  const filtered = (bytes: Buffer): string => {
    const filter = createUploadPackFilter();
    return filter.push(bytes).toString();
  };

  it("takes what leads around the gateway off version 2", () => {
    const v2 = (fetch: string): Buffer =>
      pkts("# service=git-upload-pack\n", null, "version 2\n", "ls-refs=unborn\n", fetch, "object-format=sha1\n", null);
    const withUris = Buffer.concat([
      v2("fetch=shallow packfile-uris filter\n").subarray(0, -4),
      pkts("bundle-uri\n", "promisor-remote=name=cdn,url=https:%2f%2felsewhere\n", null),
    ]);
    expect(filtered(withUris)).toBe(v2("fetch=shallow filter\n").toString());
    expect(filtered(v2("fetch=shallow packfile-uris\n"))).toBe(v2("fetch=shallow \n").toString());
  });

  it("leaves version 0 alone", () => {
    expect(filtered(UPLOAD)).toBe(UPLOAD.toString());
  });
});
