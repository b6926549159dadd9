/** Who may do what where, seen from outside: what one may not read answers as if it were not there, under every name it has. */
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import { fillRepository, startGitGateway, TOKEN, type GitGateway, type GitGatewayOptions } from "./git-gateway.ts";

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

interface Asking {
  readonly method: string;
  /** Behind the repository. */
  readonly operation: string;
  readonly type?: string;
  readonly body?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

const AUTHORIZATION = `Basic ${Buffer.from(`any:${TOKEN}`).toString("base64")}`;

/** Asks for the target as it stands. */
function ask(gateway: GitGateway, repository: string, asking: Asking): Promise<Answer> {
  const { method, operation, type, body, headers } = asking;
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: "127.0.0.1",
        port: gateway.port,
        method,
        path: `/git/${repository}/${operation}`,
        headers: { authorization: AUTHORIZATION, ...(type === undefined ? {} : { "content-type": type }), ...headers },
        agent: false,
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (chunk: Buffer) => parts.push(chunk));
        response.on("end", () => {
          const { date: _date, ...others } = response.headers;
          // The name that was asked for is the asker's own; nothing else may differ.
          const text = Buffer.concat(parts).toString().replaceAll(repository, "code/NAME");
          resolve({ status: response.statusCode ?? 0, headers: { ...others, "content-length": "*" }, body: text });
        });
      },
    );
    asked.on("error", reject);
    asked.end(body);
  });
}

const COMMAND = `${"0".repeat(40)} ${"1".repeat(40)} refs/heads/x\0 report-status side-band-64k`;
const PUSH_TYPE = "application/x-git-receive-pack-request";
const FETCH_TYPE = "application/x-git-upload-pack-request";
const LFS_TYPE = "application/vnd.git-lfs+json";
const BATCH = Buffer.from(JSON.stringify({ operation: "download", objects: [{ oid: "0".repeat(64), size: 1 }] }));

const OPERATIONS: readonly Asking[] = [
  { method: "GET", operation: "info/refs?service=git-upload-pack" },
  { method: "GET", operation: "info/refs?service=git-upload-pack", headers: { "git-protocol": "version=2" } },
  { method: "GET", operation: "info/refs?service=git-receive-pack" },
  { method: "POST", operation: "git-upload-pack", type: FETCH_TYPE, body: Buffer.from("0000") },
  { method: "POST", operation: "git-upload-pack", type: FETCH_TYPE, body: encodePktLine("command=ls-refs\n") },
  { method: "POST", operation: "git-receive-pack", type: PUSH_TYPE, body: Buffer.from("0000") },
  {
    method: "POST",
    operation: "git-receive-pack",
    type: PUSH_TYPE,
    body: Buffer.concat([encodePktLine(COMMAND), FLUSH_PKT]),
  },
  { method: "POST", operation: "git-receive-pack", type: "text/plain", body: Buffer.from("x") },
  { method: "GET", operation: "info/refs" },
  { method: "GET", operation: "HEAD" },
  { method: "GET", operation: "objects/info/packs" },
  { method: "GET", operation: `objects/${"0".repeat(2)}/${"0".repeat(38)}` },
  { method: "POST", operation: "info/lfs/objects/batch", type: LFS_TYPE, body: BATCH },
  { method: "GET", operation: "info/lfs/locks" },
  { method: "POST", operation: "info/lfs/locks/verify", type: LFS_TYPE, body: Buffer.from("{}") },
  { method: "PUT", operation: "info/lfs/anything", body: Buffer.from("x") },
];

const rules = [
  { repositories: ["team/**"], read: ["eng"], write: ["user:ana@example.com"] },
  { repositories: ["shown/**"], read: ["*"], write: [] },
  { repositories: ["private/**"], read: ["ops"], write: ["ops"] },
];

async function gatewayWith(connection: GitGatewayOptions["connection"] = {}): Promise<GitGateway> {
  const gateway = await startGitGateway({ connection: { access: rules, ...connection } });
  for (const name of ["private/app", "shown/app"]) {
    await gateway.upstream.createRepository(name);
    await fillRepository(gateway.upstream, name, 1);
  }
  return gateway;
}

describe("a repository that one may not read", () => {
  it.each(["refuse", "pass"] as const)(
    "answers as one that is not there, whatever is asked of it (dumb: %s)",
    async (dumb) => {
      const gateway = await gatewayWith({ dumb });
      for (const operation of OPERATIONS) {
        const missing = await ask(gateway, "code/private/none", operation);
        expect(missing.status, operation.operation).toBe(404);
        for (const name of [
          "code/private/app",
          "code/private/app.git",
          "code/Private/App",
          "code/private/%61pp",
          "code/nobodys/app",
          "closed/private/app",
          "nowhere/private/app",
        ]) {
          const hidden = await ask(gateway, name, operation);
          const decoded = decodeURIComponent(name).replace(/\.git$/, "");
          expect(
            { ...hidden, body: hidden.body.replaceAll(decoded, "code/NAME") },
            `${name} ${operation.operation}`,
          ).toEqual(missing);
        }
      }
      // The upstream is asked nothing: neither its answer nor the time that it takes can tell.
      expect(gateway.upstream.requests).toEqual([]);
    },
  );

  it("is told in the words for one that the upstream does not have", async () => {
    const gateway = await gatewayWith();
    for (const operation of OPERATIONS.slice(0, 3)) {
      const hidden = await ask(gateway, "code/private/app", operation);
      const missing = await ask(gateway, "code/team/none", operation);
      expect(missing).toEqual(hidden);
    }
    expect(gateway.upstream.requests).toHaveLength(3);
  });
});

