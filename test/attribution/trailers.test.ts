import { spawnSync } from "node:child_process";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSessionTrailers, parseTrailers } from "../../src/attribution/trailers.ts";
import { cpuTimeMs } from "../harness/cpu-time.ts";

const ID = "0b8f3a52-6a0e-4a55-9d0b-5f3c8a0f1b11";

const gitTrailers = (message: string): string[] => {
  const run = spawnSync("git", ["interpret-trailers", "--parse", "--no-divider"], {
    input: message,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null" },
    cwd: "/",
  });
  if (run.status !== 0) throw new Error(run.stderr);
  return run.stdout.split("\n").filter((line) => line !== "");
};

describe("parseTrailers", () => {
  it("reads the last paragraph, continuation lines joined", () => {
    expect(parseTrailers("Title\n\nBody: not here\n\nA: one\n  and more\nB:two\n\n")).toEqual([
      { token: "A", value: "one and more" },
      { token: "B", value: "two" },
    ]);
  });

  it.each([
    ["a title that looks like one", "A: b"],
    ["prose", "Title\n\nsome prose\nA: b"],
    ["nothing", ""],
    ["more than the bound", `Title\n\n${"A: b\n".repeat(50_000)}`],
    ["a cut that looks like a blank line", `Title\n\nx${" ".repeat(70_000)}\nA: b`],
  ])("finds none in %s", (_, message) => {
    expect(parseTrailers(message)).toEqual([]);
  });

  it("agrees with git on any message", () => {
    const line = fc.constantFrom(
      "Title",
      "",
      " ",
      "A: one",
      "B-c :two",
      "  continued",
      "prose without a colon",
      "prose with: a colon",
      "Signed-off-by: Ana <ana@example.com>",
      "(cherry picked from commit 1234)",
      "---",
      "https://example.com/",
      "E:",
      ": empty",
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 9 }), (lines) => {
        const message = `${lines.join("\n")}\n`;
        const ours = parseTrailers(message).map(({ token, value }) => `${token}: ${value}`);
        const git = gitTrailers(message).filter((trailer) => !trailer.startsWith("(cherry"));
        expect(ours.map((text) => text.trim())).toEqual(git.map((text) => text.trim()));
      }),
      { numRuns: 150, seed: 7 },
    );
  });

  it("is done at once with megabytes of anything", () => {
    const before = cpuTimeMs();
    for (const piece of ["A: b\n", " \n", "A", "A: ", " x\n", "\n"])
      parseTrailers(`Title\n\n${piece.repeat(1_000_000)}`);
    expect(cpuTimeMs() - before).toBeLessThan(2_000);
  });
});

describe("parseSessionTrailers", () => {
  it("finds distinct ids, whatever the case of the token", () => {
    const message = `Title\n\nCopilot-Session: ${ID}\ncopilot-session: ${ID}\nCOPILOT-SESSION: another-session\nSigned-off-by: A <a@b>`;
    expect(parseSessionTrailers(message)).toEqual([ID, "another-session"]);
  });

  it("ignores values that are no id", () => {
    expect(
      parseSessionTrailers(
        "T\n\nCopilot-Session: %\nCopilot-Session: x y z\nCopilot-Session: none:copilot-cli\nCopilot-Session:",
      ),
    ).toEqual([]);
  });

  it("takes 16 at most", () => {
    const many = Array.from({ length: 100 }, (_, i) => `Copilot-Session: session-${i}`).join("\n");
    expect(parseSessionTrailers(`T\n\n${many}`)).toHaveLength(16);
  });
});
