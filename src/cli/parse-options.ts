import { parseArgs, type ParseArgsConfig } from "node:util";
import { UsageError } from "./command.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Parsed<T extends Options> = ReturnType<
  typeof parseArgs<{ options: T; allowPositionals: true; strict: true; args: string[] }>
>;

/**
 * @param positionals how many words may stand beside the options
 * @throws UsageError for unknown options, missing values and surplus words
 */
export function parseOptions<const T extends Options>(args: readonly string[], options: T, positionals = 0): Parsed<T> {
  let parsed: Parsed<T>;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? (error.message.split(". ", 1)[0] ?? "") : "cannot be read", {
      cause: error,
    });
  }
  const surplus = parsed.positionals[positionals];
  if (surplus !== undefined) throw new UsageError(`unexpected argument "${surplus}"`);
  return parsed;
}

/** Files or directories of configuration; may be given several times. */
export const configOption = { config: { type: "string", multiple: true } } as const;
