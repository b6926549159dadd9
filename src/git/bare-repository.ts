import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { ObjectFormat } from "./push-command.ts";

const CONFIG: Readonly<Record<ObjectFormat, string>> = {
  sha1: "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
  sha256: "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n",
};

/**
 * An empty bare repository, written by hand: `git init` takes longer than some whole pushes, and copies templates.
 *
 * HEAD names a branch that never comes to be, so that no version of git takes attributes from it; `info/attributes` beats
 * every `.gitattributes` there is (gitattributes(5), order of precedence) and unsets all that could hide a file from diff.
 */
export async function createBareRepository(
  gitDir: string,
  format: ObjectFormat,
  alternate: string | null,
): Promise<void> {
  await Promise.all(
    [["objects", "pack"], ["objects", "info"], ["refs"], ["info"]].map((names) =>
      mkdir(path.join(gitDir, ...names), { recursive: true }),
    ),
  );
  await Promise.all([
    writeFile(path.join(gitDir, "config"), CONFIG[format]),
    writeFile(path.join(gitDir, "info", "attributes"), "* !diff !text !eol !filter !ident !working-tree-encoding\n"),
    ...(alternate === null ? [] : [writeFile(path.join(gitDir, "objects", "info", "alternates"), `${alternate}\n`)]),
  ]);
  // Last: a directory without HEAD is not a repository yet.
  await writeFile(path.join(gitDir, "HEAD"), "ref: refs/heads/none\n");
}
