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
  const at = (...names: readonly string[]): string => path.join(gitDir, ...names);
  const makeDirectory = (...names: readonly string[]) => mkdir(at(...names), { recursive: true });
  const writeHead = () => writeFile(at("HEAD"), "ref: refs/heads/none\n");
  const makeInfo = async (): Promise<void> => {
    await makeDirectory("objects", "info");
    if (alternate !== null) await writeFile(at("objects", "info", "alternates"), `${alternate}\n`);
  };
  // A push waits for it: one step after the other only where it has to be.
  await Promise.all([makeDirectory("objects"), makeDirectory("refs"), makeDirectory("info")]);
  await Promise.all([
    makeInfo(),
    makeDirectory("objects", "pack"),
    writeFile(at("config"), CONFIG[format]),
    writeFile(at("info", "attributes"), "* !diff !text !eol !filter !ident !working-tree-encoding\n"),
    ...(alternate === null ? [] : [writeHead()]),
  ]);
  // Last, where others may look: a directory without HEAD is not a repository yet.
  if (alternate === null) await writeHead();
}
