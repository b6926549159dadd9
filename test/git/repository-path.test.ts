import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeRepositoryPath, isGitTarget, parseGitTarget } from "../../src/git/repository-path.ts";

const REFS = "/info/refs?service=git-upload-pack";

describe("parseGitTarget", () => {
  it("takes an address apart", () => {
    expect(parseGitTarget(`/git/code/team/app.git${REFS}`)).toEqual({
      ok: true,
      value: {
        connection: "code",
        path: "team/app",
        repository: "code/team/app",
        upstreamPath: "team/app.git",
        operation: { kind: "advertisement", service: "git-upload-pack" },
        pathToken: null,
        prefix: "",
      },
    });
  });

  it.each([
    ["/git/code/app/info/refs?service=git-receive-pack", { kind: "advertisement", service: "git-receive-pack" }],
    ["/git/code/app/git-upload-pack", { kind: "rpc", service: "git-upload-pack" }],
    ["/git/code/app/git-receive-pack", { kind: "rpc", service: "git-receive-pack" }],
    ["/git/code/app/info/refs", { kind: "dumb" }],
    ["/git/code/app/HEAD", { kind: "dumb" }],
    ["/git/code/app/objects/info/packs", { kind: "dumb" }],
    ["/git/code/app/info/lfs/objects/batch", { kind: "lfs", path: "objects/batch" }],
    ["/git/code/app/info/lfs/locks?limit=1", { kind: "lfs", path: "locks?limit=1" }],
  ])("takes the kind of %s from the path", (target, operation) => {
    expect(parseGitTarget(target)).toMatchObject({ ok: true, value: { operation, path: "app", upstreamPath: "app" } });
  });

  it("takes a token in the path, and names it only where it belongs", () => {
    expect(parseGitTarget(`/u/gho_secret/git/code/app.git${REFS}`)).toMatchObject({
      value: { pathToken: "gho_secret", prefix: "/u/gho_secret", repository: "code/app" },
    });
    const refused = parseGitTarget(`/u/gho_secret/git/code/..${REFS}`);
    expect(refused).toMatchObject({ ok: false });
    expect(JSON.stringify(refused)).not.toContain("gho_secret");
  });

  it("decodes once and encodes anew", () => {
    const parsed = parseGitTarget(`/git/code/t%C3%A9am/a%3Bb%20c~d+e.git${REFS}`);
    expect(parsed).toMatchObject({ value: { path: "téam/a;b c~d+e", upstreamPath: "téam/a;b c~d+e.git" } });
    expect(encodeRepositoryPath("téam/a;b c~d+e.git")).toBe("t%C3%A9am/a%3Bb%20c~d%2Be.git");
  });

  it.each([
    [`/git/code/../other/app${REFS}`, "dot segment"],
    [`/git/code/./app${REFS}`, "dot segment"],
    [`/git/code/%2e%2e/app${REFS}`, "dot segment"],
    [`/git/code/.%2E/app${REFS}`, "dot segment"],
    [`/git/code/a%2eb${REFS}`, "encoded dot"],
    [`/git/code//app${REFS}`, "empty segment"],
    [`/git//app${REFS}`, "empty segment"],
    [`/git/code/a%2fb${REFS}`, "slash"],
    [`/git/code/a%5Cb${REFS}`, "backslash"],
    [`/git/code/a\\b${REFS}`, "backslash"],
    [`/git/code/a%00b${REFS}`, "control byte"],
    [`/git/code/a%0ab${REFS}`, "control byte"],
    [`/git/code/a%C2%85b${REFS}`, "control byte"],
    [`/git/code/a\x01b${REFS}`, "percent-encoded"],
    [`/git/code/t\u00c3\u00a9am${REFS}`, "percent-encoded"],
    [`/git/code/a%252e%252e${REFS}`, "encoded twice"],
    [`/git/code/a%ff${REFS}`, "not percent-encoded UTF-8"],
    [`/git/code/a%C0%AFb${REFS}`, "not percent-encoded UTF-8"],
    [`/git/code/a%zz${REFS}`, "not percent-encoded UTF-8"],
    [`/git/code/te%CC%81am${REFS}`, "normalisation form"],
    [`/git/code/${"a".repeat(300)}${REFS}`, "longer than 255"],
    [`/git/code/${"a/".repeat(40)}b${REFS}`, "more than 32 segments"],
    [`/git/code/${"a".repeat(5000)}${REFS}`, "longer than 4096"],
    [`/git/code/app/.git${REFS}`, "could stand for another"],
    [`/git/code/app.git/worktrees/x${REFS}`, "could stand for another"],
    [`/git/code/app.GIT${REFS}`, "could stand for another"],
    [`/git/code/app.git.git${REFS}`, "could stand for another"],
    [`/git/code/app.${REFS}`, "could stand for another"],
    [`/git/code/app%20${REFS}`, "could stand for another"],
    ["/git/code/info/refs?service=git-upload-pack", "names no repository"],
    ["/git/code", "names no repository"],
    ["/git/code/app", "no Git operation"],
    ["/git/code/app/", "empty segment"],
    ["/git/code/app/git-upload-archive", "no Git operation"],
    ["/git/code/app/git-receive-pack?service=git-upload-pack", "takes no query"],
    ["/git/code/app/info/refs?service=git-upload-pack&service=git-receive-pack", "once"],
    ["/git/code/app/info/refs?service=git-upload-pack&x=y", "once"],
    ["/git/code/app/info/refs?%73ervice=git-receive-pack", "once"],
    ["/git/code/app/info/refs?service=git-upload-archive", "once"],
    ["/git/code/app/info/refs?Service=git-upload-pack", "once"],
  ])("refuses %j", (target, text) => {
    expect(parseGitTarget(target)).toEqual({ ok: false, error: expect.stringContaining(text) });
  });

  it("knows its own addresses by the raw target alone", () => {
    expect(isGitTarget("/git/code/../../copilot/x")).toBe(true);
    expect(isGitTarget("/u/token/git/x")).toBe(true);
    expect(isGitTarget("/copilot/../git/code/app")).toBe(false);
    expect(isGitTarget("/u/token/copilot/x")).toBe(false);
    expect(isGitTarget("http://gateway/git/code/app")).toBe(false);
    expect(isGitTarget("/GIT/code/app")).toBe(false);
  });

  it("whatever it accepts names one place below one connection, on the wire too", () => {
    const piece = fc.constantFrom(
      "a",
      ".",
      "..",
      ".git",
      "%2e",
      "%2F",
      "%25",
      "%5c",
      "/",
      "\\",
      "%00",
      "é",
      ";",
      "?",
      "#",
      "~",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const parsed = parseGitTarget(`/git/code/${pieces.join("")}/git-receive-pack`);
        if (!parsed.ok) return;
        const { upstreamPath, path, repository } = parsed.value;
        const url = new URL(`${encodeRepositoryPath(upstreamPath)}/git-receive-pack`, "http://upstream/base/");
        expect(url.pathname).toBe(`/base/${encodeRepositoryPath(upstreamPath)}/git-receive-pack`);
        expect(url.search).toBe("");
        expect(decodeURIComponent(url.pathname)).toBe(`/base/${upstreamPath}/git-receive-pack`);
        expect(repository).toBe(`code/${path}`);
        expect([path, `${path}.git`]).toContain(upstreamPath);
      }),
      { numRuns: 2000 },
    );
  });
});
