/**
 * A small process that starts git for the gateway.
 *
 * Starting a program copies the page tables of whoever starts it (fork(2)), and nothing else runs meanwhile: 12 ms for a process of
 * 150 MiB, a twelfth of that for a small one. Five gits in each push would hold up every stream that passes the gateway.
 *
 * A git's stdin and stdout are sockets between the gateway and it, made in advance: nothing is copied on the way, and no start
 * waits. Where there is no launcher, or its stock of sockets is empty, the gateway starts git by itself.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { access, mkdtemp, rm } from "node:fs/promises";
import net, { type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { GatewayError } from "../errors.ts";
import { signalGroup, type GitProcess, type ProcessEnd } from "./git-process.ts";

/** From the gateway to the launcher. */
export type LauncherOrder =
  | {
      readonly kind: "start";
      readonly id: number;
      readonly cwd: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    }
  | { readonly kind: "signal"; readonly id: number; readonly signal: NodeJS.Signals };

/** From the launcher to the gateway. */
export type LauncherNews =
  | { readonly kind: "started"; readonly id: number; readonly pid: number }
  | { readonly kind: "ended"; readonly id: number; readonly code: number | null; readonly stderr: string }
  | { readonly kind: "failed"; readonly id: number; readonly message: string };

/** What the launcher says first on each socket: `<id> <end>\n`, padded, so that it is known without reading on. */
export const CHANNEL_GREETING_BYTES = 16;
export type ChannelEnd = "stdin" | "stdout";

/** How the name of the directory begins in which the launcher runs, and what the gateway listens on there. */
export const LAUNCHER_DIRECTORY = "sallyport-git-";
export const LAUNCHER_SOCKET = "socket";

/** Pairs of sockets that wait for a git: enough for fifty pushes that come at once. */
export const CHANNEL_STOCK = 64;

export interface GitLauncher {
  /** Starts `git`. Null where it cannot now: then it has to be started without. */
  start(args: readonly string[], env: Readonly<Record<string, string>>): GitProcess | null;
  /** How many it could start at once now. */
  stock(): number;
  /** Ends it, and every git that it has started. */
  close(): Promise<void>;
}

export interface GitLauncherOptions {
  /** The gateway's own environment; PATH is taken from it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Words before the launcher's own command line: a program that limits what it and each git may use. */
  readonly wrapper: readonly string[];
  /** Told when it has ended by itself: from then on the gateway starts git without it. */
  readonly onLost?: (error: Error) => void;
  /** The built file of `git-launcher-process.ts`; default: the one beside this file. */
  readonly program?: string;
}

interface Running {
  pid: number | null;
  readonly end: (end: ProcessEnd) => void;
}

/** @returns null where it cannot run: the sources are not built, or the place for its socket is no good */
export async function startGitLauncher(options: GitLauncherOptions): Promise<GitLauncher | null> {
  const program = options.program ?? fileURLToPath(new URL("./git-launcher-process.js", import.meta.url));
  const isBuilt = await access(program).then(
    () => true,
    () => false,
  );
  if (!isBuilt) return null;
  // Readable by its owner alone (mkdtemp(3)): who can connect could put words into git's mouth.
  const directory = await mkdtemp(path.join(tmpdir(), LAUNCHER_DIRECTORY));
  const server = net.createServer({ pauseOnConnect: true });
  try {
    const address = path.join(directory, LAUNCHER_SOCKET);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(address, resolve);
    });
    const [command, ...args] = [...options.wrapper, process.execPath, program];
    const child = spawn(command, args, {
      env: { PATH: options.environment["PATH"] },
      cwd: directory,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      // Not in the terminal's group: Ctrl-C is for the gateway, which lets its pushes end first.
      detached: true,
    });
    const launcher = launch(child, server, directory, options.onLost ?? (() => {}));
    // It keeps nobody from ending: it ends with whoever started it.
    child.unref();
    child.channel?.unref();
    server.unref();
    return launcher;
  } catch {
    server.close();
    await rm(directory, { recursive: true, force: true });
    return null;
  }
}

