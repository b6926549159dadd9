/**
 * Cleans up after a demo that gets no chance to do so itself: `kill -9`, a second Ctrl-C, a closed window. A shell in a session of its
 * own holds one end of a pipe, which ends with the demo however that ends; then it stops the database (whose server is a process of
 * its own and would go on) and removes the directory.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";

/** $1: the directory; $2: `postmaster.pid` in it, whose first line is the server's process id. */
const SCRIPT = `
cat > /dev/null
pid=$(head -n 1 "$2" 2> /dev/null)
[ -n "$pid" ] && kill -INT "$pid" 2> /dev/null
for second in 1 2 3 4 5 6 7 8 9 10; do
  if [ -z "$pid" ] || ! kill -0 "$pid" 2> /dev/null; then rm -rf "$1" 2> /dev/null && break; fi
  sleep 1
done
`;

export interface Janitor {
  /** Sends it home, when everything has been tidied up already. */
  dismiss(): Promise<void>;
}

export function startJanitor(directory: string, postmasterPid: string, path: string | undefined): Janitor {
  const shell = spawn("sh", ["-c", SCRIPT, "sh", directory, postmasterPid], {
    stdio: ["pipe", "ignore", "ignore"],
    env: { PATH: path },
    cwd: "/",
    detached: true,
  });
  const ended = once(shell, "close").catch(() => {});
  // Without a shell there is no second safety: the first one is the demo itself.
  shell.on("error", () => {});
  shell.stdin.on("error", () => {});
  shell.unref();
  return {
    dismiss: async () => {
      shell.ref();
      shell.stdin.end();
      await ended;
    },
  };
}
