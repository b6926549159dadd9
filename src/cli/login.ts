/** `sallyport login`: a person's token for git, on their own machine. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../config/package-root.ts";
import { isLoopback } from "../config/values.ts";
import { GatewayError } from "../errors.ts";
import { escapeLine } from "../model/printable.ts";
import { UsageError, type Command, type CommandIo, type ExitCode } from "./command.ts";
import { runCredentialHelper } from "./login/credential-helper.ts";
import { loginByDevice } from "./login/device-flow.ts";
import { keptTokensPath, readKeptTokens, writeKeptTokens } from "./login/kept-tokens.ts";
import { parseOptions } from "./parse-options.ts";

export const login: Command = {
  help: `Usage: sallyport login URL
       sallyport login --forget URL

Signs you in at a gateway and lets git use it from then on. Shows a code to type into a page of the gateway, in any
browser, on any machine; there you sign in as you always do. The token that comes of it is for git alone.

It is kept in $XDG_CONFIG_HOME/sallyport/tokens.json (~/.config without it), readable by you alone, and git is told to
ask for it there: credential.<URL>.helper in your own git configuration. Other hosts' credentials are not touched.

  URL         the gateway, as in https://gateway.example.com
  --forget    takes both away again; at the gateway the token stays good until it is revoked there
`,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, { forget: { type: "boolean" }, helper: { type: "boolean" } }, 1);
    const [word] = positionals;
    // How git calls it.
    if (values.helper === true) return runCredentialHelper(word ?? "", io);
    const origin = parseGateway(word);
    return values.forget === true ? forget(origin, io) : signIn(origin, io);
  },
};

function parseGateway(text: string | undefined): string {
  if (text === undefined) throw new UsageError("say which gateway, as in sallyport login https://gateway.example.com");
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    throw new UsageError("expected the gateway's address alone, as in https://gateway.example.com");
  }
  if (url.username !== "" || url.password !== "") throw new UsageError("take the user name out of the address");
  if (url.protocol === "http:" && !isLoopback(url.hostname.replace(/^\[|\]$/g, ""))) {
    throw new UsageError("over http:// everybody on the way reads the token: use https://");
  }
  return url.origin;
}

async function signIn(origin: string, io: CommandIo): Promise<ExitCode> {
  const { stop, now } = io;
  const { token, expiresAt } = await loginByDevice(origin, { stop, now }, (code, address) =>
    io.stderr.write(`Open ${escapeLine(address, 300)} in a browser, sign in, and type this code: ${code}\n`),
  );
  const path = keptTokensPath(io.env);
  const tokens = await readKeptTokens(path);
  await writeKeptTokens(path, { ...tokens, [origin]: { token, expiresAt: expiresAt?.toISOString() ?? null } });
  await setHelper(origin, io);
  io.stderr.write(`Signed in. git uses it for ${origin}/ from now on.\n`);
  return 0;
}

async function forget(origin: string, io: CommandIo): Promise<ExitCode> {
  const path = keptTokensPath(io.env);
  const { [origin]: _, ...others } = await readKeptTokens(path);
  await writeKeptTokens(path, others);
  await unsetHelper(origin, io);
  io.stderr.write(`Forgotten. The token itself is revoked at ${origin}/tokens.\n`);
  return 0;
}

const keyOf = (origin: string): string => `credential.${origin}.helper`;

const inQuotes = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

async function setHelper(origin: string, io: CommandIo): Promise<void> {
  const command = `!${inQuotes(process.execPath)} ${inQuotes(join(packageRoot(), "bin", "sallyport.js"))} login --helper`;
  // The empty one first: helpers named before it, for all hosts, are not asked and are not handed the token to keep.
  await git(["config", "--global", "--replace-all", keyOf(origin), ""], io);
  await git(["config", "--global", "--add", keyOf(origin), command], io);
}

async function unsetHelper(origin: string, io: CommandIo): Promise<void> {
  // 5: there is none, which is what was wanted.
  await git(["config", "--global", "--unset-all", keyOf(origin)], io, [5]);
}

async function git(args: readonly string[], io: CommandIo, fine: readonly number[] = []): Promise<void> {
  try {
    await promisify(execFile)("git", args, { env: io.env, cwd: io.cwd });
  } catch (cause) {
    const code: unknown = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : null;
    if (typeof code === "number" && fine.includes(code)) return;
    throw new GatewayError(
      "config_invalid",
      "git's own configuration could not be written: is git there, and the file yours?",
      { cause },
    );
  }
}
