/** The tokens that `sallyport login` got, by gateway: one JSON file in the person's own configuration, readable by them alone. */
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { z } from "zod";
import { GatewayError } from "../../errors.ts";

const schema = z.record(z.string(), z.object({ token: z.string(), expiresAt: z.iso.datetime().nullable() }));

export type KeptTokens = Readonly<z.output<typeof schema>>;

/** @throws GatewayError `config_invalid` where there is no home to keep it in */
export function keptTokensPath(env: Readonly<Record<string, string | undefined>>): string {
  const home = env["HOME"] ?? env["USERPROFILE"];
  const base = env["XDG_CONFIG_HOME"] || (home === undefined ? undefined : join(home, ".config"));
  if (base === undefined)
    throw new GatewayError("config_invalid", "neither HOME nor XDG_CONFIG_HOME says where to keep the token");
  return join(base, "sallyport", "tokens.json");
}

/** @returns none where there is no file, or where it is not ours to understand */
export async function readKeptTokens(path: string): Promise<KeptTokens> {
  try {
    const parsed = schema.safeParse(JSON.parse(await readFile(path, "utf8")));
    return parsed.success ? parsed.data : {};
  } catch {
    return {};
  }
}

/** A whole new file takes the old one's place: whoever reads meanwhile sees one or the other. */
export async function writeKeptTokens(path: string, tokens: KeptTokens): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const own = `${path}.${randomBytes(8).toString("hex")}`;
  await writeFile(own, `${JSON.stringify(tokens, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  // Whatever the umask took or gave.
  await chmod(own, 0o600);
  await rename(own, path);
}
