/**
 * A push without git's own work: the receive-pack request of gitprotocol-pack, "Pushing Data To a Server", with its pack made
 * beforehand, sent as it stands. What is left is what the servers do.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import http, { type IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";
import path from "node:path";
import { encodePktLine, FLUSH_PKT } from "../src/git/pkt-line.ts";
import type { Way } from "./benchmark.ts";
import { addressOf, clientTip, type Setting } from "./setting.ts";

export interface PreparedPush {
  /** Holds the request's whole body. */
  readonly file: string;
  readonly newOid: string;
}

/** Writes what git would send to move `main` from one branch's tip to another's. */
export async function preparePush(setting: Setting, from: string, to: string): Promise<PreparedPush> {
  const { client, env, directory, options } = setting;
  const [oldOid, newOid] = [await clientTip(setting, from), await clientTip(setting, to)];
  const file = path.join(directory, `request-${to}`);
  const body = createWriteStream(file);
  body.write(encodePktLine(`${oldOid} ${newOid} refs/heads/main\0 report-status side-band-64k agent=git/bench`));
  body.write(FLUSH_PKT);
  const flags = ["--stdout", "--revs", "--thin", "--delta-base-offset", "-q"];
  const child = spawn("git", ["pack-objects", ...flags], {
    cwd: client,
    env,
    signal: options.signal,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  child.stdin.end(`${newOid}\n^${oldOid}\n`);
  await Promise.all([pipeline(child.stdout, body), ended]);
  if (child.exitCode !== 0) throw new Error(`git pack-objects ended with ${child.exitCode}`);
  return { file, newOid };
}

/** @returns milliseconds, from the request's first byte to the answer's last. @throws Error when the push did not arrive */
export async function sendPush(setting: Setting, way: Way, name: string, push: PreparedPush): Promise<number> {
  const { url, authorization } = addressOf(setting, way, name);
  const began = performance.now();
  const request = http.request(`${url}/git-receive-pack`, {
    method: "POST",
    headers: {
      authorization,
      "content-type": "application/x-git-receive-pack-request",
      accept: "application/x-git-receive-pack-result",
    },
    agent: false,
    signal: setting.options.signal,
  });
  const answered = once(request, "response") as Promise<[IncomingMessage]>;
  const [[response]] = await Promise.all([
    answered,
    pipeline(createReadStream(push.file, { highWaterMark: 256 * 1024 }), request),
  ]);
  let answer = "";
  for await (const chunk of response.setEncoding("latin1")) answer += String(chunk);
  const ms = performance.now() - began;
  const arrived = await setting.upstream.ref(name, "refs/heads/main");
  if (response.statusCode !== 200 || arrived !== push.newOid) {
    throw new Error(`the request (${way}) was answered ${response.statusCode}, upstream has ${arrived}:\n${answer}`);
  }
  return ms;
}
