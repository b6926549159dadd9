import { expect, test } from "vitest";
import { findModulesFault } from "../../src/git/submodule-file.ts";

const modules = (...lines: readonly string[]): string =>
  `[submodule "x"]\n${lines.map((line) => `\t${line}\n`).join("")}`;

test.each([
  ["what git writes", modules("path = lib/x", "url = https://example.com/x.git", "branch = main", "update = rebase")],
  ["a relative address", modules("url = ../x.git")],
  ["a comment", modules("# url = -x", "; path = -x")],
  ["another key", modules("url2 = -x")],
  ["a name with dots", '[submodule "a..b/...c"]\n\turl = ./x\n'],
  ["nothing", ""],
])("is taken: %s", (_what, text) => {
  expect(findModulesFault(text)).toBeNull();
});

test.each([
  ["an option for an address", modules("url = -u./payload"), "begins with “-”"],
  ["behind quotes", modules('url = "-u./payload"'), "begins with “-”"],
  ["behind an escape", modules('url = ""\\"\\b', "url = \\-x"), "begins with “-”"],
  ["in capitals, without spaces, with carriage returns", modules("URL=-x\r"), "begins with “-”"],
  ["on the line of its section", '[submodule "x"] url = -x\n', "begins with “-”"],
  ["over two lines", modules("url = \\", "-x"), "begins with “-”"],
  ["behind a byte order mark", '\ufeff[submodule "x"]url=-x', "begins with “-”"],
  ["a command for an address", modules("url = ext::sh -c evil"), "is a command"],
  ["a line feed in an address", modules('url = "https://x/\\nhost=y"'), "more than one line"],
  ["an option for a path", modules("path = -x"), "the path of a submodule"],
  ["a command to update by", modules("update = !evil"), "updated by a command"],
  ["a name that leads upwards", '[submodule "../../x"]\n', "leads upwards"],
  ["a name that leads upwards on Windows", '[submodule "a\\\\..\\\\x"]\n', "leads upwards"],
])("is refused: %s", (_what, text, fault) => {
  expect(findModulesFault(text)).toContain(fault);
});
