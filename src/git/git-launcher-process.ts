/** The body of the process that starts git: see `git-launcher.ts`. It ends with the gateway, and takes every git along. */
import { spawn } from "node:child_process";
import { rmdirSync, rmSync } from "node:fs";
import net, { type Socket } from "node:net";
import path from "node:path";
import {
  CHANNEL_GREETING_BYTES,
  CHANNEL_STOCK,
  LAUNCHER_DIRECTORY,
  LAUNCHER_SOCKET,
  type ChannelEnd,
  type LauncherNews,
  type LauncherOrder,
} from "./git-launcher.ts";
import { keepTail, signalGroup } from "./git-process.ts";

const channels = new Map<number, Readonly<Record<ChannelEnd, Socket>>>();
const running = new Map<number, number>();
const directory = process.cwd();
let lastId = 0;

const tell = (news: LauncherNews): void => void process.send?.(news, undefined, undefined, () => {});

async function addChannel(): Promise<void> {
  const id = ++lastId;
  const [stdin, stdout] = await Promise.all([connect(id, "stdin"), connect(id, "stdout")]);
  channels.set(id, { stdin, stdout });
}

/** Never read here: what the gateway writes is for the git that will have this socket. */
function connect(id: number, end: ChannelEnd): Promise<Socket> {
  const socket = net.connect({ path: path.join(directory, LAUNCHER_SOCKET) });
  socket.pause();
  return new Promise((resolve, reject) => {
    socket.once("error", reject).once("connect", () => {
      socket.write(`${id} ${end}`.padEnd(CHANNEL_GREETING_BYTES - 1) + "\n");
      resolve(socket);
    });
  });
}

function start({ id, cwd, args, env }: Extract<LauncherOrder, { kind: "start" }>): void {
  const channel = channels.get(id);
  if (channel === undefined) return;
  channels.delete(id);
  const failed = (error: unknown): void =>
    tell({ kind: "failed", id, message: error instanceof Error ? error.message : String(error) });
  try {
    const child = spawn("git", args, {
      cwd,
      env,
      stdio: [channel.stdin, channel.stdout, "pipe"],
      // A group of its own: `git fetch` starts git-remote-http and index-pack, which have to end with it.
      detached: true,
    });
    const stderr = keepTail(child.stderr);
    child.once("error", failed).once("close", (code) => {
      running.delete(id);
      tell({ kind: "ended", id, code, stderr: stderr() });
    });
    if (child.pid !== undefined) {
      running.set(id, child.pid);
      tell({ kind: "started", id, pid: child.pid });
    }
  } catch (error) {
    failed(error);
  } finally {
    // git has its own copies: the last one to close ends the stream.
    channel.stdin.destroy();
    channel.stdout.destroy();
  }
  addChannel().catch(() => {});
}

process.on("message", (message) => {
  const order = message as LauncherOrder;
  switch (order.kind) {
    case "start":
      start(order);
      return;
    case "signal": {
      const pid = running.get(order.id);
      if (pid !== undefined) signalGroup(pid, order.signal);
    }
  }
});

/** A gateway that was killed has left it. Nothing but what is ours: somebody may run this file by hand, anywhere. */
function removeDirectory(): void {
  if (!path.basename(directory).startsWith(LAUNCHER_DIRECTORY)) return;
  rmSync(path.join(directory, LAUNCHER_SOCKET), { force: true });
  try {
    rmdirSync(directory);
  } catch {
    // Gone already, or not empty.
  }
}

const end = (): void => {
  for (const pid of running.values()) signalGroup(pid, "SIGTERM");
  removeDirectory();
  // oxlint-disable-next-line unicorn/no-process-exit -- a process of its own, and its work is over
  process.exit();
};
process.on("disconnect", end);
// The gateway is told to stop, lets what runs end, and then this process as well.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});

if (process.connected) for (let count = 0; count < CHANNEL_STOCK; count++) addChannel().catch(() => {});
else end();
