import { mkdir, writeFile } from "node:fs/promises";
import * as fs from "node:fs";
import path from "node:path";
import * as isomorphicGit from "isomorphic-git";
import * as http from "isomorphic-git/http/node";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../harness/git.ts";
import { plantedAwsKey } from "../harness/planted.ts";
import { startWorld, type Person, type World } from "../harness/world.ts";

/** A clone by isomorphic-git, which shares no code with git itself and speaks report-status version 1. */
async function cloneBy(world: World, person: Person) {
  const dir = path.join(await temporaryDirectory("isomorphic"), "work");
  await mkdir(dir);
  const onAuth = () => ({ username: person.email, password: person.token });
  const author = { name: "Ana", email: person.email };
  await isomorphicGit.clone({ fs, http, dir, url: `${world.url}/git/code/team/app`, ref: "main", onAuth });
  return {
    commit: async (file: string, text: string): Promise<string> => {
      await writeFile(path.join(dir, file), text);
      await isomorphicGit.add({ fs, dir, filepath: file });
      return isomorphicGit.commit({ fs, dir, message: `Add ${file}`, author });
    },
    push: (remoteRef: string) =>
      isomorphicGit.push({ fs, http, dir, remote: "origin", ref: "main", remoteRef, onAuth }),
  };
}

test("isomorphic-git clones, commits and pushes", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const clone = await cloneBy(world, ana);
  const oid = await clone.commit("a.txt", "one\n");

  const result = await clone.push("refs/heads/topic");

  expect(result.ok).toBe(true);
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBe(oid);
});

test("isomorphic-git is told of a refusal, ref by ref", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", ["eng"]);
  const clone = await cloneBy(world, ana);
  await clone.commit("a.txt", `key = ${plantedAwsKey}\n`);

  await expect(clone.push("refs/heads/topic")).rejects.toMatchObject({
    data: { result: { refs: { "refs/heads/topic": { ok: false, error: "1 secret found" } } } },
  });
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBeNull();
});
