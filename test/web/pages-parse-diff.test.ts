import { describe, expect, it } from "vitest";
import { parseDiff } from "../../src/web/pages/parse-diff.ts";

describe("a diff", () => {
  it("has files, hunks and lines with their numbers", () => {
    const files = parseDiff(
      [
        "diff --git a/a.txt b/a.txt",
        "index 1..2 100644",
        "--- a/a.txt",
        "+++ b/a.txt",
        "@@ -1,2 +1,3 @@ where",
        " same",
        "-old",
        "+new",
        "+more",
        "\\ No newline at end of file",
        "@@ -10 +11 @@",
        "-x",
        "+y",
        "diff --git a/b.bin b/b.bin",
        "Binary files a/b.bin and b/b.bin differ",
        "",
      ].join("\n"),
    );
    expect(files).toMatchObject([
      {
        title: "a/a.txt b/a.txt",
        meta: ["index 1..2 100644", "--- a/a.txt", "+++ b/a.txt"],
        added: 3,
        removed: 2,
        hunks: [
          {
            header: "@@ -1,2 +1,3 @@ where",
            lines: [
              { kind: "context", oldLine: 1, newLine: 1, text: "same" },
              { kind: "del", oldLine: 2, newLine: null, text: "old" },
              { kind: "add", oldLine: null, newLine: 2, text: "new" },
              { kind: "add", oldLine: null, newLine: 3, text: "more" },
              { kind: "meta", text: "\\ No newline at end of file" },
            ],
          },
          { lines: [{ oldLine: 10 }, { newLine: 11 }] },
        ],
      },
      { title: "a/b.bin b/b.bin", meta: ["Binary files a/b.bin and b/b.bin differ"], hunks: [] },
    ]);
  });

  it("cannot be told by its content where a file or a hunk begins", () => {
    // A deleted line `-- a/x`, an added `++ b/x`, and added lines that look like headers.
    const [file, ...others] = parseDiff(
      [
        "diff --git a/x b/x",
        "--- a/x",
        "+++ b/x",
        "@@ -1,2 +1,4 @@",
        "--- a/harmless",
        "+++ b/harmless",
        "+@@ -1 +1 @@",
        "+diff --git a/y b/y",
        " end",
      ].join("\n"),
    );
    expect(others).toEqual([]);
    expect(file).toMatchObject({ added: 3, removed: 1, meta: ["--- a/x", "+++ b/x"] });
    expect(file?.hunks[0]?.lines.map(({ kind, text }) => `${kind} ${text}`)).toEqual([
      "del -- a/harmless",
      "add ++ b/harmless",
      "add @@ -1 +1 @@",
      "add diff --git a/y b/y",
      "context end",
    ]);
  });

  it("that was cut off is shown as far as it goes", () => {
    expect(parseDiff("diff --git a/x b/x\n@@ -1,9 +1,9 @@\n a\n+b")).toMatchObject([{ added: 1, removed: 0 }]);
    expect(parseDiff("")).toEqual([]);
    expect(parseDiff("something else")).toMatchObject([{ title: "", meta: ["something else"] }]);
  });
});
