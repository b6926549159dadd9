import { describe, expect, it } from "vitest";
import { parseLfsPath } from "../../src/web/lfs-path.ts";

const OID = "a".repeat(64);

describe("what is carried below info/lfs/", () => {
  it.each([
    ["POST", "objects/batch", { kind: "batch" }],
    ["PUT", `sallyport/upload/${OID}`, { kind: "upload", oid: OID }],
    ["GET", `sallyport/download/${OID}`, { kind: "download", oid: OID }],
    ["POST", `sallyport/verify/${OID}`, { kind: "verify", oid: OID }],
    ["GET", "locks", { kind: "locks", method: "GET", right: "read", upstreamPath: "locks" }],
    ["POST", "locks", { kind: "locks", method: "POST", right: "write", upstreamPath: "locks" }],
    ["POST", "locks/verify", { kind: "locks", method: "POST", right: "write", upstreamPath: "locks/verify" }],
    [
      "POST",
      "locks/a%20b/unlock",
      { kind: "locks", method: "POST", right: "write", upstreamPath: "locks/a%20b/unlock" },
    ],
    [
      "GET",
      "locks?x=1&path=a%26b&path=c",
      { kind: "locks", method: "GET", right: "read", upstreamPath: "locks?path=a%26b" },
    ],
  ])("%s %s", (method, path, route) => {
    expect(parseLfsPath(method, path)).toEqual(route);
  });

  it.each([
    ["GET", ""],
    ["GET", "objects/batch"],
    ["POST", "objects/batch/"],
    ["POST", "objects/batch?x"],
    ["POST", "Objects/batch"],
    ["GET", `objects/${OID}`],
    ["POST", `sallyport/upload/${OID}`],
    ["GET", `sallyport/verify/${OID}`],
    ["HEAD", `sallyport/download/${OID}`],
    ["PUT", `sallyport/upload/${OID}?x=1`],
    ["PUT", `sallyport/upload/${OID}/x`],
    ["PUT", `sallyport/upload/${OID.toUpperCase()}`],
    ["PUT", "sallyport/upload"],
    ["GET", "locks/verify"],
    ["POST", "locks/1"],
    ["POST", "locks/1/unlock/2"],
    ["POST", "locks/1/unlock?force=1"],
    ["DELETE", "locks/1"],
  ])("and not %s %s", (method, path) => {
    expect(parseLfsPath(method, path)).toBeNull();
  });
});
