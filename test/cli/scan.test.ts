import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openKey } from "../../src/config/key.ts";
import { directoryWith } from "../config/files.ts";
import { ONE_RULE, run } from "./command-io.ts";

const RULES = `${ONE_RULE}  - id: test-hint
    description: A test's hint
    severity: warn
    reference: https://example.com/hints
    keywords: [thint_]
    regex: thint_[a-z]{4}
    path: \\.env$
    examples: { match: [thint_abcd], path: x.env }
`;
const SECRET = "tkey_abcdefgh";

async function scan(files: Record<string, string>, args: readonly string[], stdin?: string | Uint8Array) {
  const cwd = await directoryWith({ "rules.yaml": RULES, ...files });
  return run(["scan", "--rules", "rules.yaml", ...args], { cwd, ...(stdin === undefined ? {} : { stdin }) });
}

const json = (out: string): unknown[] =>
  out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);

describe("sallyport scan", () => {
  it("tells places as JSON lines, never the secret", async () => {
    const { code, out, err } = await scan({ "src/a.ts": `one\n  key = "${SECRET}"\n`, "src/b.ts": "fine" }, [
      "src",
      "--json",
    ]);
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(out).not.toContain(SECRET);
    expect(json(out)).toEqual([
      {
        rule: "test-key",
        severity: "block",
        path: "src/a.ts",
        line: 2,
        column: 10,
        endColumn: 10 + SECRET.length,
        fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
    ]);
  });

  it("tells people in short lines, never the secret", async () => {
    const { code, out, err } = await scan({ "a.env": `${SECRET} thint_abcd\n` }, ["a.env"]);
    expect(code).toBe(1);
    expect(out.split("\n")).toEqual([
      "a.env:1:1: A test's key (test-key)",
      "a.env:1:15: A test's hint (test-hint, warning)",
      "",
    ]);
    expect(err).toBe("2 secrets in 1 file.\n");
  });

  it("asks the path of rules that are meant for some files", async () => {
    expect(await scan({ "a.txt": "thint_abcd" }, ["a.txt"])).toMatchObject({
      code: 0,
      out: "",
      err: "No secrets in 1 file.\n",
    });
  });

  it("reads what is piped in", async () => {
    const { code, out } = await scan({}, ["-", "--json"], `x\n${SECRET}`);
    expect(code).toBe(1);
    expect(json(out)).toMatchObject([{ path: "-", line: 2, column: 1 }]);
  });

  it("reads the current directory where no path is given, without .git and without following links", async () => {
    const cwd = await directoryWith({
      "rules.yaml": RULES,
      ".git/config": SECRET,
      "sub/.git/x": SECRET,
      "sub/x": SECRET,
    });
    const other = await directoryWith({ y: SECRET });
    await symlink(other, join(cwd, "link"));
    await symlink(join(other, "y"), join(cwd, "sub", "link"));
    const { out } = await run(["scan", "--rules", "rules.yaml", "--json"], { cwd });
    expect(json(out)).toMatchObject([{ path: "rules.yaml" }, { path: "sub/x" }]);
    const named = await run(["scan", "--rules", "rules.yaml", "--json", "link", "sub/link"], { cwd });
    expect(json(named.out)).toMatchObject([{ path: "link/y" }, { path: "sub/link" }]);
  });

  it("finds text in binary files, and keeps columns in UTF-16 units", async () => {
    const cwd = await directoryWith({ "rules.yaml": RULES });
    await writeFile(
      join(cwd, "x.bin"),
      Buffer.concat([Buffer.from([0, 255, 254, 10]), Buffer.from(`é😀${SECRET}\u0000`)]),
    );
    const { out } = await run(["scan", "--rules", "rules.yaml", "--json", "x.bin"], { cwd });
    expect(json(out)).toMatchObject([{ line: 2, column: 4 }]);
  });

  it("finds secrets far down a file of many lines, wherever reading cuts it", async () => {
    const filler = `${"x".repeat(1_021)}\n`;
    const text = `${filler.repeat(300)}  ${SECRET}\n${filler.repeat(63)}${"y".repeat(1_010)}\n${SECRET} and\n${SECRET}\n`;
    const { out } = await scan({ "big.txt": text }, ["big.txt", "--json"]);
    expect(json(out)).toMatchObject([
      { line: 301, column: 3 },
      { line: 366, column: 1 },
      { line: 367, column: 1 },
    ]);
  });

  it("escapes names that would move the cursor", async () => {
    const { out } = await scan({ "a\u001b[2Jb": SECRET }, ["."]);
    expect(out).toContain("a\\x1b[2Jb:1:1");
    expect(out).not.toContain("\u001b");
  });

  it("says what it could not read, and does not call that clean", async () => {
    const { code, err } = await scan({ "fine.txt": "" }, ["fine.txt", "missing.txt"]);
    expect(code).toBe(1);
    expect(err).toContain("missing.txt: there is no such file");
    expect(err).toContain("No secrets in 1 file; 1 could not be read.");
  });

  it("fingerprints with the gateway's key where there is one, and leaves none behind", async () => {
    const cwd = await directoryWith({ "rules.yaml": RULES, a: SECRET });
    const once = async (): Promise<unknown> => {
      const { out } = await run(["scan", "--rules", "rules.yaml", "--json", "a"], {
        cwd,
        env: { SALLYPORT_DATA: "data" },
      });
      return (json(out)[0] as { fingerprint: unknown }).fingerprint;
    };
    expect(await once()).not.toBe(await once());
    await openKey(join(cwd, "data"));
    expect(await once()).toBe(await once());
    await chmod(join(cwd, "data", "secret.key"), 0o644);
    const { code, err } = await run(["scan", "a"], { cwd, env: { SALLYPORT_DATA: "data" } });
    expect(code).toBe(1);
    expect(err).toContain("chmod 600");
  });

  it("refuses rules that are wrong or missing", async () => {
    expect(await scan({ "bad.yaml": "rules: 5" }, ["--rules", "bad.yaml"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("bad.yaml:1:"),
    });
    expect(await scan({}, ["--rules", "none.yaml"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("none.yaml: there is no such file"),
    });
  });

  it("carries the gateway's own rules, alone or beside others", async () => {
    const cwd = await directoryWith({ "rules.yaml": RULES, a: `${["AKIA", "Z7QXW2LMNB4RTY5K"].join("")} ${SECRET}` });
    await mkdir(join(cwd, "empty"));
    const rulesOf = async (args: readonly string[]): Promise<unknown[]> =>
      json((await run(["scan", "--json", ...args, "a"], { cwd })).out).map((line) => (line as { rule: string }).rule);
    expect(await rulesOf([])).not.toContain("test-key");
    expect(await rulesOf([])).toHaveLength(1);
    expect(await rulesOf(["--rules", "builtin", "--rules", "rules.yaml"])).toHaveLength(2);
    expect(await run(["scan", "empty"], { cwd })).toMatchObject({ code: 0, err: "No secrets in 0 files.\n" });
  });
});
