/** Processes of their own that open the embedded database, as the gateway and the command line do. They run what is built. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { onTestFinished } from "vitest";

export const ROOT = join(import.meta.dirname, "..", "..");

const PROGRAM = `
  const { openEmbedded } = await import(process.argv[1]);
  const handle = await openEmbedded({ dataDir: process.argv[2] });
  const [row] = await handle.sql\`select current_setting('data_directory') as data\`;
  console.log(JSON.stringify({ server: handle.pid, port: Number(new URL(handle.url).port), data: row.data }));
  process.stdin.once("data", async () => {
    await handle.close();
    console.log("closed");
    process.exit();
  });
  process.stdin.once("end", () => process.exit(1));
`;

export interface Opener {
  readonly pid: number;
  /** The server's process id. */
  readonly server: number;
  readonly port: number;
  /** The server's data directory, as it says itself. */
  readonly data: string;
  close(): Promise<void>;
  /** As `kill -9`. */
  kill(): Promise<void>;
}

export interface OpenerOptions {
  /** The directory that `dist/` lies in. */
  readonly root?: string;
  readonly uid?: number;
  /** A program that runs the rest of the command line. */
  readonly wrapper?: readonly string[];
}

/** @throws Error with what the process printed, when it could not open the database */
export async function openInProcess(dataDir: string, options: OpenerOptions = {}): Promise<Opener> {
  const { root = ROOT, uid, wrapper = [] } = options;
  const module = join(root, "dist", "src", "store", "embedded-postgres.js");
  if (!existsSync(module)) throw new Error("dist/ is missing: npm run build");
  const node = [process.execPath, "--input-type=module", "-e", PROGRAM, pathToFileURL(module).href, dataDir];
  const [command = "", ...args] = [...wrapper, ...node];
  const child = spawn(command, args, {
    cwd: "/",
    stdio: "pipe",
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  onTestFinished(() => end(child));
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done === true) throw new Error(errors);
  const said = JSON.parse(first.value) as Pick<Opener, "server" | "port" | "data">;
  return {
    ...said,
    pid: child.pid ?? 0,
    async close() {
      const exited = once(child, "exit");
      child.stdin.write("close\n");
      const answer = await lines.next();
      if (answer.value !== "closed") throw new Error(`not closed: ${errors}`);
      await exited;
    },
    kill: () => end(child),
  };
}

async function end(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
