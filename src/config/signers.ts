/** The files that `commits.signers` name, read into the policies that they belong to. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parseAllowedSigners } from "../git/allowed-signers.ts";
import type { PushPolicy } from "../policy/schema.ts";
import type { ConfigDocument } from "./document.ts";
import { readProblem } from "./files.ts";
import type { ConfigMistake } from "./mistake.ts";

const MAX_SIGNERS_BYTES = 4 * 1024 * 1024;

/**
 * @param pushes the entries that could be read; where one of them could not, none is here, and its mistakes are told already
 * @returns the entries with their signers, and without the files' names: those are no part of the policy
 */
export async function readSigners(
  document: ConfigDocument,
  pushes: readonly PushPolicy[],
): Promise<{ readonly pushes: readonly PushPolicy[]; readonly mistakes: readonly ConfigMistake[] }> {
  const mistakes: ConfigMistake[] = [];
  const read = async (policy: PushPolicy, index: number): Promise<PushPolicy> => {
    const { signersFile } = policy.commits;
    if (signersFile === null) return policy;
    const path = ["pushes", index, "commits", "signers"];
    const file = resolve(dirname(document.fileOf(path)?.path ?? "."), signersFile);
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch (error) {
      mistakes.push(document.mistake(path, `this file of signers cannot be used: ${readProblem(error)}`));
      return policy;
    }
    if (text.length > MAX_SIGNERS_BYTES) {
      mistakes.push(document.mistake(path, "is larger than 4 MiB: no file of signers is"));
      return policy;
    }
    const parsed = parseAllowedSigners(text);
    for (const { line, message } of parsed.mistakes) {
      mistakes.push({ file: signersFile, line, column: 1, path: "", message });
    }
    if (parsed.signers.length === 0 && parsed.mistakes.length === 0) {
      mistakes.push(document.mistake(path, "this file lists nobody who may sign commits, so nothing could be pushed"));
    }
    return { ...policy, commits: { ...policy.commits, signers: parsed.signers, signersFile: null } };
  };
  const entries: PushPolicy[] = [];
  for (const [index, policy] of pushes.entries()) entries.push(await read(policy, index));
  return { pushes: entries, mistakes };
}
