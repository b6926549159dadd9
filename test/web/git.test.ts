import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import type { PushRequest } from "../../src/git/push-exchange.ts";
import { mustGit, temporaryDirectory, workingCopy } from "../harness/git.ts";
import { fillRepository, noise, startGitGateway, TOKEN, type GitGateway } from "./git-gateway.ts";

const AUTHORIZATION = `Basic ${Buffer.from(`any:${TOKEN}`).toString("base64")}`;

/** Sends bytes as they are and returns everything that comes back: no client library gets to tidy the target up. */
const sendRaw = (gateway: GitGateway, text: string | Buffer): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(gateway.port, "127.0.0.1", () => socket.write(text));
    const parts: Buffer[] = [];
    socket.on("data", (chunk) => parts.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(parts).toString("latin1")));
  });

const getRaw = (
  gateway: GitGateway,
  target: string,
  headers = `Authorization: ${AUTHORIZATION}\r\n`,
): Promise<string> => sendRaw(gateway, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`);

const postRaw = (gateway: GitGateway, target: string, body: Buffer, headers = ""): Promise<string> =>
  sendRaw(
    gateway,
    Buffer.concat([
      Buffer.from(
        `POST ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ${AUTHORIZATION}\r\n` +
          `Content-Length: ${body.length}\r\n${/^content-type:/im.test(headers) ? "" : PUSH_TYPE}${headers}\r\n`,
      ),
      body,
    ]),
  );

const PUSH_TYPE = "Content-Type: application/x-git-receive-pack-request\r\n";
const REFS = "info/refs?service=git-upload-pack";
const ZERO = "0".repeat(40);
const ONE = "1".repeat(40);
const PUSH = "/git/code/team/app.git/git-receive-pack";

describe("addresses", () => {
  it.each([
    [`/git/code/../other/app/${REFS}`, 400],
    [`/git/code/team/../../../etc/${REFS}`, 400],
    [`/git/code/%2e%2e/app/${REFS}`, 400],
    [`/git/code/team%2fapp/${REFS}`, 400],
    [`/git/code/team%5capp/${REFS}`, 400],
    [`/git/code/team\\app/${REFS}`, 400],
    [`/git/code/team//app/${REFS}`, 400],
    [`/git/code/team/app%00/${REFS}`, 400],
    [`/git/code/team/app%25%32%65/${REFS}`, 400],
    [`/git/code/team/app.git/.git/${REFS}`, 400],
    ["/git/code/team/app/info/refs?service=git-upload-pack&service=git-receive-pack", 400],
    [`/u/${TOKEN}/git/code/../other/${REFS}`, 400],
    [`/copilot/../git/code/team/app/${REFS}`, 404],
    [`//git/code/team/app/${REFS}`, 404],
    [`/git/other/team/app/${REFS}`, 404],
    [`/git/closed/team/app/${REFS}`, 404],
    [`/git/code/team/none/${REFS}`, 404],
    ["/git/code/team/app/info/refs", 403],
    ["/git/code/team/app/HEAD", 403],
    ["/git/code/team/app/objects/info/packs", 403],
    ["/git/code/team/app/info/lfs/locks", 403],
    ["/git/code/team/app/git-upload-pack", 405],
  ])("%s is answered %i", async (target, status) => {
    const gateway = await startGitGateway();
    await fillRepository(gateway.upstream, "team/app", 1);
    const answer = await getRaw(gateway, target);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).not.toContain(TOKEN);
    expect(answer).not.toContain("refs/heads/main");
    const asked = gateway.upstream.requests.map((request) => request.url);
    expect(asked).toEqual(target.includes("/none/") ? ["/team/none/info/refs?service=git-upload-pack"] : []);
    // The process is alive and serves the next one.
    expect(await getRaw(gateway, `/git/code/team/app/${REFS}`)).toContain("refs/heads/main");
  });

  it("answers for a closed connection, a missing one and a missing repository alike", async () => {
    const gateway = await startGitGateway();
    const bodies = await Promise.all(
      ["closed/team/app", "nowhere/team/app", "code/team/none"].map(async (name) => {
        const answer = await getRaw(gateway, `/git/${name}/${REFS}`);
        return answer
          .replaceAll(name, "X")
          .replace(/^Date: .*$/im, "")
          .replace(/^content-length: .*$/im, "");
      }),
    );
    expect(new Set(bodies).size).toBe(1);
    expect(bodies[0]).toContain("404");
  });

  it("takes the kind from the path, whatever the headers say", async () => {
    const kinds: string[] = [];
    const gateway = await startGitGateway({
      pushFlow: async (push) => {
        kinds.push(push.head.updates.map((update) => update.ref).join());
        await push.exchange.finish({ unpack: "ok", refs: [] });
      },
    });
    const command = `${ZERO} ${ONE} refs/heads/x\0report-status`;
    const body = Buffer.concat([encodePktLine(command), FLUSH_PKT]);
    await postRaw(
      gateway,
      PUSH,
      body,
      "X-Original-URL: /git/code/team/app/git-upload-pack\r\nX-HTTP-Method-Override: GET\r\n",
    );
    expect(kinds).toEqual(["refs/heads/x"]);
  });
});

