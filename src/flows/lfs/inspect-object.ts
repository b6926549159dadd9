import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { AdditionAssembler } from "../../git/addition-assembler.ts";
import type { Addition } from "../../git/additions.ts";
import { readContentLines } from "../../git/content-lines.ts";
import type { PlacedSecret, Scanner } from "../../secrets/scanner.ts";

export interface InspectedObject {
  /** SHA-256, lower-case hexadecimal. */
  readonly oid: string;
  readonly bytes: number;
  /** By place; the first of them where there are very many. */
  readonly secrets: readonly PlacedSecret[];
}

/** A hundred secrets refuse an object as well as a million do. */
const KEPT_SECRETS = 100;
/** Characters looked through before other requests get a turn. */
const TURN_CHARACTERS = 256 * 1024;

/**
 * Reads an object once, as it comes, in constant memory: hashes it, and looks for secrets in it as in a file of a commit.
 * @param keep is given every byte, in order, before it counts as read
 * @throws what `chunks` and `keep` throw
 */
export async function inspectObject(
  chunks: AsyncIterable<Buffer>,
  scanner: Scanner,
  keep: (chunk: Buffer) => Promise<void>,
): Promise<InspectedObject> {
  const hash = createHash("sha256");
  let bytes = 0;
  async function* read(): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      await keep(chunk);
      yield chunk;
    }
  }
  const secrets = createSecrets(scanner);
  // No commit and no path: of an LFS object nobody says what file it will be.
  const assembler = new AdditionAssembler("", "");
  for await (const lines of readContentLines(read())) {
    for (const line of lines) await secrets.look(assembler.add(line));
  }
  await secrets.look(assembler.end());
  return { oid: hash.digest("hex"), bytes, secrets: secrets.found };
}

function createSecrets(scanner: Scanner) {
  const found: PlacedSecret[] = [];
  const seen = new Set<string>();
  let characters = 0;
  return {
    found,
    look: async (additions: readonly Addition[]): Promise<void> => {
      for (const { text, startLine, startColumn } of additions) {
        for (const secret of scanner.find(text)) {
          const shift = secret.line === 1 ? startColumn - 1 : 0;
          const line = startLine + secret.line - 1;
          const column = secret.column + shift;
          // Pieces overlap, and a line is read in more than one way.
          const key = `${secret.rule} ${line} ${secret.fingerprint}`;
          if (seen.has(key) || (found.length >= KEPT_SECRETS && secret.severity === "warn")) continue;
          if (seen.size >= 2 * KEPT_SECRETS) continue;
          seen.add(key);
          found.push({ ...secret, line, column, endColumn: secret.endColumn + shift });
        }
        characters += text.length;
        if (characters >= TURN_CHARACTERS) {
          characters = 0;
          await nextTurn();
        }
      }
    },
  };
}
