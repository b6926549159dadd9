import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { onTestFinished } from "vitest";
import {
  startGitUpstream,
  type GitUpstreamFixture,
  type GitUpstreamFixtureOptions,
} from "../../fixtures/git-upstream.ts";
import { err, ok } from "../../src/errors.ts";
import type { PushRequest } from "../../src/git/push-exchange.ts";
import { createGitUpstream } from "../../src/git/upstream.ts";
import type { GitConnection } from "../../src/model/connection.ts";
import type { RelayedFetch } from "../../src/model/fetch.ts";
import type { LogFields, Logger } from "../../src/model/log.ts";
import type { Principal } from "../../src/model/principal.ts";
import type { Authenticate } from "../../src/identity/identity.ts";
import { createGitRoutes, type GitRoutesOptions } from "../../src/web/git.ts";
import { git } from "../harness/git.ts";
import { STREAMING_SERVER_OPTIONS, type NodeEnv } from "../../src/web/node-adapter.ts";

/** Bytes that do not compress, the same every time. */
export const noise = (length: number): Buffer =>
  Buffer.concat(
    Array.from({ length: Math.ceil(length / 32) }, (_, i) => createHash("sha256").update(String(i)).digest()),
  ).subarray(0, length);

export const TOKEN = "gho_anas_token";

export const ana: Principal = {
  id: "1",
  issuer: "sallyport",
  subject: "ana",
  email: "ana@example.com",
  kind: "person",
  groups: ["eng"],
  audiences: ["git"],
};

const passwordOf = (authorization: string | undefined): string | undefined => {
  if (authorization?.startsWith("Basic ") !== true) return authorization?.slice("Bearer ".length);
  return Buffer.from(authorization.slice("Basic ".length), "base64").toString().split(":")[1];
};

/** Knows one token, and one that was made for Copilot. */
const authenticate: Authenticate = async ({ headers, pathToken }) => {
  await Promise.resolve();
  const header = headers["sallyport-token"];
  const token = pathToken ?? (typeof header === "string" ? header : undefined) ?? passwordOf(headers.authorization);
  if (token === undefined) return err({ reason: "missing", message: "no credential" });
  if (token === "gho_for_copilot") return err({ reason: "wrong_audience", message: "this token is not for git" });
  return token === TOKEN ? ok(ana) : err({ reason: "unknown", message: "unknown token" });
};

export interface GitGateway {
  readonly url: string;
  readonly port: number;
  /** With Ana's token in it. */
  readonly remote: (path: string) => string;
  readonly upstream: GitUpstreamFixture;
  readonly fetches: RelayedFetch[];
  readonly log: { readonly level: string; readonly fields: LogFields; readonly message: string }[];
}

export interface GitGatewayOptions extends Partial<Pick<GitRoutesOptions, "pushFlow" | "headLimits" | "maxPushBytes">> {
  readonly upstream?: GitUpstreamFixtureOptions;
  readonly connection?: Partial<GitConnection>;
}

/** The push flow's place for tests of the wire: delivers everything. */
const deliverAll =
  (upstream: (name: string) => ReturnType<typeof createGitUpstream>) =>
  async (push: PushRequest): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const chunk of push.body.rest()) parts.push(chunk);
    const { report } = await upstream(push.connection.name).deliver(push.upstreamPath, {
      head: push.head.raw,
      pack: parts.length === 0 ? null : Readable.from(parts),
      clientHeaders: push.clientHeaders,
      onMessage: push.exchange.relayMessage,
    });
    await push.exchange.finish(report);
  };

/** Git's routes on a server of their own, before a real Git upstream with a repository `team/app`. */
export async function startGitGateway(options: GitGatewayOptions = {}): Promise<GitGateway> {
  const fixture = await startGitUpstream(options.upstream);
  onTestFinished(() => fixture.stop());
  await fixture.createRepository("team/app");
  const { password } = options.upstream ?? {};
  const code: GitConnection = {
    kind: "git",
    name: "code",
    url: fixture.url,
    credential: password === undefined ? { kind: "none" } : { kind: "basic", username: "git", password },
    allow: ["eng"],
    access: null,
    dumb: "refuse",
    ...options.connection,
  };
  const closed: GitConnection = { ...code, name: "closed", allow: ["ops"] };
  const upstream = createGitUpstream({
    connection: code,
    version: "1",
    timeouts: { connectMs: 60_000, idleMs: 60_000 },
  });
  onTestFinished(() => upstream.close());

  const log: { level: string; fields: LogFields; message: string }[] = [];
  const at =
    (level: string) =>
    (fields: LogFields, message: string): void =>
      void log.push({ level, fields, message });
  const logger: Logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  const fetches: RelayedFetch[] = [];
  const app = new Hono<NodeEnv>();
  app.route(
    "/",
    createGitRoutes({
      connections: new Map([code, closed].map((connection) => [connection.name, connection])),
      upstream: () => upstream,
      authenticate,
      pushFlow: options.pushFlow ?? deliverAll(() => upstream),
      onFetch: (fetch) => fetches.push(fetch),
      mask: (text) => text,
      log: logger,
      now: () => new Date(),
      ...(options.headLimits === undefined ? {} : { headLimits: options.headLimits }),
      ...(options.maxPushBytes === undefined ? {} : { maxPushBytes: options.maxPushBytes }),
    }),
  );
  app.notFound((c) => c.text("not one of Git's addresses\n", 404));
  const server = createAdaptorServer({ fetch: app.fetch, createServer, serverOptions: STREAMING_SERVER_OPTIONS });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ("closeAllConnections" in server) server.closeAllConnections();
      }),
  );
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    remote: (path) => `http://any:${TOKEN}@127.0.0.1:${port}/git/code/${path}`,
    upstream: fixture,
    fetches,
    log,
  };
}

/** A repository at the upstream with `count` commits, made without the gateway. */
export async function fillRepository(fixture: GitUpstreamFixture, path: string, count: number): Promise<void> {
  const stream = Array.from({ length: count }, (_, i) =>
    [
      "commit refs/heads/main",
      `committer Ana <ana@example.com> ${1_700_000_000 + i} +0000`,
      `data ${`commit ${i}`.length}`,
      `commit ${i}`,
      `M 100644 inline file-${i % 7}.txt`,
      `data ${`line ${i}\n`.length}`,
      `line ${i}\n`,
    ].join("\n"),
  ).join("\n");
  const run = await git(["fast-import", "--quiet"], { cwd: fixture.directoryOf(path), input: `${stream}\n` });
  if (run.code !== 0) throw new Error(run.stderr);
}