it.each([
  ["git-receive-pack", "Content-Type: application/x-git-upload-pack-request\r\n"],
  ["git-receive-pack", "Content-Type: application/x-www-form-urlencoded\r\n"],
  ["git-receive-pack", "Content-Type:\r\n"],
  ["git-upload-pack", "Content-Type: application/x-git-receive-pack-request\r\n"],
  ["git-upload-pack", "Content-Type: text/plain\r\n"],
])("takes no request for %s with %j", async (service, headers) => {
  const gateway = await startGitGateway();
  const answer = await postRaw(gateway, `/git/code/team/app.git/${service}`, FLUSH_PKT, headers);
  expect(answer).toMatch(/^HTTP\/1\.1 415 /);
  expect(answer).toContain(`expected Content-Type: application/x-${service}-request`);
  expect(gateway.upstream.requests).toEqual([]);
});

describe("signing in", () => {
  it("asks git for a password, and says how to get one", async () => {
    const gateway = await startGitGateway();
    const answer = await getRaw(gateway, `/git/code/team/app/${REFS}`, "");
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(answer).toMatch(/www-authenticate: Basic realm="Sallyport"/i);
    expect(answer).toMatch(/content-type: text\/plain/i);
    expect(answer).toContain("sallyport token create");
    expect(await getRaw(gateway, `/git/nowhere/team/app/${REFS}`, "")).toMatch(/^HTTP\/1\.1 401 /);
  });

  it.each([
    ["Authorization: Bearer nonsense\r\n", 401],
    ["Authorization: Bearer gho_for_copilot\r\n", 403],
    ["Sallyport-Token: nonsense\r\n", 403],
    [`Sallyport-Token: ${TOKEN}\r\n`, 200],
    [`Authorization: Bearer ${TOKEN}\r\n`, 200],
  ])("%j is answered %i", async (header, status) => {
    const gateway = await startGitGateway();
    const answer = await getRaw(gateway, `/git/code/team/app/${REFS}`, header);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it("applies read and write rules, and hides what one may not read", async () => {
    const gateway = await startGitGateway({
      connection: {
        access: [
          { repositories: ["team/app"], read: ["eng"], write: ["ops"] },
          { repositories: ["secret/**"], read: ["ops"], write: ["ops"] },
        ],
      },
    });
    await gateway.upstream.createRepository("secret/app");
    const status = async (target: string): Promise<string> => (await getRaw(gateway, target)).slice(9, 12);
    expect(await status(`/git/code/team/app/${REFS}`)).toBe("200");
    expect(await status("/git/code/team/app/info/refs?service=git-receive-pack")).toBe("403");
    expect(await status(`/git/code/secret/app/${REFS}`)).toBe("404");
    expect(await status("/git/code/secret/app/info/refs?service=git-receive-pack")).toBe("404");
    expect((await postRaw(gateway, "/git/code/secret/app/git-receive-pack", Buffer.from("0000"))).slice(9, 12)).toBe(
      "404",
    );
    expect((await postRaw(gateway, PUSH, Buffer.from("0000"))).slice(9, 12)).toBe("403");
    expect(gateway.upstream.requests).toHaveLength(1);
  });
});

const copyOf = (gateway: GitGateway): ReturnType<typeof workingCopy> =>
  workingCopy({ url: gateway.remote("team/app.git"), init: true });

describe("pushing", () => {
  it("carries new, updated and deleted refs, tags, options and atomic pushes", async () => {
    const gateway = await startGitGateway();
    const copy = await copyOf(gateway);
    const oid = await copy.commit("one", { "a.txt": "a\n" });
    const plain = await copy.git("push", "origin", "main");
    expect(plain.stderr).toContain("main -> main");
    expect(plain.stderr).not.toContain("remote:");
    expect(await gateway.upstream.ref("team/app", "refs/heads/main")).toBe(oid);
    await copy.must("tag", "-a", "-m", "v1", "v1");
    await copy.must("push", "--atomic", "-o", "ci.skip", "origin", "v1", "main:refs/heads/b", "main:refs/heads/c");
    await copy.must("push", "origin", ":b", "main:refs/heads/d");
    await copy.must("push", "origin", ":c");
    expect(await gateway.upstream.git("team/app", "for-each-ref", "--format=%(refname)")).toBe(
      "refs/heads/d\nrefs/heads/main\nrefs/tags/v1",
    );
  });

  it("carries a large push: the probe, chunks, and 100-continue", async () => {
    const gateway = await startGitGateway();
    const copy = await copyOf(gateway);
    const big = noise(300_000);
    const oid = await copy.commit("big", { "a.bin": big });
    await copy.must(
      "-c",
      "http.postBuffer=65536",
      "-c",
      "core.compression=0",
      "-c",
      "http.extraHeader=Expect: 100-continue",
      "push",
      "origin",
      "main",
    );
    expect(await gateway.upstream.ref("team/app", "refs/heads/main")).toBe(oid);
    const posts = gateway.upstream.requests.filter((request) => request.method === "POST");
    expect(posts[0]).toMatchObject({ bodyBytes: 4 });
    expect(posts[1]?.bodyBytes).toBeGreaterThan(65_536);
  });

  it("carries sha256 and a push from a shallow clone", async () => {
    const gateway = await startGitGateway();
    await gateway.upstream.createRepository("sha256", { objectFormat: "sha256" });
    const cwd = await temporaryDirectory("sha256");
    await mustGit(["init", "-q", "-b", "main", "--object-format=sha256"], { cwd });
    await mustGit(["commit", "-q", "--allow-empty", "-m", "one"], { cwd });
    await mustGit(["push", "-q", gateway.remote("sha256"), "main"], { cwd });
    expect(await gateway.upstream.ref("sha256", "refs/heads/main")).toHaveLength(64);

    await fillRepository(gateway.upstream, "team/app", 5);
    const shallow = await temporaryDirectory("shallow");
    await mustGit(["clone", "-q", "--depth=1", gateway.remote("team/app"), "."], { cwd: shallow });
    await mustGit(["commit", "-q", "--allow-empty", "-m", "two"], { cwd: shallow });
    await mustGit(["push", "-q", "origin", "main"], { cwd: shallow });
    expect(await gateway.upstream.git("team/app", "rev-list", "--count", "main")).toBe("6");
  });

  it("offers no more than it carries", async () => {
    const gateway = await startGitGateway();
    await gateway.upstream.git("team/app", "config", "transfer.advertiseSID", "true");
    const answer = await getRaw(gateway, "/git/code/team/app/info/refs?service=git-receive-pack");
    expect(answer).toContain("report-status-v2");
    expect(answer).not.toContain("session-id");
  });

  const refuse = async (push: PushRequest): Promise<void> => {
    push.exchange.progress("one moment\x1b[2J\n");
    await push.exchange.finish(
      { unpack: "ok", refs: push.head.updates.map(({ ref }) => ({ status: "ng", ref, reason: "not today" })) },
      ["because \x1b[31mred", "see http://gateway/pushes/1"],
    );
  };

  it("shows a refusal as git shows a hook's, also of a pack that nobody has read", async () => {
    const gateway = await startGitGateway({ pushFlow: refuse });
    const copy = await copyOf(gateway);
    const big = noise(400_000);
    await copy.commit("big", { "a.bin": big });
    for (const buffer of ["65536", "10000000"]) {
      const run = await copy.git(
        "-c",
        `http.postBuffer=${buffer}`,
        "-c",
        "core.compression=0",
        "push",
        "origin",
        "main",
      );
      expect(run.code).toBe(1);
      expect(run.stderr).toMatch(/remote: one moment\\x1b\[2J\s*\n/);
      expect(run.stderr).toMatch(/remote: because \\x1b\[31mred\s*\n/);
      expect(run.stderr).toContain("! [remote rejected] main -> main (not today)");
      expect(run.stderr).not.toContain("Everything up-to-date");
      expect(run.stderr).not.toContain("\x1b");
    }
    expect(await gateway.upstream.ref("team/app", "refs/heads/main")).toBeNull();
  });

  it("turns a flow that breaks, or forgets to answer, into a refusal without its secrets", async () => {
    const broken = await startGitGateway({ pushFlow: () => Promise.reject(new Error("password is hunter2")) });
    const forgetful = await startGitGateway({ pushFlow: () => Promise.resolve() });
    for (const gateway of [broken, forgetful]) {
      const copy = await copyOf(gateway);
      await copy.commit("one", { "a.txt": "a\n" });
      const run = await copy.git("push", "origin", "main");
      expect(run.stderr).toContain("[remote rejected] main -> main (the gateway failed");
      expect(run.stderr).not.toContain("hunter2");
      expect(gateway.log).toContainEqual(expect.objectContaining({ level: "error" }));
    }
  });

  it("refuses too many commands in words that git shows", async () => {
    const gateway = await startGitGateway({ headLimits: () => ({ bytes: 100_000, commands: 2 }) });
    const copy = await copyOf(gateway);
    await copy.commit("one", { "a.txt": "a\n" });
    for (const name of ["a", "b", "c"]) await copy.must("branch", name);
    const run = await copy.git("push", "origin", "--all");
    expect(run.code).toBe(1);
    expect(run.stderr).toContain("remote: Sallyport: this push has more than 2 commands");
    expect(run.stderr).not.toContain("Everything up-to-date");
    expect(await gateway.upstream.git("team/app", "for-each-ref")).toBe("");
  });

  it("refuses a body over the limit once it is read, with the connection intact", async () => {
    const gateway = await startGitGateway({ maxPushBytes: 1000 });
    const copy = await copyOf(gateway);
    await copy.commit("big", { "a.bin": noise(9000) });
    const run = await copy.git("push", "origin", "main");
    expect(run.stderr).toContain("[remote rejected] main -> main (this push is larger than 1000 bytes");
  });

  it.each([
    ["rubbish", Buffer.from("rubbish"), "", 400],
    ["an HTML page", Buffer.from("<html>"), "", 400],
    ["a cut-off packet", Buffer.from("00a5abc"), "", 400],
    ["a probe with bytes behind it", Buffer.from("0000PACK"), "", 400],
    ["another encoding", Buffer.from("0000"), "Content-Encoding: br\r\n", 400],
    ["a broken gzip", Buffer.from("0000"), "Content-Encoding: gzip\r\n", 400],
  ])("answers %s with %s", async (_what, body, headers, status) => {
    const gateway = await startGitGateway();
    const answer = await postRaw(gateway, PUSH, body, headers);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${String(status)} `));
    expect(answer).toContain("Sallyport: ");
    expect(gateway.upstream.requests).toEqual([]);
  });

  it("refuses bytes behind commands that have no pack", async () => {
    const gateway = await startGitGateway();
    const command = `${ONE} ${ZERO} refs/heads/x\0report-status`;
    const body = Buffer.concat([encodePktLine(command), FLUSH_PKT, Buffer.from("PACK")]);
    const answer = await postRaw(gateway, PUSH, body);
    expect(answer).toContain("bytes follow the commands of a push that has no pack");
    expect(answer).toContain("ng refs/heads/x");
    expect(gateway.upstream.requests).toEqual([]);
  });

  it("tells the flow when the client goes away, and lives on", async () => {
    let seen: (push: PushRequest) => void = () => {};
    const arrived = new Promise<PushRequest>((resolve) => (seen = resolve));
    const gateway = await startGitGateway({
      pushFlow: async (push) => {
        await push.body.discard();
        push.exchange.progress("waiting");
        seen(push);
        await new Promise((resolve) => push.signal.addEventListener("abort", resolve));
        push.exchange.progress("nobody hears this");
        await push.exchange.finish({ unpack: "ok", refs: [] });
      },
    });
    const socket = connect(gateway.port, "127.0.0.1");
    const command = `${ZERO} ${ONE} refs/heads/x\0report-status side-band-64k`;
    const body = Buffer.concat([encodePktLine(command), FLUSH_PKT, Buffer.from("PACK")]);
    socket.write(
      `POST ${PUSH} HTTP/1.1\r\nHost: x\r\nAuthorization: ${AUTHORIZATION}\r\n${PUSH_TYPE}Content-Length: ${body.length}\r\n\r\n`,
    );
    socket.write(body);
    const push = await arrived;
    let heard = "";
    socket.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    await expect.poll(() => heard).toContain("waiting");
    expect(push.signal.aborted).toBe(false);
    socket.destroy();
    await expect.poll(() => push.signal.aborted).toBe(true);
    await expect.poll(() => push.exchange.isOver).toBe(true);
    expect(await getRaw(gateway, `/git/code/team/app/${REFS}`)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("tells early, by the probe, that the upstream would take nothing", async () => {
    const gateway = await startGitGateway();
    gateway.upstream.fail("unauthorized");
    const answer = await postRaw(gateway, PUSH, Buffer.from("0000"));
    expect(answer).toMatch(/^HTTP\/1\.1 502 /);
    expect(answer).toContain("refused the gateway's credential");
    gateway.upstream.fail(null);
    expect(await postRaw(gateway, PUSH, Buffer.from("0000"))).toMatch(/^HTTP\/1\.1 200 /);
  });
});
