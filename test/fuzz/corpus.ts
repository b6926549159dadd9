/**
 * Pushes as real git makes them, of every shape that we know of, recorded on the way to a real upstream: the bytes of the
 * request. Every line, name and message in them has a token that stands nowhere else.
 */
import { chmod, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import type { GitUpstreamFixture } from "../../fixtures/git-upstream.ts";
import { createByteReader } from "../../src/git/byte-reader.ts";
import type { ObjectFormat } from "../../src/git/push-command.ts";
import { parsePushRequest } from "../../src/git/receive-pack.ts";
import { mustGit, readAllObjects, tryGit } from "./git-run.ts";
import { parsePackFile, resolvePack, type GitObject, type PackEntry } from "./pack-file.ts";
import { Random } from "./random.ts";

/** A repository upstream, the same before each push. */
export interface CorpusRepository {
  /** Its path below the fixture. */
  readonly name: string;
  readonly format: ObjectFormat;
  readonly directory: string;
  readonly objects: ReadonlyMap<string, GitObject>;
  /** Ref → id; peeled ids of tags are in `tips` alone. */
  readonly refs: ReadonlyMap<string, string>;
  readonly tips: readonly string[];
}

export interface CorpusPush {
  readonly shape: string;
  readonly repository: CorpusRepository;
  /** Commands, certificate and options, to the last flush. */
  readonly head: Buffer;
  readonly pack: Buffer;
  readonly entries: readonly PackEntry[];
  /** The pack's objects, deltas resolved. */
  readonly objects: ReadonlyMap<string, GitObject>;
}

/** Of half of all tokens: those that a mutation adds are of both halves, so that the two can be told apart. */
const plainToken = (random: Random): string => `tok-${random.int(8).toString(16)}${random.hex(15)}`;

type Files = Readonly<Record<string, string | Buffer | null | { readonly link: string }>>;

const SIGN = `#!/bin/sh
cat >/dev/null
echo "[GNUPG:] SIG_CREATED " >&2
printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nnot a signature\\n-----END PGP SIGNATURE-----\\n'
`;

class Clone {
  readonly directory: string;
  /** Of an object id. */
  readonly oidDigits: number;
  readonly #random: Random;

  constructor(directory: string, format: ObjectFormat, random: Random) {
    this.directory = directory;
    this.oidDigits = format === "sha1" ? 40 : 64;
    this.#random = random;
  }

  async must(...args: readonly string[]): Promise<string> {
    return (await mustGit(args, this.directory)).toString().trim();
  }

  line(): string {
    return `${plainToken(this.#random)} some words of a line`;
  }

  lines(count: number): string {
    return Array.from({ length: count }, () => `${this.line()}\n`).join("");
  }

  name(): string {
    return `${plainToken(this.#random)}.txt`;
  }

  async commit(
    files: Files,
    message = `Change ${plainToken(this.#random)}\n\nBody ${plainToken(this.#random)}\n`,
  ): Promise<string> {
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(this.directory, name);
      await rm(file, { force: true });
      await mkdir(path.dirname(file), { recursive: true });
      if (content === null) continue;
      if (typeof content === "object" && "link" in content) await symlink(content.link, file);
      else await writeFile(file, content);
    }
    await this.must("add", "-A", "-f");
    await mustGit(["commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", "-"], this.directory, message);
    return this.must("rev-parse", "HEAD");
  }

  async blob(content: string): Promise<string> {
    return (await mustGit(["hash-object", "-w", "--stdin"], this.directory, content)).toString().trim();
  }
}

interface Shape {
  /** Makes what is to be pushed. @returns the arguments of `git push` behind the remote */
  readonly prepare: (clone: Clone, random: Random) => Promise<readonly string[]>;
  readonly flags?: readonly string[];
  readonly config?: readonly string[];
  readonly into?: "empty";
  readonly shallow?: boolean;
}

