/** The command line: finds the command, runs it, and turns whatever happens into an exit code. */
import { findNearest } from "../config/mistake.ts";
import { GatewayError } from "../errors.ts";
import { redactCredentials } from "../log.ts";
import { escapeUnprintable } from "../model/printable.ts";
import { readVersion } from "./version.ts";
import { UsageError, type Command, type CommandIo, type ExitCode } from "./command.ts";

interface Entry {
  readonly name: string;
  readonly summary: string;
  /** Loaded when asked for: `sallyport scan` needs no database driver. */
  readonly load: () => Promise<Command>;
}

/** A new command is a new file and an entry here. */
const COMMANDS: readonly Entry[] = [
  { name: "serve", summary: "run the gateway", load: async () => (await import("./serve.ts")).serve },
  {
    name: "demo",
    summary: "play the whole story on this machine, step by step",
    load: async () => (await import("./demo.ts")).demo,
  },
  {
    name: "check",
    summary: "check configuration and secret rules",
    load: async () => (await import("./check.ts")).check,
  },
  {
    name: "token",
    summary: "make, list and revoke gateway tokens",
    load: async () => (await import("./token.ts")).token,
  },
  {
    name: "baseline",
    summary: "findings of secrets that are accepted",
    load: async () => (await import("./baseline.ts")).baseline,
  },
  {
    name: "stop",
    summary: "end what a person or a session has running with a model",
    load: async () => (await import("./stop.ts")).stop,
  },
  {
    name: "login",
    summary: "sign in at a gateway, for git on this machine",
    load: async () => (await import("./login.ts")).login,
  },
  { name: "scan", summary: "look for secrets in files", load: async () => (await import("./scan.ts")).scan },
  {
    name: "setup",
    summary: "how to point git and Copilot clients here",
    load: async () => (await import("./setup.ts")).setup,
  },
];

const overview = (): string => `Sallyport: a gateway between AI coding agents and what they push to.

Usage: sallyport <command> [options]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`).join("\n")}

  sallyport <command> --help    what a command does, and its options
  sallyport --version

Exit codes: 0 done, 1 a finding, a mistake or a failure, 2 wrong usage.
`;

/** @param args the words after `sallyport` */
export async function runCli(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const [first, ...rest] = args;
  if (first === undefined) {
    io.stderr.write(overview());
    return 2;
  }
  if (first === "--version" || first === "-v") {
    io.stdout.write(`${await readVersion()}\n`);
    return 0;
  }
  const wantsHelp = first === "help" || first === "--help" || first === "-h";
  const name = wantsHelp ? rest[0] : first;
  if (name === undefined) {
    io.stdout.write(overview());
    return 0;
  }
  const entry = COMMANDS.find((command) => command.name === name);
  if (entry === undefined) {
    const nearest = findNearest(
      name,
      COMMANDS.map((command) => command.name),
    );
    const hint = nearest === null ? "see sallyport --help" : `did you mean ${nearest}?`;
    io.stderr.write(escapeUnprintable(`sallyport: there is no command "${name}"; ${hint}\n`));
    return 2;
  }
  return runCommand(entry, wantsHelp || asksForHelp(rest), rest, io);
}

async function runCommand(
  { name, load }: Entry,
  help: boolean,
  args: readonly string[],
  io: CommandIo,
): Promise<ExitCode> {
  try {
    const command = await load();
    if (!help) return await command.run(args, io);
    io.stdout.write(command.help);
    return 0;
  } catch (error) {
    const usage = error instanceof UsageError;
    const hint = usage ? `\nsee sallyport ${name} --help` : "";
    io.stderr.write(escapeUnprintable(`sallyport ${name}: ${explain(error)}${hint}\n`));
    return usage ? 2 : 1;
  }
}

function asksForHelp(args: readonly string[]): boolean {
  const options = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  return options.includes("--help") || options.includes("-h");
}

/** What happened, and what was behind it; a fault of ours comes with its stack, for the report that somebody will write. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return redactCredentials(String(error));
  if (error instanceof UsageError) return error.message;
  if (!(error instanceof GatewayError)) return redactCredentials(error.stack ?? error.message);
  const cause = error.cause instanceof Error ? `\n  caused by: ${error.cause.message}` : "";
  return redactCredentials(error.message + cause);
}
