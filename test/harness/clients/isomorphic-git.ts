import * as fs from "node:fs";
import * as git from "isomorphic-git";
import * as http from "isomorphic-git/http/node";
import type { ClientRun, ClientSession, GitClient } from "./git-client.ts";

const attempt = async (work: (say: (text: string) => void) => Promise<unknown>): Promise<ClientRun> => {
  let output = "";
  try {
    await work((text) => (output += `${text}\n`));
    return { isOk: true, output };
  } catch (error) {
    const refused = error instanceof git.Errors.GitPushError ? JSON.stringify(error.data.result.refs) : "";
    return { isOk: false, output: `${output}${String(error)}\n${refused}\n` };
  }
};

const signIn = ({ user, password }: ClientSession) => ({ onAuth: () => ({ username: user, password }) });

/** In this process: it is a library for JavaScript. */
export const isomorphicGit: GitClient = {
  name: "isomorphic-git",
  missing: null,
  clone: (session, url, dir) =>
    attempt((onMessage) => git.clone({ fs, http, dir, url, ref: "main", onMessage, ...signIn(session) })),
  push: (session, url, dir, { source, target }) =>
    attempt((onMessage) =>
      git.push({ fs, http, dir, url, ref: source, remoteRef: target, onMessage, ...signIn(session) }),
    ),
};
