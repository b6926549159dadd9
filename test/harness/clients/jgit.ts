import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { runProgram, works, type ClientRun, type ClientSession, type GitClient } from "./git-client.ts";

/** What Debian's jgit-cli depends on; its own start script leaves the LFS library out and fails. */
const JARS = [
  "org.eclipse.jgit",
  "org.eclipse.jgit.archive",
  "org.eclipse.jgit.http.apache",
  "org.eclipse.jgit.lfs",
  "org.eclipse.jgit.pgm",
  "org.eclipse.jgit.ui",
  "args4j",
  "commons-codec",
  "commons-compress",
  "commons-logging",
  "httpclient",
  "httpcore",
  "javaewah",
  "jsch",
  "slf4j-api",
  "slf4j-nop",
].map((name) => `/usr/share/java/${name}.jar`);

async function run(session: ClientSession, address: string, args: readonly string[], cwd?: string): Promise<ClientRun> {
  const netrc = `machine ${new URL(address).hostname} login ${session.user} password ${session.password}\n`;
  await writeFile(path.join(session.home, ".netrc"), netrc);
  const java = ["-cp", JARS.join(":"), `-Duser.home=${session.home}`, "-Xshare:auto", "-XX:TieredStopAtLevel=1"];
  return runProgram("java", [...java, "org.eclipse.jgit.pgm.Main", ...args], session, cwd);
}

/** The command line of JGit, the library of Gerrit and Eclipse. */
export const jgit: GitClient = {
  name: "JGit",
  missing: existsSync("/usr/share/java/org.eclipse.jgit.pgm.jar") && works("java", ["-version"]) ? null : "jgit-cli",
  clone: (session, address, directory) => run(session, address, ["clone", address, directory]),
  push: async (session, address, directory, { source, target }) => {
    const ended = await run(session, address, ["push", "origin", `${source}:${target}`], directory);
    // It ends with 0 whatever became of the refs.
    return { ...ended, isOk: ended.isOk && !/rejected|failed/.test(ended.output) };
  },
};
