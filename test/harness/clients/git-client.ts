/** Git clients that share no code with git itself, each driven by a small program beside this file. */
import { spawn, spawnSync } from "node:child_process";

/** Who signs in, and where the client may leave its own files. */
export interface ClientSession {
  readonly user: string;
  readonly password: string;
  readonly home: string;
}

export interface ClientRun {
  /** Whether the client says that all went well. */
  readonly isOk: boolean;
  /** Everything that it printed: what the server said is in it. */
  readonly output: string;
}

export interface GitClient {
  readonly name: string;
  /** What of it is not installed here; null where nothing is missing. */
  readonly missing: string | null;
  /** Once for all that is done with this home, where the client's program has to be built first. */
  prepare?(session: Pick<ClientSession, "home">): Promise<void>;
  clone(session: ClientSession, address: string, directory: string): Promise<ClientRun>;
  /** Pushes to the address that the directory was cloned from. @param refs full names, here and there */
  push(
    session: ClientSession,
    address: string,
    directory: string,
    refs: { readonly source: string; readonly target: string },
  ): Promise<ClientRun>;
}

/** A program that takes `clone ADDRESS DIRECTORY` and `push ADDRESS DIRECTORY SOURCE TARGET`. */
export function programClient(options: {
  readonly name: string;
  readonly missing: string | null;
  readonly prepare?: GitClient["prepare"] & {};
  readonly command: (session: ClientSession) => readonly [string, ...string[]];
}): GitClient {
  const run = (session: ClientSession, args: readonly string[]): Promise<ClientRun> => {
    const [program, ...first] = options.command(session);
    return runProgram(program, [...first, ...args], session);
  };
  return {
    name: options.name,
    missing: options.missing,
    ...(options.prepare === undefined ? {} : { prepare: options.prepare }),
    clone: (session, address, directory) => run(session, ["clone", address, directory]),
    push: (session, address, directory, { source, target }) =>
      run(session, ["push", address, directory, source, target]),
  };
}

/** Runs a client's program to its end; that it fails is an answer, not an error. */
export function runProgram(
  program: string,
  args: readonly string[],
  { user = "", password = "", home }: Partial<ClientSession> & Pick<ClientSession, "home">,
  cwd = home,
): Promise<ClientRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: {
        PATH: process.env["PATH"] ?? "/usr/bin:/bin",
        HOME: home,
        LC_ALL: "C.UTF-8",
        GIT_CONFIG_NOSYSTEM: "1",
        CLIENT_USER: user,
        CLIENT_PASSWORD: password,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const collect = (text: string): void => void (output += text);
    child.stdout.setEncoding("utf8").on("data", collect);
    child.stderr.setEncoding("utf8").on("data", collect);
    child.on("error", reject);
    child.on("close", (code) => resolve({ isOk: code === 0, output }));
  });
}

/** Whether a program can be started at all and ends well. */
export const works = (program: string, args: readonly string[]): boolean =>
  spawnSync(program, args, { stdio: "ignore" }).status === 0;
