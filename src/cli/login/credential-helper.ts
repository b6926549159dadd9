/**
 * `sallyport login` as git's credential helper (gitcredentials(7), git-credential(1)): git writes `key=value` lines and reads such
 * lines back. `get` answers with the token, `erase` forgets it when the gateway has refused it, `store` is not ours.
 */
import type { Readable } from "node:stream";
import type { CommandIo, ExitCode } from "../command.ts";
import { keptTokensPath, readKeptTokens, writeKeptTokens } from "./kept-tokens.ts";

const MAX_INPUT = 64 * 1_024;

export async function runCredentialHelper(action: string, io: CommandIo): Promise<ExitCode> {
  const asked = parseLines(await readInput(io.stdin));
  const origin = originOf(asked);
  if (origin === null) return 0;
  const path = keptTokensPath(io.env);
  const tokens = await readKeptTokens(path);
  const kept = Object.hasOwn(tokens, origin) ? tokens[origin] : undefined;
  if (action === "get") {
    if (kept === undefined || (kept.expiresAt !== null && new Date(kept.expiresAt) <= io.now())) {
      io.stderr.write(`You are not signed in at ${origin}: sallyport login ${origin}\n`);
      return 0;
    }
    io.stdout.write(`username=sallyport\npassword=${kept.token}\n`);
    return 0;
  }
  // Only what was refused: another process may have signed in meanwhile.
  if (action === "erase" && kept !== undefined && asked.get("password") === kept.token) {
    const { [origin]: _, ...others } = tokens;
    await writeKeptTokens(path, others);
    io.stderr.write(`${origin} no longer takes your token: sallyport login ${origin}\n`);
  }
  return 0;
}

function originOf(asked: ReadonlyMap<string, string>): string | null {
  const url = `${asked.get("protocol") ?? ""}://${asked.get("host") ?? ""}`;
  return URL.canParse(url) && /^https?:/.test(url) ? new URL(url).origin : null;
}

export const parseLines = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text.split("\n").flatMap((line): [string, string][] => {
      const at = line.indexOf("=");
      return at === -1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );

async function readInput(input: Readable): Promise<string> {
  let text = "";
  for await (const chunk of input) {
    text += String(chunk);
    if (text.length > MAX_INPUT) break;
  }
  return text;
}
