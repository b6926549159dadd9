/** A push by hand: what no git would send, and the answer as bytes. */
import { spawn } from "node:child_process";
import http from "node:http";
import { gzipSync } from "node:zlib";
import { encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import { sealedGitEnv } from "./git.ts";
import type { Person, World } from "./world.ts";

export const ZERO = "0".repeat(40);

export interface RawAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

export interface RawRequest {
  readonly method?: string;
  /** Sent as it stands: nothing is normalised. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Uint8Array;
}

/** One HTTP request whose target and headers go out as they are. Rejects when the connection breaks. */
export function rawRequest(world: Pick<World, "url">, options: RawRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(world.url);
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        hostname,
        port,
        method: options.method ?? "GET",
        path: options.path,
        headers: { ...options.headers } as http.OutgoingHttpHeaders,
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    request.on("error", reject);
    request.end(options.body);
  });
}

export const basic = (person: Pick<Person, "email" | "token">): string =>
  `Basic ${Buffer.from(`${person.email}:${person.token}`).toString("base64")}`;

/** The first line of a push: command, NUL, capabilities. */
export const firstCommand = (command: string, capabilities = "report-status side-band-64k agent=git/test"): Buffer =>
  encodePktLine(`${command}\0 ${capabilities}`);

export interface RawPush {
  readonly repository: string;
  /** `old new ref` each. */
  readonly commands: readonly string[];
  readonly pack?: Uint8Array;
  readonly capabilities?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly gzip?: boolean;
}

export function pushBody({ commands: [first = "", ...others], pack, capabilities }: RawPush): Buffer {
  const lines = [firstCommand(first, capabilities), ...others.map((command) => encodePktLine(command)), FLUSH_PKT];
  return Buffer.concat([...lines, pack ?? Buffer.alloc(0)]);
}

export const rawPush = (world: Pick<World, "url">, person: Person, push: RawPush): Promise<RawAnswer> =>
  rawPushBytes(world, person, push.repository, push.gzip === true ? gzipSync(pushBody(push)) : pushBody(push), {
    ...(push.gzip === true ? { "content-encoding": "gzip" } : {}),
    ...push.headers,
  });

const rawGit =
  (service: "git-receive-pack" | "git-upload-pack", own: Readonly<Record<string, string>>) =>
  (
    world: Pick<World, "url">,
    person: Person,
    repository: string,
    body: Uint8Array,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<RawAnswer> =>
    rawRequest(world, {
      method: "POST",
      path: `/git/code/${repository}.git/${service}`,
      headers: { authorization: basic(person), "content-type": `application/x-${service}-request`, ...own, ...headers },
      body,
    });

export const rawPushBytes = rawGit("git-receive-pack", {});

/** A request of protocol version 2 to the repository's upload-pack, as it is. */
export const rawFetchBytes = rawGit("git-upload-pack", { "git-protocol": "version=2" });

/** `git pack-objects` of exactly these objects (or, with `revs`, of what `rev-list` makes of the lines). */
export function packOf(directory: string, lines: readonly string[], revs = false): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const args = ["pack-objects", "-q", "--stdout", ...(revs ? ["--revs", "--thin"] : [])];
    const child = spawn("git", args, { cwd: directory, env: sealedGitEnv(directory) });
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(Buffer.concat(chunks)) : reject(new Error(`git pack-objects ended with ${code}`)),
    );
    child.stdin.end(lines.map((line) => `${line}\n`).join(""));
  });
}
