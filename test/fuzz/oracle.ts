/** What real git makes of a push: the very same bytes into a scratch repository that has what the upstream has. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { CorpusRepository } from "./corpus.ts";
import { readAllObjects, tryGit } from "./git-run.ts";

export interface Delivered {
  /** git's own words. */
  readonly report: string;
  readonly stderr: string;
  /** Ref → id, of those that are not as before; null: deleted. */
  readonly moved: ReadonlyMap<string, string | null>;
  /** Objects that are there now and were not before, whatever reaches them. */
  readonly objects: ReadonlyMap<string, { readonly kind: string; readonly content: Buffer }>;
  /** Runs git in the scratch repository. */
  readonly git: (args: readonly string[], input?: string) => Promise<Buffer | null>;
  readonly remove: () => Promise<void>;
}

export async function deliverToGit(
  root: string,
  repository: CorpusRepository,
  body: Buffer,
  options: { readonly keepsPack: boolean },
): Promise<Delivered> {
  const directory = await mkdtemp(path.join(root, "oracle-"));
  const sha256 = repository.format === "sha256";
  await mkdir(path.join(directory, "objects", "info"), { recursive: true });
  await mkdir(path.join(directory, "objects", "pack"), { recursive: true });
  await mkdir(path.join(directory, "refs"), { recursive: true });
  await writeFile(
    path.join(directory, "config"),
    `[core]\n\trepositoryformatversion = ${sha256 ? 1 : 0}\n\tbare = true\n` +
      (sha256 ? "[extensions]\n\tobjectformat = sha256\n" : "") +
      `[receive]\n\tadvertisePushOptions = true\n\tcertNonceSeed = seed\n\tautogc = false\n\tunpackLimit = ${options.keepsPack ? 1 : 100}\n`,
  );
  await writeFile(path.join(directory, "objects", "info", "alternates"), `${repository.directory}/objects\n`);
  await writeFile(
    path.join(directory, "packed-refs"),
    [...repository.refs].map(([ref, oid]) => `${oid} ${ref}\n`).join(""),
  );
  await writeFile(path.join(directory, "HEAD"), "ref: refs/heads/none\n");
  const ran = await tryGit(["receive-pack", "--stateless-rpc", directory], directory, body);
  const listed = await tryGit(["for-each-ref", "--format=%(refname) %(objectname)"], directory);
  const after = new Map(
    listed.stdout
      .toString()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(" ") as [string, string]),
  );
  const moved = new Map<string, string | null>();
  for (const [ref, oid] of after) if (repository.refs.get(ref) !== oid) moved.set(ref, oid);
  for (const ref of repository.refs.keys()) if (!after.has(ref)) moved.set(ref, null);
  const objects = await readAllObjects(directory);
  for (const oid of repository.objects.keys()) objects.delete(oid);
  return {
    report: ran.stdout.toString("latin1"),
    stderr: ran.stderr,
    moved,
    objects,
    git: async (args, input) => {
      const { code, stdout } = await tryGit(args, directory, input);
      return code === 0 ? stdout : null;
    },
    remove: () => rm(directory, { recursive: true, force: true, maxRetries: 3 }),
  };
}
