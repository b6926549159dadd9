import { spawn } from "node:child_process";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { onTestFinished } from "vitest";
import { startGitUpstream, type GitUpstreamFixture } from "../../fixtures/git-upstream.ts";
import { readAdditions, type Addition } from "../../src/git/additions.ts";
import { findForced, readRefDiff, type RefDiff } from "../../src/git/diff.ts";
import { defaultPushLimits } from "../../src/git/limits.ts";
import type { PushLimits } from "../../src/model/push-limits.ts";
import { readNewObjects, type NewObjects } from "../../src/git/new-objects.ts";
import { createGit, type Git } from "../../src/git/process.ts";
import type { ObjectFormat } from "../../src/git/push-command.ts";
import { openQuarantine, type Quarantine } from "../../src/git/quarantine.ts";
import { createRepositoryCache, type CachedRepository } from "../../src/git/repository-cache.ts";
import type { RefUpdate } from "../../src/model/ref-update.ts";
import { sealedGitEnv, temporaryDirectory } from "../harness/git.ts";

export const ZERO = "0".repeat(40);

export const testGit = (): Git =>
  createGit({ environment: { PATH: process.env["PATH"] }, userAgent: "sallyport/test (gateway-internal)" });

/** Runs git and returns the bytes that it prints. @throws when it fails */
export function gitBytes(args: readonly string[], cwd: string, input: string | Buffer = "", env = {}): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn("git", args, { cwd, env: { ...sealedGitEnv(cwd), ...env } });
    const chunks: Buffer[] = [];
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(Buffer.concat(chunks)) : reject(new Error(`git ${args.join(" ")}: ${stderr}`)),
    );
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

export type Files = Readonly<Record<string, string | Uint8Array | null | { readonly link: string }>>;

/** A developer's clone, the upstream behind it, and the inspection of what the one would push to the other. */
export interface Scene {
  readonly git: Git;
  readonly root: string;
  readonly work: string;
  readonly upstream: GitUpstreamFixture;
  readonly cacheRoot: string;
  must(...args: readonly string[]): Promise<string>;
  /** Writes (null removes) and commits. @returns the commit's id */
  commit(message: string, files: Files): Promise<string>;
  /** Lets a ref of the upstream have what the clone has. */
  land(ref: string, revision: string): Promise<void>;
  /** As `git push` packs. */
  pack(want: readonly string[], have: readonly string[], flags?: readonly string[]): Promise<Buffer>;
  tips(): Promise<string[]>;
  /** Those of `oids` that the clone has. */
  known(oids: readonly string[]): Promise<string[]>;
  openCache(): Promise<CachedRepository>;
  open(limits?: Partial<PushLimits>, cache?: CachedRepository | null): Promise<Quarantine>;
  /** Receives and surveys a push. Without `pack`: what git would send. */
  inspect(options: {
    readonly updates: readonly RefUpdate[];
    readonly pack?: Buffer;
    readonly limits?: Partial<PushLimits>;
    readonly cache?: CachedRepository;
  }): Promise<NewObjects>;
}