const SHAPES: Readonly<Record<string, Shape>> = {
  "one commit": {
    prepare: async (clone) => (await clone.commit({ [clone.name()]: clone.lines(5) }), ["HEAD:refs/heads/main"]),
  },
  "a line in a large file": {
    prepare: async (clone) => {
      const before = (await mustGit(["show", "HEAD:large.txt"], clone.directory)).toString().split("\n");
      before.splice(700, 1, clone.line(), clone.line());
      await clone.commit({ "large.txt": before.join("\n") });
      return ["HEAD:refs/heads/main"];
    },
  },
  "no deltas against old objects": {
    flags: ["--no-thin"],
    prepare: async (clone) => {
      const before = (await mustGit(["show", "HEAD:large.txt"], clone.directory)).toString();
      await clone.commit({ "large.txt": `${before}${clone.lines(2)}` });
      await clone.commit({ "large.txt": `${clone.lines(1)}${before}${clone.lines(1)}` });
      return ["HEAD:refs/heads/main"];
    },
  },
  "many commits": {
    prepare: async (clone) => {
      for (let i = 0; i < 8; i++)
        await clone.commit({ "grows.txt": clone.lines(10 + i), [`dir/${i}/${clone.name()}`]: clone.lines(3) });
      return ["HEAD:refs/heads/new"];
    },
  },
  "what is undone": {
    prepare: async (clone) => {
      const name = clone.name();
      await clone.commit({ [name]: clone.lines(4) });
      await clone.commit({ [name]: null });
      return ["HEAD:refs/heads/main"];
    },
  },
  "renames, modes, links and a submodule": {
    prepare: async (clone, random) => {
      await clone.must("mv", "moved.txt", `dir-${clone.name()}`);
      await clone.must("update-index", "--chmod=+x", "small.txt");
      await clone.must(
        "update-index",
        "--add",
        "--cacheinfo",
        `160000,${random.hex(clone.oidDigits)},${plainToken(random)}`,
      );
      await mustGit(["commit", "-q", "-m", clone.line()], clone.directory);
      await clone.must("checkout", "-q", "-f", "HEAD");
      await clone.must(
        "update-index",
        "--add",
        "--cacheinfo",
        `120000,${await clone.blob(`/etc/${plainToken(random)}`)},${plainToken(random)}`,
      );
      await mustGit(["commit", "-q", "-m", clone.line()], clone.directory);
      return ["HEAD:refs/heads/main"];
    },
  },
  "bytes that are no text": {
    prepare: async (clone, random) => {
      await clone.commit({
        "nul.txt": Buffer.from(`${clone.line()}\n\0${clone.line()}\0\n`),
        "wide-le": Buffer.from(`\ufeff${clone.lines(5)}`, "utf16le"),
        "wide-be": Buffer.from(clone.lines(5), "utf16le").swap16(),
        "program.bin": Buffer.concat([random.bytes(9000), Buffer.from(plainToken(random)), random.bytes(900)]),
        "long.txt": `${"x".repeat(150_000)}${plainToken(random)}`,
        "cr.txt": clone.lines(5).replaceAll("\n", "\r"),
        ".gitattributes": "* -diff -text binary export-ignore\n",
        "empty.txt": "",
      });
      return ["HEAD:refs/heads/bytes"];
    },
  },
  "files of five megabytes": {
    prepare: async (clone, random) => {
      const noise = random.bytes(4_096);
      const program = Buffer.concat([
        ...Array.from({ length: 640 }, () => noise),
        Buffer.from(`\n${clone.line()}\0`),
        ...Array.from({ length: 640 }, () => noise),
        Buffer.from(clone.line()),
      ]);
      await clone.commit({
        "program.bin": program,
        "long.txt": `${"a line of text\n".repeat(340_000)}${clone.line()}`,
      });
      await clone.commit({ "program.bin": Buffer.concat([program, Buffer.from(`\0${clone.line()}`)]) });
      return ["HEAD:refs/heads/large"];
    },
  },
  "a merge with lines of its own": {
    prepare: async (clone) => {
      const base = await clone.must("rev-parse", "HEAD");
      await clone.must("checkout", "-q", "-b", "side");
      await clone.commit({ "small.txt": clone.lines(6) });
      await clone.must("checkout", "-q", "-b", "third", base);
      await clone.commit({ [clone.name()]: clone.lines(2) });
      await clone.must("checkout", "-q", "main");
      await clone.commit({ [clone.name()]: clone.lines(2) });
      await clone.must("merge", "-q", "--no-commit", "--no-ff", "side", "third");
      await clone.commit({ "small.txt": clone.lines(3), [clone.name()]: clone.lines(2) });
      return ["HEAD:refs/heads/main"];
    },
  },
  "tags of tags, of trees and of blobs": {
    flags: ["--atomic"],
    prepare: async (clone) => {
      await clone.commit({ [clone.name()]: clone.lines(2) });
      await clone.must("tag", "-a", "-m", clone.line(), "inner");
      await clone.must("tag", "-a", "-m", clone.line(), "outer", "inner");
      await clone.must("tag", "-a", "-m", clone.line(), "on-blob", await clone.blob(clone.lines(2)));
      const blob = await clone.blob(clone.lines(2));
      const tree = (await mustGit(["mktree"], clone.directory, `100644 blob ${blob}\t${clone.name()}\n`))
        .toString()
        .trim();
      await clone.must("tag", "light-tree", tree);
      await clone.must("tag", "light-blob", await clone.blob(clone.lines(1)));
      return ["refs/tags/outer", "refs/tags/on-blob", "refs/tags/light-tree", "refs/tags/light-blob"];
    },
  },
  "several refs, one deleted, one at what is there": {
    prepare: async (clone) => {
      await clone.commit({ [clone.name()]: clone.lines(2) });
      return ["HEAD:refs/heads/main", "HEAD:refs/heads/again", "HEAD~1:refs/heads/there", ":refs/heads/old"];
    },
  },
  "a deletion alone": { prepare: async () => [":refs/heads/old"] },
  "a new ref at what is there": { prepare: async () => ["HEAD:refs/heads/there"] },
  "another past": {
    flags: ["--force"],
    prepare: async (clone) => {
      await clone.must("reset", "-q", "--hard", "HEAD~1");
      await clone.commit({ "small.txt": clone.lines(9) });
      return ["HEAD:refs/heads/main"];
    },
  },
  "a root of its own": {
    prepare: async (clone) => {
      await clone.must("checkout", "-q", "--orphan", "root");
      await clone.commit({ [clone.name()]: clone.lines(3) });
      return ["HEAD:refs/heads/root"];
    },
  },
  "push options": {
    flags: ["-o", "ci.skip", "-o", "reviewer=ana"],
    prepare: async (clone) => (await clone.commit({ [clone.name()]: clone.lines(2) }), ["HEAD:refs/heads/main"]),
  },
  "a certificate": {
    flags: ["--signed"],
    prepare: async (clone) => (
      await clone.commit({ [clone.name()]: clone.lines(2) }),
      ["HEAD:refs/heads/main", "HEAD:refs/heads/x"]
    ),
  },
  "from a shallow clone": {
    shallow: true,
    prepare: async (clone) => (await clone.commit({ [clone.name()]: clone.lines(2) }), ["HEAD:refs/heads/main"]),
  },
  notes: {
    prepare: async (clone) => (await clone.must("notes", "add", "-m", clone.line()), ["refs/notes/commits"]),
  },
  "into an empty repository": {
    into: "empty",
    prepare: async (clone) => {
      await clone.commit({ [clone.name()]: clone.lines(2) });
      return ["HEAD:refs/heads/main", "refs/tags/v1"];
    },
  },
};

