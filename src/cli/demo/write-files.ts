import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** @param files text by path below `directory`; the directories are there */
export async function writeFiles(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) await writeFile(join(directory, path), text);
}