export async function startScene(
  options: { readonly objectFormat?: ObjectFormat; readonly allowFilter?: boolean } = {},
): Promise<Scene> {
  const objectFormat = options.objectFormat ?? "sha1";
  const root = await temporaryDirectory("inspection");
  const work = path.join(root, "work");
  const upstream = await startGitUpstream({ root: path.join(root, "upstream") });
  onTestFinished(() => upstream.stop());
  await upstream.createRepository("r", { objectFormat, allowFilter: options.allowFilter ?? true });
  await mkdir(work);
  const must = async (...args: readonly string[]): Promise<string> => (await gitBytes(args, work)).toString().trim();
  await must("init", "-q", "-b", "main", `--object-format=${objectFormat}`);
  const git = testGit();
  const cacheRoot = path.join(root, "cache");
  const caches = createRepositoryCache({ git, root: cacheRoot, maxBytes: 2 ** 30, fetchTimeoutMs: 120_000 });

  const scene: Scene = {
    git,
    root,
    work,
    upstream,
    cacheRoot,
    must,
    commit: async (message, files) => {
      for (const [name, content] of Object.entries(files)) {
        const file = path.join(work, name);
        await rm(file, { force: true });
        await mkdir(path.dirname(file), { recursive: true });
        if (content === null) continue;
        if (typeof content === "object" && "link" in content) await symlink(content.link, file);
        else await writeFile(file, content);
      }
      await must("add", "-A", "-f");
      await gitBytes(["commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", "-"], work, message);
      return must("rev-parse", "HEAD");
    },
    land: async (ref, revision) => {
      await must("push", "-q", "-f", upstream.directoryOf("r"), `${revision}:${ref}`);
    },
    pack: (want, have, flags = ["--thin", "--delta-base-offset"]) =>
      gitBytes(
        ["pack-objects", "--revs", "--stdout", "-q", ...flags],
        work,
        [...want, ...have.map((oid) => `^${oid}`)].join("\n") + "\n",
      ),
    tips: async () => {
      const refs = await upstream.git("r", "for-each-ref", "--format=%(objectname) %(*objectname)");
      return refs.split(/\s+/).filter((oid) => oid !== "");
    },
    openCache: async () => {
      const cache = await caches.open("c/r", objectFormat, { url: `${upstream.url}r.git`, headers: [] });
      onTestFinished(() => cache.release());
      return cache;
    },
    open: async (limits = {}, cache = null) => {
      const quarantine = await openQuarantine({
        git,
        root: path.join(root, "quarantine"),
        objectFormat,
        limits: { ...defaultPushLimits, ...limits },
        cache,
      });
      onTestFinished(() => quarantine.remove());
      return quarantine;
    },
    inspect: async ({ updates, pack, limits, cache }) => {
      const quarantine = await scene.open(limits, cache ?? (await scene.openCache()));
      const want = updates.map((update) => update.newOid).filter((oid) => !/^0+$/.test(oid));
      const tips = await scene.tips();
      const bytes = pack ?? (await scene.pack(want, await scene.known(tips)));
      const bases = updates.map((update) => update.oldOid).filter((oid) => !/^0+$/.test(oid));
      await quarantine.receive({ pack: inChunks(bytes), sink: { write: async () => {} }, bases });
      return readNewObjects(quarantine, { updates, tips });
    },
    known: async (oids) => {
      const lines = await gitBytes(["cat-file", "--batch-check"], work, oids.map((oid) => `${oid}\n`).join(""));
      return lines
        .toString()
        .split("\n")
        .filter((line) => line !== "" && !line.endsWith("missing"))
        .map((line) => line.split(" ")[0] ?? "");
    },
  };
  return scene;
}

export async function* inChunks(bytes: Buffer, size = 16 * 1024): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** `commit path:line text` for each added line, commits by their subject's name in `names`. */
export async function addedLines(objects: NewObjects, names: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const nameOf = new Map(Object.entries(names).map(([name, oid]) => [oid, name]));
  const lines: string[] = [];
  for (const addition of await collect(readAdditions(objects))) lines.push(...linesOf(addition, nameOf));
  return lines;
}

function linesOf(addition: Addition, nameOf: ReadonlyMap<string, string>): string[] {
  const commit = nameOf.get(addition.commit) ?? addition.commit;
  return addition.text
    .split("\n")
    .map((line, index) => `${commit} ${addition.path}:${addition.startLine + index} ${line}`);
}

/** Whether the update would be forced, its pack being what git would send. */
export async function isForcedIn(scene: Scene, update: RefUpdate): Promise<boolean> {
  return (await findForced(await scene.inspect({ updates: [update] }), [update])).has(update.ref);
}

export async function readDiffs(
  scene: Scene,
  wanted: readonly { readonly update: RefUpdate; readonly maxBytes: number }[],
): Promise<RefDiff[]> {
  const diffs: RefDiff[] = [];
  for (const { update, maxBytes } of wanted) {
    diffs.push(await readRefDiff(await scene.inspect({ updates: [update] }), update, maxBytes));
  }
  return diffs;
}
