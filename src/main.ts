/** The entry: hands the process to the command line and takes an exit code back. */
import { runCli } from "./cli/run-cli.ts";

let stopping: AbortController | null = null;

/** Takes the signals over when a command first asks for them: all others end at once, as people expect of Ctrl-C. */
function stopSignal(): AbortSignal {
  if (stopping !== null) return stopping.signal;
  const controller = new AbortController();
  stopping = controller;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // Asked twice, somebody does not want to wait for what is still running.
      if (controller.signal.aborted) process.exit(1);
      controller.abort();
    });
  }
  return controller.signal;
}

// `sallyport scan | head` ends the pipe early, and a log's reader may go away: neither is a reason to crash.
process.stdout.on("error", () => process.exit(1));
process.stderr.on("error", () => {});

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  pid: process.pid,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  get stop() {
    return stopSignal();
  },
  onHangup: (heard) => {
    process.on("SIGHUP", heard);
    return () => process.off("SIGHUP", heard);
  },
  now: () => new Date(),
});
