import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { LoadedConfig } from "../config.ts";
import { readKey } from "../config/key.ts";
import { createDetector } from "../secrets/detector.ts";
import { createScanner } from "../secrets/scanner.ts";
import type { CommandIo } from "./command.ts";
import { readRules, tellMistakes } from "./load-config.ts";

/**
 * Takes secrets out of what an operator writes beside a record (names, reasons): it is kept, listed and shown on pages, and a shell's history
 * is where such texts are copied from. Under the gateway's key where there is one; none is made for it.
 * @returns null after telling what is wrong with the rules
 */
export async function readNameMask(config: LoadedConfig, io: CommandIo): Promise<((text: string) => string) | null> {
  const { rules, mistakes } = readRules(config.secretRules, { examples: false });
  if (mistakes.length > 0) {
    tellMistakes(mistakes, io.stderr);
    return null;
  }
  const key = config.key ?? (await readKey(join(config.dataDir, "secret.key"))) ?? randomBytes(32);
  const scanner = createScanner(createDetector(rules), key);
  return (text) => scanner.maskName(text);
}