describe("what no rule names", () => {
  const STATUS = (gateway: GitGateway, name: string, operation: string): Promise<number> =>
    ask(gateway, name, { method: "GET", operation: `info/refs?service=git-${operation}` }).then(({ status }) => status);

  it("is not allowed, however it is spelt", async () => {
    const gateway = await gatewayWith();
    expect(await STATUS(gateway, "code/team/app", "upload-pack")).toBe(200);
    expect(await STATUS(gateway, "code/team/app.git", "receive-pack")).toBe(200);
    expect(await STATUS(gateway, "code/te%61m/app", "receive-pack")).toBe(200);
    expect(await STATUS(gateway, "code/shown/app", "upload-pack")).toBe(200);
    expect(await STATUS(gateway, "code/shown/app", "receive-pack")).toBe(403);
    gateway.upstream.requests.length = 0;
    for (const [name, status] of [
      ["code/Shown/app", 404],
      ["code/shown", 404],
      ["code/shownx/app", 404],
      ["code/x/shown/app", 404],
      ["CODE/shown/app", 404],
      ["code//shown/app", 400],
      ["code/shown//app", 400],
      ["code/shown/app/", 400],
      ["code/shown/./app", 400],
      ["code/shown/../private/app", 400],
      ["code/shown/%2e%2e/private/app", 400],
      ["code/shown%2f..%2fprivate%2fapp", 400],
      ["code/shown/app.GIT", 400],
      ["code/shown/app.git.git", 400],
      ["code/shown/app.git/.git", 400],
      ["code/shown/app%20", 400],
      ["code/shown/app.", 400],
      ["code/shown/a%CC%8App", 400],
    ] as const) {
      expect([name, await STATUS(gateway, name, "upload-pack")]).toEqual([name, status]);
      expect([name, await STATUS(gateway, name, "receive-pack")]).toEqual([name, status]);
    }
    expect(gateway.upstream.requests).toEqual([]);
  });

  it("is not reached by a rename either: the new name is asked for anew", async () => {
    const gateway = await gatewayWith();
    gateway.upstream.redirect("team/old", "/private/app.git");
    const moved = await ask(gateway, "code/team/old", {
      method: "GET",
      operation: "info/refs?service=git-upload-pack",
    });
    expect([moved.status, moved.headers["location"]]).toEqual([
      301,
      "/git/code/private/app.git/info/refs?service=git-upload-pack",
    ]);
    expect(await STATUS(gateway, "code/private/app.git", "upload-pack")).toBe(404);
    // A push to the old name is the old name's, and goes nowhere else.
    const body = Buffer.concat([encodePktLine(COMMAND), FLUSH_PKT]);
    const pushed = await ask(gateway, "code/team/old", {
      method: "POST",
      operation: "git-receive-pack",
      type: PUSH_TYPE,
      body,
    });
    expect(pushed.body).toContain("ng refs/heads/x");
    expect(gateway.upstream.requests.map(({ url }) => url).filter((url) => url.includes("private"))).toEqual([]);
  });
});

describe("an upstream's own refusal", () => {
  type Refusal = readonly [status: number, headers: Readonly<Record<string, string>>, body: string];
  const REFUSALS: readonly Refusal[] = [
    [401, { "www-authenticate": 'Basic realm="upstream"' }, "sign in\n"],
    [403, {}, "not you\n"],
  ];
  const PLAIN = OPERATIONS.slice(0, 6);

  async function upstreamOf([status, headers, body]: Refusal): Promise<string> {
    const server = createServer((incoming, outgoing) => {
      incoming
        .resume()
        .on("end", () => outgoing.writeHead(status, { "content-type": "text/plain", ...headers }).end(body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  it.each(REFUSALS)("is relayed under the client's own credential: %i", async (...refusal) => {
    const gateway = await startGitGateway({
      connection: { url: await upstreamOf(refusal), credential: { kind: "passthrough" } },
    });
    const [status, headers, body] = refusal;
    for (const operation of PLAIN) {
      const answer = await ask(gateway, "code/team/app", {
        ...operation,
        headers: { ...operation.headers, "sallyport-token": TOKEN },
      });
      expect(answer, operation.operation).toMatchObject({ status, headers, body });
    }
  });

  it.each(REFUSALS)("is the gateway's trouble under a credential of its own: %i", async (...refusal) => {
    const gateway = await startGitGateway({ connection: { url: await upstreamOf(refusal) } });
    for (const operation of PLAIN) {
      const answer = await ask(gateway, "code/team/app", operation);
      expect(answer.headers["www-authenticate"], operation.operation).toBeUndefined();
      expect([401, 403], operation.operation).not.toContain(answer.status);
      expect(answer.body).toContain("the upstream refused the gateway's credential");
    }
  });
});