function launch(
  child: ChildProcess,
  server: net.Server,
  directory: string,
  onLost: (error: Error) => void,
): GitLauncher {
  const stock: { readonly id: number; readonly stdin: Socket; readonly stdout: Socket }[] = [];
  const halves = new Map<number, Partial<Record<ChannelEnd, Socket>>>();
  const running = new Map<number, Running>();
  let status: "open" | "closing" | "lost" = "open";

  const admit = async (socket: Socket): Promise<void> => {
    const { id, end } = await greeted(socket);
    const pair = { ...halves.get(id), [end]: socket };
    halves.set(id, pair);
    const { stdin, stdout } = pair;
    if (stdin === undefined || stdout === undefined) return;
    halves.delete(id);
    for (const half of [stdin, stdout]) half.unref();
    stock.push({ id, stdin, stdout });
  };
  server.on("connection", (socket) => {
    admit(socket).catch(() => socket.destroy());
  });

  const send = (order: LauncherOrder): void => {
    // A launcher that is gone is told by its "exit".
    child.send(order, () => {});
  };
  child.on("message", (message) => {
    const news = message as LauncherNews;
    const found = running.get(news.id);
    if (found === undefined) return;
    switch (news.kind) {
      case "started":
        found.pid = news.pid;
        return;
      case "ended":
        running.delete(news.id);
        found.end(news);
        return;
      case "failed":
        running.delete(news.id);
        found.end({ code: new Error(news.message), stderr: "" });
    }
  });

  const gone = new Promise<void>((resolve) => {
    const onGone = (error: Error): void => {
      if (status === "lost") return;
      const isAsked = status === "closing";
      status = "lost";
      for (const { pid, end } of running.values()) {
        if (pid !== null) signalGroup(pid, "SIGKILL");
        end({
          code: new GatewayError("internal", "git was lost from sight while it worked: try again", { cause: error }),
          stderr: "",
        });
      }
      running.clear();
      const unused = [...stock.splice(0), ...halves.values()].flatMap(({ stdin, stdout }) => [stdin, stdout]);
      for (const socket of unused) socket?.destroy();
      server.close();
      resolve();
      if (!isAsked) onLost(error);
    };
    child.once("error", onGone);
    child.once("exit", (code, signal) => onGone(new Error(`the launcher of git ended with ${code ?? signal}`)));
  });

  return {
    start: (args, env) => {
      const channel = status === "open" ? stock.shift() : undefined;
      if (channel === undefined) return null;
      const { id, stdin, stdout } = channel;
      for (const socket of [stdin, stdout]) socket.ref();
      const ended = new Promise<ProcessEnd>((resolve) => {
        running.set(id, { pid: null, end: resolve });
      });
      send({ kind: "start", id, cwd: process.cwd(), args, env });
      return {
        stdin,
        stdout,
        pid: () => running.get(id)?.pid ?? null,
        // By the launcher, whose child it is: it knows for certain whether there still is one.
        signal: (signal) => send({ kind: "signal", id, signal }),
        ended: ended.then((end) => {
          // git no longer reads; what it has written can still be read.
          stdin.destroy();
          return end;
        }),
      };
    },
    stock: () => stock.length,
    close: async () => {
      if (status === "open") {
        status = "closing";
        // Its end is waited for, also where nothing else is left to wait for.
        child.ref();
        child.disconnect();
      }
      await gone;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Reads what the launcher says first; nothing else can come before a git is started. @throws Error for anything else */
async function greeted(socket: Socket): Promise<{ readonly id: number; readonly end: ChannelEnd }> {
  socket.on("error", () => {});
  const text = await new Promise<string>((resolve, reject) => {
    const closed = (): void => reject(new Error("this was not the launcher"));
    const read = (): void => {
      const bytes = socket.read(CHANNEL_GREETING_BYTES) as Buffer | null;
      if (bytes === null) return;
      socket.off("readable", read).off("close", closed);
      resolve(bytes.toString("latin1"));
    };
    socket.on("readable", read).once("close", closed);
  });
  const [, id, end] = /^(\d+) (stdin|stdout) *\n$/.exec(text) ?? [];
  if (id === undefined || end === undefined) throw new Error("this was not the launcher");
  return { id: Number(id), end: end as ChannelEnd };
}
