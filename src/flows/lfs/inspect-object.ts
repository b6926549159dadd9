import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { AdditionAssembler } from "../../git/addition-assembler.ts";
import type { Addition } from "../../git/additions.ts";
import { readContentLines } from "../../git/content-lines.ts";
import type { Acceptance } from "../../model/finding.ts";
import type { PlacedSecret, Scanner } from "../../secrets/scanner.ts";

export interface InspectedObject {
  /** SHA-256, lower-case hexadecimal. */
  readonly oid: string;
  readonly bytes: number;
  /** By place; the first of them where there are very many, and in any case one that refuses it. */
  readonly secrets: readonly ObjectSecret[];
  /** More was found than may be. The rest was not read: `oid` and `bytes` are of what was. */
  readonly isOverLimit: boolean;
}

export interface ObjectSecret extends PlacedSecret {
  /** The entry of the baseline that accepts it; null: none does. */
  readonly baseline: Acceptance | null;
  /** What policy says of it. */
  readonly refuses: boolean;
}

/** @returns whether the object is refused because of this one, and what speaks for it */
export type JudgeSecret = (secret: PlacedSecret) => Promise<Pick<ObjectSecret, "baseline" | "refuses">>;

/** A hundred secrets are told of, and one that refuses the object: it must not pass because others stand before it. */
const KEPT_SECRETS = 100;
/** Characters looked through before other requests get a turn. */
const TURN_CHARACTERS = 256 * 1024;

/**
 * Reads an object once, as it comes, in constant memory: hashes it, and looks for secrets in it as in a file of a commit.
 * @param mostFindings secrets that it may hold, warnings counted: one made of nothing else costs more than reading it
 * @param judge is asked about every secret that may be kept
 * @param keep is given every byte, in order, before it counts as read
 * @throws what `chunks` and `keep` throw
 */
export async function inspectObject(
  chunks: AsyncIterable<Buffer>,
  scanner: Scanner,
  mostFindings: number,
  judge: JudgeSecret,
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
  const secrets = createSecrets(scanner, mostFindings, judge);
  const inspected = (isOverLimit: boolean) => ({
    oid: hash.digest("hex"),
    bytes,
    secrets: secrets.found,
    isOverLimit,
  });
  // No commit and no path: of an LFS object nobody says what file it will be.
  const assembler = new AdditionAssembler("", "");
  for await (const lines of readContentLines(read())) {
    for (const line of lines) {
      await secrets.look(assembler.add(line));
      if (secrets.isOverLimit()) return inspected(true);
    }
  }
  await secrets.look(assembler.end());
  return inspected(secrets.isOverLimit());
}

function createSecrets(scanner: Scanner, mostFindings: number, judge: JudgeSecret) {
  const found: ObjectSecret[] = [];
  const seen = new Set<string>();
  let count = 0;
  let isRefused = false;
  let characters = 0;

  async function note(secret: PlacedSecret): Promise<void> {
    // Pieces overlap, and a line is read in more than one way.
    const key = `${secret.rule} ${secret.line} ${secret.fingerprint}`;
    const isFull = found.length >= KEPT_SECRETS;
    if (seen.has(key) || (isFull && (isRefused || secret.severity === "warn"))) return;
    const judged = await judge(secret);
    if (isFull && !judged.refuses) return;
    isRefused ||= judged.refuses;
    seen.add(key);
    found.push({ ...secret, ...judged });
  }

  return {
    found,
    isOverLimit: () => count > mostFindings,
    look: async (additions: readonly Addition[]): Promise<void> => {
      for (const { text, startLine, startColumn } of additions) {
        for (const secret of scanner.find(text)) {
          if (++count > mostFindings) return;
          const shift = secret.line === 1 ? startColumn - 1 : 0;
          await note({
            ...secret,
            line: startLine + secret.line - 1,
            column: secret.column + shift,
            endColumn: secret.endColumn + shift,
          });
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
