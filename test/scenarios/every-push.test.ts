/** Each kind of push that git can make, by git itself, as if the gateway were not there. Refusals of policy have their own files. */
import { chmod, mkdtemp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { mustGit, workingCopy, type WorkingCopy } from "../harness/git.ts";
import { basic } from "../harness/raw-push.ts";
import { sharedWorld, type Person } from "../harness/world.ts";

const world = sharedWorld({
  pushes: [
    { repositories: ["code/any/**"], namespaces: ["refs/**"], pushOptions: ["*"] },
    { repositories: ["code/**"], pushOptions: ["ci.skip"] },
  ],
});

let ana: Person;
let serial = 0;
beforeAll(async () => {
  ana = await world().person("ana@example.com", ["eng"]);
});

interface Place {
  readonly repository: string;
  readonly copy: WorkingCopy;
  /** `<id> <name>` of every ref at the upstream, sorted by name. */
  readonly refs: () => Promise<string[]>;
  readonly ref: (ref: string) => Promise<string | null>;
}

/** A repository of the test's own, with one commit on main, and a clone of it. */
async function place(group = "team", config: Readonly<Record<string, string>> = {}): Promise<Place> {
  const { upstream } = world();
  const repository = `${group}/push-${(serial += 1)}`;
  await upstream.createRepository(repository, { config });
  await upstream.commitDirectly(repository, "refs/heads/main", { "README.md": `# ${repository}\n` });
  return {
    repository,
    copy: await ana.clone(repository),
    refs: async () => (await upstream.git(repository, "for-each-ref", "--format=%(objectname) %(refname)")).split("\n"),
    ref: (ref) => upstream.ref(repository, ref),
  };
}

const urlOf = (repository: string): string => `${world().url}/git/code/${repository}.git`;
const fresh = () => ({ [`file-${(serial += 1)}.txt`]: `${serial}\n` });

const hook = async ({ repository }: Place, name: string, text: string): Promise<string> => {
  const directory = world().upstream.directoryOf(repository);
  await writeFile(path.join(directory, "hooks", name), text);
  await chmod(path.join(directory, "hooks", name), 0o755);
  return directory;
};

describe("many refs in one push", () => {
  test("branches, tags of both kinds, deletions, moves, and names for objects that are there", async () => {
    const { copy, refs } = await place();
    const first = await copy.must("rev-parse", "HEAD");
    await copy.must("push", "-q", "origin", "HEAD:refs/heads/old", "HEAD:refs/heads/moved");
    const second = await copy.commit("Two", fresh());
    await copy.must("tag", "light");
    await copy.must("tag", "-a", "-m", "Annotated", "annotated");
    await copy.must("tag", "-a", "-m", "A tag of a tag", "nested", "annotated");
    const push = await copy.git(
      "push",
      "origin",
      "HEAD:refs/heads/new",
      "HEAD:refs/heads/moved",
      `${first}:refs/heads/at-the-first`,
      ":refs/heads/old",
      "light",
      "annotated",
      "nested",
    );
    expect(push.code).toBe(0);
    expect(await refs()).toEqual([
      `${first} refs/heads/at-the-first`,
      `${first} refs/heads/main`,
      `${second} refs/heads/moved`,
      `${second} refs/heads/new`,
      `${await copy.must("rev-parse", "annotated")} refs/tags/annotated`,
      `${second} refs/tags/light`,
      `${await copy.must("rev-parse", "nested")} refs/tags/nested`,
    ]);
  });

  test("three hundred of them", async () => {
    const { copy, refs } = await place();
    await copy.commit("Two", fresh());
    const lines = Array.from({ length: 300 }, (_, i) => `create refs/heads/b${i} HEAD\n`).join("");
    await mustGit(["update-ref", "--stdin"], { cwd: copy.directory, input: lines });
    await copy.must("push", "-q", "origin", "refs/heads/b*:refs/heads/b*");
    expect(await refs()).toHaveLength(301);
  });

  test("nothing but deletions, which have no pack", async () => {
    const { copy, refs } = await place();
    await copy.must("push", "-q", "origin", "HEAD:refs/heads/a", "HEAD:refs/heads/b", "HEAD:refs/tags/c");
    await copy.must("push", "-q", "origin", "--delete", "a", "b", "c");
    expect(await refs()).toHaveLength(1);
  });

  test("nothing but names for what is there, which have an empty pack", async () => {
    const { copy, ref } = await place();
    await copy.must("push", "-q", "origin", "HEAD:refs/heads/a", "HEAD:refs/tags/b");
    expect(await ref("refs/tags/b")).toBe(await ref("refs/heads/main"));
  });

  test("names beyond ASCII, and long ones", async () => {
    const { copy, ref } = await place();
    const oid = await copy.commit("Two", fresh());
    const names = [
      "refs/heads/grüße/日本語",
      `refs/heads/${"long/".repeat(40)}end`,
      "refs/tags/v1.0+meta~".slice(0, -1),
    ];
    await copy.must("push", "-q", "origin", ...names.map((name) => `HEAD:${name}`));
    for (const name of names) expect(await ref(name)).toBe(oid);
  });

  test("tags on a file and on a tree", async () => {
    const { copy, ref } = await place();
    await copy.commit("Two", fresh());
    for (const [name, object] of [
      ["file", "HEAD:README.md"],
      ["tree", "HEAD^{tree}"],
    ] as const) {
      await copy.must("tag", "-a", "-m", name, name, object);
    }
    await copy.must("push", "-q", "origin", "file", "tree");
    expect(await ref("refs/tags/file")).toBe(await copy.must("rev-parse", "refs/tags/file"));
    expect(await ref("refs/tags/tree")).toBe(await copy.must("rev-parse", "refs/tags/tree"));
  });
});

describe("all or none", () => {
  test("--atomic moves every ref", async () => {
    const { copy, ref } = await place();
    const oid = await copy.commit("Two", fresh());
    await copy.must("push", "-q", "--atomic", "origin", "HEAD:refs/heads/main", "HEAD:refs/heads/other");
    expect([await ref("refs/heads/main"), await ref("refs/heads/other")]).toEqual([oid, oid]);
  });

  test("--atomic moves none where the upstream refuses one, and says which", async () => {
    const at = await place();
    const { copy, ref, refs } = at;
    await hook(at, "update", '#!/bin/sh\ncase "$1" in *bad*) echo "no $1" >&2; exit 1;; esac\n');
    const before = await refs();
    await copy.commit("Two", fresh());
    const push = await copy.git("push", "--atomic", "origin", "HEAD:refs/heads/good", "HEAD:refs/heads/bad");
    expect(push.code).toBe(1);
    expect(push.stderr).toContain("remote: no refs/heads/bad");
    expect(push.stderr).toMatch(/! \[remote rejected\] HEAD -> bad \(hook declined\)/);
    expect(push.stderr).toMatch(/! \[remote rejected\] HEAD -> good \(atomic push failure\)/);
    expect(await refs()).toEqual(before);
    // Without it, the one that the upstream takes goes through.
    const plain = await copy.git("push", "origin", "HEAD:refs/heads/good", "HEAD:refs/heads/bad");
    expect(plain.stderr).toContain("* [new branch]      HEAD -> good");
    expect(plain.stderr).toMatch(/! \[remote rejected\] HEAD -> bad \(hook declined\)/);
    expect(await ref("refs/heads/bad")).toBeNull();
  });
});

describe("history that is rewritten", () => {
  test("is refused by git without --force, and goes through with it", async () => {
    const { copy, ref } = await place();
    await copy.commit("Two", fresh());
    await copy.must("push", "-q", "origin", "HEAD:refs/heads/topic");
    await copy.must("reset", "-q", "--hard", "HEAD^");
    const oid = await copy.commit("Another two", fresh());
    expect((await copy.git("push", "origin", "HEAD:refs/heads/topic")).stderr).toContain("non-fast-forward");
    const push = await copy.git("push", "--force", "origin", "HEAD:refs/heads/topic");
    expect(push.stderr).toContain("(forced update)");
    expect(await ref("refs/heads/topic")).toBe(oid);
  });

  test("--force-with-lease goes through from where one thinks it is, and not from elsewhere", async () => {
    const { copy, repository, ref } = await place();
    const two = await copy.commit("Two", fresh());
    await copy.must("push", "-q", "origin", "HEAD:refs/heads/topic");
    const oid = await copy.commit("Three", fresh());
    await copy.must("push", "-q", `--force-with-lease=topic:${two}`, "origin", "HEAD:refs/heads/topic");
    expect(await ref("refs/heads/topic")).toBe(oid);

    const theirs = await world().upstream.commitDirectly(repository, "refs/heads/topic", { "b.txt": "theirs\n" });
    await copy.must("reset", "-q", "--hard", "HEAD^");
    await copy.commit("Mine", fresh());
    const push = await copy.git("push", `--force-with-lease=topic:${oid}`, "origin", "HEAD:refs/heads/topic");
    expect(push.stderr).toMatch(/! \[rejected\] +HEAD -> topic \(stale info\)/);
    expect(await ref("refs/heads/topic")).toBe(theirs);
  });

  test("the upstream's own refusal of it is relayed", async () => {
    const { copy, ref } = await place("team", { "receive.denyNonFastForwards": "true" });
    await copy.commit("Two", fresh());
    await copy.must("push", "-q", "origin", "HEAD:refs/heads/topic");
    const before = await ref("refs/heads/topic");
    await copy.must("reset", "-q", "--hard", "HEAD^");
    await copy.commit("Another two", fresh());
    const push = await copy.git("push", "--force", "origin", "HEAD:refs/heads/topic");
    expect(push.stderr).toMatch(/! \[remote rejected\] HEAD -> topic \(non-fast-forward\)/);
    expect(await ref("refs/heads/topic")).toBe(before);
  });
});

describe("refs/*", () => {
  test("notes are pushed by default", async () => {
    const { copy, ref } = await place();
    await copy.must("notes", "add", "-m", "Looks good");
    await copy.must("push", "-q", "origin", "refs/notes/commits");
    expect(await ref("refs/notes/commits")).toBe(await copy.must("rev-parse", "refs/notes/commits"));
  });

  test("any other one where the namespaces name it", async () => {
    const { copy, ref } = await place("any");
    const oid = await copy.commit("Two", fresh());
    const names = ["refs/meta/config", "refs/changes/01/1/1", "refs/custom/x"];
    await copy.must("push", "-q", "origin", ...names.map((name) => `HEAD:${name}`));
    for (const name of names) expect(await ref(name)).toBe(oid);
  });

  test("--mirror makes the upstream the same, deletions included", async () => {
    const { copy, refs } = await place("any");
    await copy.must("push", "-q", "origin", "HEAD:refs/heads/gone", "HEAD:refs/tags/gone");
    const oid = await copy.commit("Two", fresh());
    await copy.must("branch", "topic");
    await copy.must("tag", "-a", "-m", "One", "v1");
    await copy.must("notes", "add", "-m", "Looks good");
    for (const name of ["main", "HEAD", "gone"])
      await copy.must("update-ref", "--no-deref", "-d", `refs/remotes/origin/${name}`);
    await copy.must("push", "-q", "--mirror", "origin");
    expect(await refs()).toEqual([
      `${oid} refs/heads/main`,
      `${oid} refs/heads/topic`,
      `${await copy.must("rev-parse", "refs/notes/commits")} refs/notes/commits`,
      `${await copy.must("rev-parse", "refs/tags/v1")} refs/tags/v1`,
    ]);
  });
});

describe("push options", () => {
  const KEEP =
    '#!/bin/sh\nprintf "%s|" "$GIT_PUSH_OPTION_COUNT" "$GIT_PUSH_OPTION_0" "$GIT_PUSH_OPTION_1" >"$GIT_DIR/options"\n';

  test("that policy lets through reach the upstream", async () => {
    const at = await place("any");
    const directory = await hook(at, "post-receive", KEEP);
    await at.copy.commit("Two", fresh());
    await at.copy.must("push", "-q", "-o", "ci.skip", "-o", "ünï=1 2", "origin", "HEAD:refs/heads/topic");
    expect(await readFile(path.join(directory, "options"), "utf8")).toBe("2|ci.skip|ünï=1 2|");
  });

  test("of which one is not let through refuse the push", async () => {
    const { copy, ref } = await place();
    await copy.commit("Two", fresh());
    const push = await copy.git("push", "-o", "ci.skip", "-o", "other", "origin", "HEAD:refs/heads/topic");
    expect(push.stderr).toMatch(/! \[remote rejected\].*push option/);
    expect(await ref("refs/heads/topic")).toBeNull();
    await copy.must("push", "-q", "-o", "ci.skip", "origin", "HEAD:refs/heads/topic");
    expect(await ref("refs/heads/topic")).not.toBeNull();
  });
});

describe("a first push", () => {
  test.each(["sha1", "sha256"] as const)(
    "into an empty %s repository, with history, merges and tags",
    async (objectFormat) => {
      const repository = `team/first-${(serial += 1)}`;
      await world().upstream.createRepository(repository, { objectFormat });
      const parent = await mkdtemp(path.join(world().dataDir, "first-"));
      await mustGit(["init", "-q", "-b", "main", `--object-format=${objectFormat}`, "work"], { cwd: parent });
      const cwd = path.join(parent, "work");
      const must = (...args: readonly string[]) => mustGit(args, { cwd });
      await must("commit", "-q", "--allow-empty", "-m", "One");
      await must("checkout", "-q", "-b", "side");
      await writeFile(path.join(cwd, "a.txt"), "a\n");
      await must("add", "a.txt");
      await must("commit", "-q", "-m", "Side");
      await must("checkout", "-q", "main");
      await must("commit", "-q", "--allow-empty", "-m", "Two");
      await must("merge", "-q", "--no-ff", "-m", "Merge", "side");
      await must("tag", "-a", "-m", "One", "v1");
      const as = ["-c", `http.extraHeader=Authorization: ${basic(ana)}`];
      await must(...as, "push", "-q", "--all", urlOf(repository));
      await must(...as, "push", "-q", "--tags", urlOf(repository));
      const expected = await must("for-each-ref", "--format=%(objectname) %(refname)");
      expect(await world().upstream.git(repository, "for-each-ref", "--format=%(objectname) %(refname)")).toBe(
        expected,
      );
      expect(await world().upstream.git(repository, "fsck", "--strict")).toBe("");
      // And the next one builds on it.
      await must("commit", "-q", "--allow-empty", "-m", "Three");
      await must(...as, "push", "-q", urlOf(repository), "main");
      expect(await world().upstream.ref(repository, "refs/heads/main")).toBe(await must("rev-parse", "HEAD"));
    },
  );
});

describe("a shallow clone", () => {
  const shallowCopy = async (from: string, depth: number): Promise<WorkingCopy> => {
    const parent = await mkdtemp(path.join(world().dataDir, "shallow-"));
    const env = {
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "http.extraHeader",
      GIT_CONFIG_VALUE_0: `Authorization: ${basic(ana)}`,
    };
    await mustGit(["clone", "-q", `--depth=${depth}`, urlOf(from), path.join(parent, "from")], { cwd: parent, env });
    const copy = await workingCopy({ url: urlOf(from), env, init: true, parent });
    await copy.must("fetch", "-q", `--depth=${depth}`, "origin", "main");
    await copy.must("checkout", "-q", "-B", "main", "FETCH_HEAD");
    return copy;
  };

  test("pushes onto what the upstream has", async () => {
    const { repository, ref } = await place();
    for (let i = 0; i < 4; i++) await world().upstream.commitDirectly(repository, "refs/heads/main", fresh());
    const shallow = await shallowCopy(repository, 2);
    expect(await shallow.must("rev-parse", "--is-shallow-repository")).toBe("true");
    const oid = await shallow.commit("From a shallow clone", fresh());
    await shallow.must("push", "-q", "origin", "main", "HEAD:refs/heads/new");
    expect([await ref("refs/heads/main"), await ref("refs/heads/new")]).toEqual([oid, oid]);
    expect(await world().upstream.git(repository, "rev-list", "--count", "main")).toBe("6");
  });

  test.each([
    ["refuses", {}],
    ["takes", { "receive.shallowUpdate": "true" }],
  ])(
    "whose history ends before what the upstream has pushes nothing, also where the upstream %s such",
    async (_what, config) => {
      const from = await place();
      for (let i = 0; i < 3; i++) await world().upstream.commitDirectly(from.repository, "refs/heads/main", fresh());
      const to = `team/empty-${(serial += 1)}`;
      await world().upstream.createRepository(to, { config });
      const shallow = await shallowCopy(from.repository, 1);
      await shallow.commit("From a shallow clone", fresh());
      const push = await shallow.git("push", urlOf(to), "main");
      expect(push.code).toBe(1);
      expect(push.stderr).toMatch(/! \[remote rejected\] main -> main \(/);
      expect(await world().upstream.ref(to, "refs/heads/main")).toBeNull();
    },
  );
});

describe("what is sent", () => {
  test("is a thin pack where the upstream has what it builds on, and stays one", async () => {
    const { copy, repository, ref } = await place();
    const text = Array.from({ length: 20_000 }, (_, i) => `line ${i} ${(i * 7919) % 104_729}`);
    await copy.commit("A large file", { "large.txt": `${text.join("\n")}\n` });
    await copy.must("push", "-q", "origin", "HEAD:refs/heads/main");
    text[10_000] = "changed";
    const oid = await copy.commit("One line of it", { "large.txt": `${text.join("\n")}\n` });
    const mark = world().upstream.requests.length;
    await copy.must("push", "-q", "origin", "HEAD:refs/heads/main");
    expect(await ref("refs/heads/main")).toBe(oid);
    const sent = world()
      .upstream.requests.slice(mark)
      .filter(({ method, url }) => method === "POST" && url === `/${repository}.git/git-receive-pack`);
    expect(sent).toHaveLength(1);
    // Whole, the file is some hundred kilobytes; what is new of it, some hundred bytes.
    expect(sent[0]?.bodyBytes).toBeLessThan(2_000);
  });

  test("--no-thin is as good", async () => {
    const { copy, ref } = await place();
    const oid = await copy.commit("Two", { "README.md": "# Changed\n" });
    await copy.must("push", "-q", "--no-thin", "origin", "HEAD:refs/heads/main");
    expect(await ref("refs/heads/main")).toBe(oid);
  });

  test("-q says nothing at all, and a plain push nothing of the gateway's", async () => {
    const { copy } = await place();
    await copy.commit("Two", fresh());
    const quiet = await copy.git("push", "-q", "origin", "HEAD:refs/heads/quiet");
    expect([quiet.code, quiet.stdout, quiet.stderr]).toEqual([0, "", ""]);
    const plain = await copy.git("push", "origin", "HEAD:refs/heads/plain");
    expect(plain.stderr).not.toContain("remote:");
    const again = await copy.git("push", "origin", "HEAD:refs/heads/plain");
    expect(again.stderr).toBe("Everything up-to-date\n");
  });
});
