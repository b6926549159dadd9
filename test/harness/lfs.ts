/** A world whose upstream has Git LFS, and what a client does there, by hand and with git-lfs. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { startLfsServer, type LfsServer, type LfsServerOptions } from "../../fixtures/lfs-server.ts";
import { basic, rawRequest, type RawAnswer } from "./raw-push.ts";
import { startWorld, type Person, type World, type WorldOptions } from "./world.ts";

export interface LfsWorld {
  readonly world: World;
  readonly lfs: LfsServer;
}

export interface LfsWorldOptions extends WorldOptions {
  readonly lfs?: LfsServerOptions;
}

/** The Git upstream's own credential: both are one host. */
const CREDENTIAL = { username: "gateway", password: "upstream-password" };

export async function startLfsWorld(options: LfsWorldOptions = {}): Promise<LfsWorld> {
  const lfs = await startLfsServer({ ...CREDENTIAL, ...options.lfs });
  try {
    // After the gateway, which may still be asking it.
    onTestFinished(() => lfs.stop());
  } catch {
    // Called in a hook: whoever calls it stops it.
  }
  const world = await startWorld({ ...options, connection: { url: lfs.url, ...options.connection } });
  lfs.setGitServer(world.upstream.url);
  return { world, lfs };
}

/** One world for all tests of a file; see `sharedWorld`. */
export function sharedLfsWorld(options: LfsWorldOptions = {}): () => LfsWorld {
  let shared: LfsWorld | null = null;
  beforeAll(async () => {
    shared = await startLfsWorld(options);
  });
  afterAll(async () => {
    await shared?.world.close();
    await shared?.lfs.stop();
  });
  return () => {
    if (shared === null) throw new Error("the world is there in tests and hooks only");
    return shared;
  };
}

export const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

/** Bytes that do not compress and hold no text, the same every time. */
export const noise = (length: number, seed = ""): Buffer =>
  Buffer.concat(
    Array.from({ length: Math.ceil(length / 32) }, (_, i) => createHash("sha256").update(`${seed}${i}`).digest()),
  ).subarray(0, length);

export const pointerTo = (content: Uint8Array): string =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(content)}\nsize ${content.length}\n`;

export interface LfsAction {
  readonly href: string;
  readonly header: Record<string, string>;
  readonly expires_in: number;
}

export interface LfsBatchObject {
  readonly oid: string;
  readonly size: number;
  readonly authenticated?: boolean;
  readonly actions?: { readonly upload?: LfsAction; readonly download?: LfsAction; readonly verify?: LfsAction };
  readonly error?: { readonly code: number; readonly message: string };
}

/** A client that says only what the wire says. */
export function lfsClient(world: Pick<World, "url">, person: Pick<Person, "email" | "token">, repository: string) {
  const base = `/git/code/${repository}.git/info/lfs`;
  const json = { "content-type": "application/vnd.git-lfs+json", accept: "application/vnd.git-lfs+json" };
  const send = (
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body?: Uint8Array,
  ): Promise<RawAnswer> =>
    rawRequest(world, {
      method,
      path,
      headers: { authorization: basic(person), ...headers },
      ...(body === undefined ? {} : { body }),
    });
  const post = (path: string, body: unknown): Promise<RawAnswer> =>
    send("POST", `${base}/${path}`, json, Buffer.from(typeof body === "string" ? body : JSON.stringify(body)));
  /** @throws when the batch is not answered with objects */
  const batch = async (
    operation: "upload" | "download",
    objects: readonly { readonly oid: string; readonly size: number }[],
  ): Promise<LfsBatchObject[]> => {
    const answer = await post("objects/batch", { operation, transfers: ["basic"], objects });
    if (answer.status !== 200) throw new Error(`the batch was answered with ${answer.status}: ${answer.text}`);
    return (JSON.parse(answer.text) as { objects: LfsBatchObject[] }).objects;
  };
  const act = (
    method: string,
    action: LfsAction,
    body?: Uint8Array,
    headers: Readonly<Record<string, string>> = {},
  ) => {
    const { pathname, search } = new URL(action.href);
    return send(method, `${pathname}${search}`, { ...action.header, ...headers }, body);
  };
  const actionFor = async (
    operation: "upload" | "download",
    content: { readonly oid: string; readonly size: number },
  ): Promise<LfsAction> => {
    const [object] = await batch(operation, [content]);
    const action = object?.actions?.[operation];
    if (action === undefined) throw new Error(`there is no ${operation} for this object: ${JSON.stringify(object)}`);
    return action;
  };
  return {
    base,
    send,
    post,
    batch,
    act,
    actionFor,
    /** As git-lfs does: batch, PUT. */
    upload: async (content: Uint8Array): Promise<RawAnswer> => {
      const action = await actionFor("upload", { oid: sha256(content), size: content.length });
      return act("PUT", action, content);
    },
  };
}

export const messageOf = (answer: RawAnswer): string => (JSON.parse(answer.text) as { message: string }).message;

/** Whether the command-line client is there. `.ci/run` installs it; elsewhere a run without it says what it leaves out. */
export const hasGitLfs = spawnSync("git", ["lfs", "version"], { stdio: "ignore" }).status === 0;