export interface Corpus {
  readonly repositories: readonly CorpusRepository[];
  readonly pushes: readonly CorpusPush[];
}

export interface CorpusOptions {
  readonly formats?: readonly ObjectFormat[] | undefined;
  /** Absent: all. */
  readonly shapes?: readonly string[] | undefined;
}

/**
 * @param upstream records bodies, and asks for no credential
 * @param directory for clones; the caller removes it
 */
export async function makeCorpus(
  upstream: GitUpstreamFixture,
  directory: string,
  seed: number,
  { formats = ["sha1", "sha256"], shapes }: CorpusOptions = {},
): Promise<Corpus> {
  const random = new Random(seed);
  const signer = path.join(directory, "sign");
  await writeFile(signer, SIGN);
  await chmod(signer, 0o755);
  const repositories: CorpusRepository[] = [];
  const pushes: CorpusPush[] = [];
  for (const format of formats) {
    const config = {
      "receive.advertisePushOptions": "true",
      "receive.certNonceSeed": "seed",
      "receive.denyCurrentBranch": "ignore",
      "receive.denyDeleteCurrent": "ignore",
      "receive.autogc": "false",
      "gc.auto": "0",
    };
    const name = `fuzz-${format}`;
    await upstream.createRepository(name, { objectFormat: format, allowFilter: true, config });
    await upstream.createRepository(`${name}-empty`, { objectFormat: format, allowFilter: true, config });
    await makeHistory(upstream, name, format, path.join(directory, `base-${format}`), random);
    const full = await readRepository(upstream, name, format);
    const empty = await readRepository(upstream, `${name}-empty`, format);
    repositories.push(full, empty);
    for (const [shape, recipe] of Object.entries(SHAPES)) {
      if (shapes !== undefined && !shapes.includes(shape)) continue;
      const repository = recipe.into === "empty" ? empty : full;
      const work = path.join(directory, "clone");
      await rm(work, { recursive: true, force: true });
      const url = `${upstream.url}${repository.name}.git`;
      // From the one that has a history, whatever it then goes to.
      const from = recipe.shallow === true ? ["--depth=1", `${upstream.url}${name}.git`] : [upstream.directoryOf(name)];
      await mustGit(["clone", "-q", ...from, work], directory);
      await mustGit(["config", "gpg.program", signer], work);
      const clone = new Clone(work, format, random);
      const refspecs = await recipe.prepare(clone, random);
      const mark = upstream.requests.length;
      const pushed = await tryGit(["push", "-q", ...(recipe.flags ?? []), url, ...refspecs], work);
      if (pushed.code !== 0) throw new Error(`the corpus' push of ${shape} (${format}) failed: ${pushed.stderr}`);
      const posts = upstream.requests.slice(mark).filter(({ method, bodyBytes }) => method === "POST" && bodyBytes > 4);
      for (const { body } of posts) pushes.push(await readPushBytes(shape, repository, Buffer.concat(body)));
      await restore(repository);
    }
  }
  return { repositories, pushes };
}

