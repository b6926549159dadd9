import { existsSync } from "node:fs";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { programClient, runProgram, works } from "./git-client.ts";

const SOURCE = fileURLToPath(new URL("go-git/main.go", import.meta.url));
/** Where Debian keeps the sources of Go libraries. */
const GOPATH = "/usr/share/gocode";

export const goGit = programClient({
  name: "go-git",
  missing:
    existsSync(`${GOPATH}/src/github.com/go-git/go-git`) && works("go", ["version"])
      ? null
      : "golang-go or golang-github-go-git-go-git-dev",
  prepare: async (session) => {
    const source = path.join(session.home, "go", "src", "client");
    await mkdir(source, { recursive: true });
    await copyFile(SOURCE, path.join(source, "main.go"));
    // With this file Go finds what is imported as …/v5 in a directory without it.
    await writeFile(path.join(source, "go.mod"), "module client\n");
    const settings = [
      "GO111MODULE=off",
      `GOPATH=${path.join(session.home, "go")}:${GOPATH}`,
      `GOCACHE=${path.join(session.home, "cache")}`,
    ];
    const build = await runProgram("env", [...settings, "go", "build", "-o", "client", "."], session, source);
    if (!build.isOk) throw new Error(`go build failed:\n${build.output}`);
  },
  command: ({ home }) => [path.join(home, "go", "src", "client", "client")],
});
