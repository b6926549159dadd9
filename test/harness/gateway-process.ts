import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ENTRY = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));

export interface GatewayProcess {
  readonly address: string;
  /** SIGTERM, and waits for the end. */
  close(): Promise<void>;
  /** SIGKILL: no handler runs, nothing is flushed. */
  kill(): Promise<void>;
}

/** `sallyport serve` as people start it, from dist/ (`npm test` builds that first). @throws when it ends instead of listening */
export async function startGatewayProcess(options: {
  readonly configFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onLog: (text: string) => void;
}): Promise<GatewayProcess> {
  const child = spawn(process.execPath, [ENTRY, "serve", "--config", options.configFile], {
    cwd: path.dirname(options.configFile),
    env: options.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "close");
  let stdout = "";
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    options.onLog(text);
  });
  const end = async (signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
  };
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      const found = /listens on +(https?:\S+)/.exec(stdout)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once("error", reject);
    ended.then(() => reject(new Error(`the gateway ended:\n${stdout}${stderr}`)), reject);
  });
  return { address, close: () => end("SIGTERM"), kill: () => end("SIGKILL") };
}
