/** Which files make up the configuration. */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, isAbsolute, join, relative, resolve } from "node:path";
import type { ConfigFile } from "./document.ts";
import type { ConfigMistake } from "./mistake.ts";

/** Configurations are written by hand; more than this is something else, given by mistake. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

const YAML_NAME = /\.ya?ml$/;

const wholeFile = (file: string, message: string): ConfigMistake => ({
  file,
  line: null,
  column: null,
  path: "",
  message,
});

/**
 * Reads files, and of directories every `*.yaml` and `*.yml` in order of their names (not below them).
 * @param paths as given; relative to `cwd`
 */
export async function readConfigFiles(
  paths: readonly string[],
  cwd: string,
): Promise<{ readonly files: readonly ConfigFile[]; readonly mistakes: readonly ConfigMistake[] }> {
  const files: ConfigFile[] = [];
  const mistakes: ConfigMistake[] = [];
  for (const given of paths) {
    const path = resolve(cwd, given);
    try {
      const found = (await stat(path)).isDirectory() ? await listYaml(path) : [path];
      if (found.length === 0) mistakes.push(wholeFile(given, "there is no *.yaml file in this directory"));
      for (const file of found) {
        const name = displayName(file, cwd);
        if ((await stat(file)).size > MAX_FILE_BYTES)
          mistakes.push(wholeFile(name, "is larger than 4 MiB: no configuration is"));
        else files.push({ name, path: file, text: await readFile(file, "utf8") });
      }
    } catch (error) {
      mistakes.push(wholeFile(given, readProblem(error)));
    }
  }
  return { files, mistakes };
}

/** Why a file named by the operator could not be read, and what to do. */
export function readProblem(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (code === "ENOENT") return "there is no such file; check the path";
  if (code === "EACCES" || code === "EPERM")
    return "may not be read by the user who runs this; change its owner or mode";
  return `cannot be read (${typeof code === "string" ? code : "unknown reason"})`;
}

const listYaml = async (directory: string): Promise<string[]> =>
  (await readdir(directory, { withFileTypes: true }))
    .filter((entry) => !entry.isDirectory() && YAML_NAME.test(entry.name) && !basename(entry.name).startsWith("."))
    .map((entry) => join(directory, entry.name))
    .sort();

/** Relative where that is shorter to read. */
function displayName(path: string, cwd: string): string {
  const name = relative(cwd, path);
  return name === "" || name.startsWith("..") || isAbsolute(name) ? path : name;
}