async function makeHistory(
  upstream: GitUpstreamFixture,
  name: string,
  format: ObjectFormat,
  work: string,
  random: Random,
): Promise<void> {
  await mkdir(work, { recursive: true });
  await mustGit(["init", "-q", "-b", "main", `--object-format=${format}`], work);
  const clone = new Clone(work, format, random);
  await clone.commit({
    "small.txt": clone.lines(12),
    "moved.txt": clone.lines(30),
    "dir/sub/deep.txt": clone.lines(4),
  });
  await clone.commit({ "large.txt": clone.lines(1500), "wide-le": Buffer.from(`\ufeff${clone.lines(9)}`, "utf16le") });
  await clone.must("tag", "-a", "-m", clone.line(), "v1");
  await clone.must("branch", "old");
  await clone.must("checkout", "-q", "-b", "side");
  await clone.commit({ [clone.name()]: clone.lines(3) });
  await clone.must("checkout", "-q", "main");
  await clone.commit({ "small.txt": clone.lines(12) });
  await clone.must("merge", "-q", "--no-ff", "-m", clone.line(), "side");
  await mustGit(["push", "-q", upstream.directoryOf(name), "main", "old", "v1"], work);
  await mustGit(["repack", "-a", "-d", "-q"], upstream.directoryOf(name));
  await mustGit(["pack-refs", "--all"], upstream.directoryOf(name));
}

async function readRepository(
  upstream: GitUpstreamFixture,
  name: string,
  format: ObjectFormat,
): Promise<CorpusRepository> {
  const directory = upstream.directoryOf(name);
  const listed = (
    await mustGit(["for-each-ref", "--format=%(refname) %(objectname) %(*objectname)"], directory)
  ).toString();
  const refs = new Map<string, string>();
  const tips = new Set<string>();
  for (const line of listed.split("\n").filter((text) => text !== "")) {
    const [ref = "", oid = "", peeled = ""] = line.split(" ");
    refs.set(ref, oid);
    tips.add(oid);
    if (peeled !== "") tips.add(peeled);
  }
  return {
    name,
    format,
    directory,
    objects: (await readAllObjects(directory)) as Map<string, GitObject>,
    refs,
    tips: [...tips],
  };
}

/** As it was: refs, and nothing that a push has brought. */
export async function restore({ directory, refs, objects, format }: CorpusRepository): Promise<void> {
  const listed = (await mustGit(["for-each-ref", "--format=%(refname)"], directory)).toString().split("\n");
  const zero = "0".repeat(format === "sha1" ? 40 : 64);
  const lines = [
    ...listed.filter((ref) => ref !== "").map((ref) => `update ${ref} ${refs.get(ref) ?? zero}\n`),
    ...[...refs].filter(([ref]) => !listed.includes(ref)).map(([ref, oid]) => `update ${ref} ${oid}\n`),
  ];
  await mustGit(["update-ref", "--stdin"], directory, lines.join(""));
  await mustGit(["repack", "-a", "-d", "-q"], directory);
  await mustGit(["prune", "--expire=now"], directory);
  const left = await readAllObjects(directory);
  if (left.size !== objects.size)
    throw new Error(`${directory} holds ${left.size} objects, not ${objects.size} as before`);
}

async function readPushBytes(shape: string, repository: CorpusRepository, body: Buffer): Promise<CorpusPush> {
  const { raw: head } = await parsePushRequest(createByteReader(chunksOf([body])));
  const pack = body.subarray(head.length);
  const entries = pack.length === 0 ? [] : parsePackFile(pack, repository.format);
  return {
    shape: `${shape} (${repository.format})`,
    repository,
    head,
    pack,
    entries,
    objects: resolvePack(entries, repository.format, repository.objects),
  };
}

export async function* chunksOf(chunks: readonly Buffer[]): AsyncGenerator<Buffer, void, undefined> {
  for (const chunk of chunks) {
    await Promise.resolve();
    yield chunk;
  }
}
