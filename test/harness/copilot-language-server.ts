/**
 * The unmodified Copilot language server, which JetBrains, Vim and other editors run, as an editor drives it: JSON-RPC over its standard
 * streams (the Language Server Protocol's base protocol). Nothing leaves the loopback.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { onTestFinished } from "vitest";
import { fetchClient } from "./fetch-client.ts";
import type { Outside } from "./outside.ts";

export const COPILOT_LANGUAGE_SERVER_VERSION = "1.539.0";

type Json = Readonly<Record<string, unknown>>;

export interface LanguageServer {
  request<Answer = Json>(method: string, params: unknown): Promise<Answer>;
  notify(method: string, params: unknown): void;
  /** The next notification of this method that `wanted` holds for, also one that has come already. */
  heard(method: string, wanted?: (params: Json) => boolean): Promise<Json>;
  /** The `file:` address of a file in its workspace. */
  fileUrl(name: string): string;
  stop(): Promise<void>;
}

export interface LanguageServerOptions {
  readonly outside: Outside;
  /** `settings."github-enterprise".uri`; absent: the environment says everything. */
  readonly enterprise?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const LONGEST_MS = 120_000;

export async function startLanguageServer(options: LanguageServerOptions): Promise<LanguageServer> {
  const server = await fetchClient(
    "copilot-language-server",
    "@github/copilot-language-server",
    COPILOT_LANGUAGE_SERVER_VERSION,
    join("dist", "language-server.js"),
  );
  const root = await mkdtemp(join(tmpdir(), "sallyport-language-server-"));
  const workspace = join(root, "work");
  await mkdir(workspace);
  const child = spawn(process.execPath, [server, "--stdio"], {
    cwd: workspace,
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
    env: {
      PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
      HOME: root,
      XDG_CONFIG_HOME: join(root, "config"),
      XDG_CACHE_HOME: join(root, "cache"),
      XDG_DATA_HOME: join(root, "data"),
      XDG_STATE_HOME: join(root, "state"),
      TMPDIR: root,
      HTTP_PROXY: options.outside.proxyUrl,
      HTTPS_PROXY: options.outside.proxyUrl,
      NO_PROXY: "127.0.0.1",
      ...options.env,
    },
  });
  const closed = once(child, "close");
  const limit = setTimeout(() => kill(), LONGEST_MS);
  const kill = (): void => {
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    } catch {
      // It ended by itself.
    }
  };
  const stop = async (): Promise<void> => {
    clearTimeout(limit);
    kill();
    await closed;
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  };
  onTestFinished(stop);

  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  const news: { method: string; params: Json }[] = [];
  const listeners = new Set<() => void>();
  child.once("close", () => {
    for (const { reject } of waiting.values()) reject(new Error("the language server ended"));
  });

  const send = (message: Json): void => {
    const text = JSON.stringify({ jsonrpc: "2.0", ...message });
    child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  };
  child.stdin.on("error", () => {});

  const take = (message: Json): void => {
    const { id, method, params, result, error } = message;
    if (typeof method === "string" && id !== undefined) return send({ id, result: answerOf(method, params as Json) });
    if (typeof method === "string") {
      news.push({ method, params: (params ?? {}) as Json });
      for (const listener of listeners) listener();
      return;
    }
    const entry = waiting.get(id as number);
    waiting.delete(id as number);
    if (error === undefined) entry?.resolve(result);
    else entry?.reject(new Error(JSON.stringify(error)));
  };
  let unread = Buffer.alloc(0);
  child.stdout.on("data", (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    for (;;) {
      const end = unread.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(unread.toString("latin1", 0, Math.max(0, end)))?.[1]);
      if (end === -1 || unread.length < end + 4 + length) return;
      const text = unread.toString("utf8", end + 4, end + 4 + length);
      unread = unread.subarray(end + 4 + length);
      take(JSON.parse(text) as Json);
    }
  });

  let lastId = 0;
  const request = <Answer>(method: string, params: unknown): Promise<Answer> => {
    lastId += 1;
    const id = lastId;
    return new Promise<Answer>((resolve, reject) => {
      waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      send({ id, method, params });
    });
  };
  const notify = (method: string, params: unknown): void => send({ method, params });
  const heard: LanguageServer["heard"] = (method, wanted = () => true) =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = news.find((one) => one.method === method && wanted(one.params));
        if (found === undefined) return;
        listeners.delete(look);
        resolve(found.params);
      };
      listeners.add(look);
      look();
    });

  const folder = pathToFileURL(workspace).href;
  await request("initialize", {
    processId: process.pid,
    capabilities: { workspace: { workspaceFolders: true }, window: { showDocument: { support: true } } },
    workspaceFolders: [{ uri: folder, name: "work" }],
    initializationOptions: {
      editorInfo: { name: "Neovim", version: "0.11.0" },
      editorPluginInfo: { name: "copilot.lua", version: "1.0.0" },
    },
  });
  notify("initialized", {});
  notify("workspace/didChangeConfiguration", {
    settings: {
      ...(options.enterprise === undefined ? {} : { "github-enterprise": { uri: options.enterprise } }),
      telemetry: { telemetryLevel: "all" },
    },
  });
  return { request, notify, heard, fileUrl: (name) => `${folder}/${name}`, stop };
}

/** What an editor answers that agrees to everything and has no tools of its own. */
function answerOf(method: string, params: Json): unknown {
  switch (method) {
    case "workspace/configuration":
      return (params["items"] as unknown[]).map(() => null);
    case "window/showDocument":
      return { success: true };
    case "conversation/context":
      return [null, null];
    default:
      return null;
  }
}
