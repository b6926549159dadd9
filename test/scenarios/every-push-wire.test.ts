/** Pushes as they look on the wire, in the forms that git has and those that only other clients send. */
import { chmod, writeFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { DELIM_PKT, encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import type { WorkingCopy } from "../harness/git.ts";
import {
  basic,
  firstCommand,
  packOf,
  pushBody,
  rawPush,
  rawPushBytes,
  rawRequest,
  ZERO,
  type RawAnswer,
} from "../harness/raw-push.ts";
import { sharedWorld, type Person } from "../harness/world.ts";

const world = sharedWorld({
  pushes: [
    { repositories: ["code/gerrit/**"], namespaces: ["refs/heads/**", "refs/for/**"], pushOptions: ["*"] },
    { repositories: ["code/**"] },
  ],
});

const repository = "team/app";
let ana: Person;
let copy: WorkingCopy;
let main: string;
let serial = 0;
beforeAll(async () => {
  ana = await world().person("ana@example.com", ["eng"]);
  copy = await ana.clone(repository);
  main = await copy.must("rev-parse", "HEAD");
});

const freshRef = (): string => `refs/heads/wire-${(serial += 1)}`;
const ref = (name: string): Promise<string | null> => world().upstream.ref(repository, name);
const postsSince = (mark: number) =>
  world()
    .upstream.requests.slice(mark)
    .filter(({ method, url, bodyBytes }) => method === "POST" && url.endsWith("git-receive-pack") && bodyBytes > 4);

/** A new commit on main's, and the pack that brings it. */
async function change(): Promise<{ readonly oid: string; readonly pack: Buffer }> {
  await copy.must("checkout", "-q", "--detach", main);
  const oid = await copy.commit(`Change ${(serial += 1)}`, { "a.txt": `${serial}\n` });
  return { oid, pack: await packOf(copy.directory, [oid, `^${main}`], true) };
}

describe("the answer has the form that was asked for", () => {
  const creating = async (capabilities: string) => {
    const { oid, pack } = await change();
    const name = freshRef();
    const answer = await rawPush(world(), ana, {
      repository,
      commands: [`${ZERO} ${oid} ${name}`],
      pack,
      capabilities,
    });
    expect(await ref(name)).toBe(oid);
    return { answer, name };
  };

  test.each([
    ["report-status", (name: string) => `000eunpack ok\n${frame(`ok ${name}\n`)}0000`],
    ["report-status-v2", (name: string) => `000eunpack ok\n${frame(`ok ${name}\n`)}0000`],
    [
      "report-status report-status-v2 object-format=sha1",
      (name: string) => `000eunpack ok\n${frame(`ok ${name}\n`)}0000`,
    ],
  ])("%s, without side-band", async (capabilities, expected) => {
    const { answer, name } = await creating(capabilities);
    expect(answer.text).toBe(expected(name));
    expect(answer.headers["content-type"]).toBe("application/x-git-receive-pack-result");
  });

  test.each(["side-band-64k", "side-band"])("report-status inside %s", async (sideband) => {
    const { answer, name } = await creating(`report-status ${sideband} quiet ofs-delta agent=x`);
    const report = `000eunpack ok\n${frame(`ok ${name}\n`)}0000`;
    expect(answer.text).toBe(`${frame(`\u0001${report}`)}0000`);
  });

  test("no report at all", async () => {
    const { answer } = await creating("ofs-delta");
    expect([answer.status, answer.text]).toEqual([200, ""]);
  });

  test("no capabilities at all", async () => {
    const { oid, pack } = await change();
    const name = freshRef();
    const body = Buffer.concat([encodePktLine(`${ZERO} ${oid} ${name}`), FLUSH_PKT, pack]);
    expect((await rawPushBytes(world(), ana, repository, body)).status).toBe(200);
    expect(await ref(name)).toBe(oid);
  });

  test("a refusal that can be told in no other way is an HTTP error", async () => {
    const { oid, pack } = await change();
    const commands = [`${ZERO} ${oid} refs/for/main`];
    const answer = await rawPush(world(), ana, { repository, commands, pack, capabilities: "ofs-delta" });
    expect(answer.status).toBe(403);
    expect(answer.text).toMatch(/^refs\/for\/main: .*outside of what may be pushed/);
  });
});

/** A packet, as text. */
const frame = (payload: string): string => encodePktLine(payload).toString();

describe("the body", () => {
  test("in gzip is delivered", async () => {
    const { oid, pack } = await change();
    const name = freshRef();
    const answer = await rawPush(world(), ana, { repository, commands: [`${ZERO} ${oid} ${name}`], pack, gzip: true });
    expect(answer.text).toContain(`ok ${name}`);
    expect(await ref(name)).toBe(oid);
  });

  const send = (chunks: readonly Buffer[], headers: Readonly<Record<string, string>>) =>
    new Promise<RawAnswer & { readonly continued: boolean }>((resolve, reject) => {
      const { hostname, port } = new URL(world().url);
      let continued = false;
      const request = http.request(
        {
          hostname,
          port,
          method: "POST",
          path: `/git/code/${repository}.git/git-receive-pack`,
          headers: { authorization: basic(ana), "content-type": "application/x-git-receive-pack-request", ...headers },
          agent: false,
        },
        (response) => {
          let text = "";
          response.on("data", (chunk: Buffer) => (text += chunk.toString()));
          response.on("error", reject);
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text, continued }),
          );
        },
      );
      request.on("error", reject);
      const write = (): void => {
        for (const chunk of chunks) request.write(chunk);
        request.end();
      };
      if (headers["expect"] === undefined) write();
      else {
        request.on("continue", () => {
          continued = true;
          write();
        });
        request.flushHeaders();
      }
    });

  test("in chunks of one byte is delivered", async () => {
    const { oid, pack } = await change();
    const name = freshRef();
    const body = pushBody({ repository, commands: [`${ZERO} ${oid} ${name}`], pack });
    const answer = await send(
      Array.from({ length: body.length }, (_, i) => body.subarray(i, i + 1)),
      { "transfer-encoding": "chunked" },
    );
    expect(answer.text).toContain(`ok ${name}`);
    expect(await ref(name)).toBe(oid);
  });

  test("that waits for 100-continue is asked for, and delivered", async () => {
    const { oid, pack } = await change();
    const name = freshRef();
    const body = pushBody({ repository, commands: [`${ZERO} ${oid} ${name}`], pack });
    const answer = await send([body], { expect: "100-continue", "content-length": String(body.length) });
    expect(answer.continued).toBe(true);
    expect(answer.text).toContain(`ok ${name}`);
  });

  test("of four bytes is git's question whether it may push, passed on with the upstream's answer", async () => {
    const mark = world().upstream.requests.length;
    const answer = await rawPushBytes(world(), ana, repository, FLUSH_PKT);
    expect([answer.status, answer.text]).toEqual([200, ""]);
    expect(world().upstream.requests.slice(mark)).toMatchObject([{ method: "POST", bodyBytes: 4 }]);
  });

  test("of four bytes asks for a credential where there is none", async () => {
    const answer = await rawRequest(world(), {
      method: "POST",
      path: `/git/code/${repository}.git/git-receive-pack`,
      headers: { "content-type": "application/x-git-receive-pack-request" },
      body: FLUSH_PKT,
    });
    expect(answer.status).toBe(401);
  });

  test("with shallow lines is delivered with them", async () => {
    const { oid, pack } = await change();
    const name = freshRef();
    const body = Buffer.concat([
      encodePktLine(`shallow ${main}`),
      firstCommand(`${ZERO} ${oid} ${name}`),
      FLUSH_PKT,
      pack,
    ]);
    const mark = world().upstream.requests.length;
    const answer = await rawPushBytes(world(), ana, repository, body);
    expect(answer.text).toContain(`ok ${name}`);
    expect(postsSince(mark)).toMatchObject([{ bodyBytes: body.length }]);
  });
});

describe("what two readers could take differently is refused before anything is sent", () => {
  type Make = (oid: string, pack: Buffer, name: string) => Buffer;
  const command = (oid: string, name: string, capabilities?: string): Buffer =>
    firstCommand(`${ZERO} ${oid} ${name}`, capabilities);

  test.each<[string, Make, RegExp]>([
    [
      "two commands for one ref",
      (oid, pack, name) =>
        Buffer.concat([command(oid, name), encodePktLine(`${ZERO} ${main} ${name}`), FLUSH_PKT, pack]),
      /two commands for/,
    ],
    [
      "the same command twice",
      (oid, pack, name) =>
        Buffer.concat([command(oid, name), encodePktLine(`${ZERO} ${oid} ${name}`), FLUSH_PKT, pack]),
      /two commands for/,
    ],
    [
      "bytes behind the pack",
      (oid, pack, name) => Buffer.concat([command(oid, name), FLUSH_PKT, pack, Buffer.from("x")]),
      /more bytes follow the 3 objects/,
    ],
    [
      "a second pack",
      (oid, pack, name) => Buffer.concat([command(oid, name), FLUSH_PKT, pack, pack]),
      /more bytes follow the 3 objects/,
    ],
    [
      "a second flush",
      (oid, pack, name) => Buffer.concat([command(oid, name), FLUSH_PKT, FLUSH_PKT, pack]),
      /does not begin with “PACK”/,
    ],
    [
      "no pack",
      (oid, _pack, name) => Buffer.concat([command(oid, name), FLUSH_PKT]),
      /which is not in it and which no ref of the upstream reaches/,
    ],
    [
      "options that were not announced",
      (oid, pack, name) => Buffer.concat([command(oid, name), FLUSH_PKT, encodePktLine("ci.skip"), FLUSH_PKT, pack]),
      /does not begin with “PACK”/,
    ],
    [
      "a delimiter among the commands",
      (oid, pack, name) => Buffer.concat([command(oid, name), DELIM_PKT, FLUSH_PKT, pack]),
      /unexpected delim/,
    ],
    [
      "a command in another object format",
      (oid, pack, name) => Buffer.concat([command(oid, name, "report-status object-format=sha256"), FLUSH_PKT, pack]),
      /no command of a sha256 push/,
    ],
  ])("%s", async (_what, make, text) => {
    const { oid, pack } = await change();
    const name = freshRef();
    const mark = world().upstream.requests.length;
    const answer = await rawPushBytes(world(), ana, repository, make(oid, pack, name));
    expect(answer.text).toMatch(text);
    expect(answer.text).toMatch(/ng refs|unpack (?!ok)/);
    expect(answer.text).not.toMatch(/\bok refs\//);
    expect(postsSince(mark)).toEqual([]);
    expect(await ref(name)).toBeNull();
  });

  test.each(["br", "deflate", "zstd", "gzip, gzip", "gzip;q=1", "x"])("Content-Encoding: %s", async (encoding) => {
    const { oid, pack } = await change();
    const mark = world().upstream.requests.length;
    const headers = { "content-encoding": encoding };
    const commands = [`${ZERO} ${oid} ${freshRef()}`];
    const answer = await rawPush(world(), ana, { repository, commands, pack, headers });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain("cannot be inspected; send it as it is or in gzip");
    expect(postsSince(mark)).toEqual([]);
  });

  test.each(["text/plain", "application/x-git-upload-pack-request", "application/x-www-form-urlencoded"])(
    "Content-Type: %s",
    async (type) => {
      const { oid, pack } = await change();
      const mark = world().upstream.requests.length;
      const headers = { "content-type": type };
      const commands = [`${ZERO} ${oid} ${freshRef()}`];
      const answer = await rawPush(world(), ana, { repository, commands, pack, headers });
      expect(answer.status).toBe(415);
      expect(postsSince(mark)).toEqual([]);
    },
  );
});

describe("the upstream's own refusals are relayed, word for word", () => {
  test("a ref that has moved since", async () => {
    const name = freshRef();
    await world().upstream.git(repository, "update-ref", name, main);
    const { oid, pack } = await change();
    const commands = [`${oid} ${oid} ${name}`, `${ZERO} ${oid} ${freshRef()}`];
    const answer = await rawPush(world(), ana, { repository, commands, pack });
    expect(answer.text).toMatch(/error: cannot lock ref '\S+': is at [0-9a-f]{40} but expected/);
    expect(answer.text).toContain(`ng ${name} failed to update ref`);
    expect(await ref(name)).toBe(main);
  });

  test("a ref that is there already", async () => {
    const name = freshRef();
    const theirs = await world().upstream.commitDirectly(repository, name, { "b.txt": `${(serial += 1)}\n` });
    const { oid, pack } = await change();
    const answer = await rawPush(world(), ana, { repository, commands: [`${ZERO} ${oid} ${name}`], pack });
    expect(answer.text).toContain("reference already exists");
    expect(answer.text).toContain(`ng ${name} failed to update ref`);
    expect(await ref(name)).toBe(theirs);
  });
});

/** What a server like Gerrit does with `refs/for/…`: every push there becomes a change with a ref of its own. */
const PROC_RECEIVE = `#!${process.execPath}
const chunks = [];
process.stdin.on("data", (chunk) => {
  chunks.push(chunk);
  step();
});
const line = (text) => process.stdout.write((Buffer.byteLength(text) + 4).toString(16).padStart(4, "0") + text);
const flush = () => process.stdout.write("0000");
let greeted = false;
function packets() {
  const bytes = Buffer.concat(chunks);
  const sections = [[]];
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = Number.parseInt(bytes.toString("latin1", at, at + 4), 16);
    if (length === 0) {
      sections.push([]);
      at += 4;
    } else {
      if (at + length > bytes.length) break;
      sections.at(-1).push(bytes.toString("utf8", at + 4, at + length).replace(/\\n$/, ""));
      at += length;
    }
  }
  return sections;
}
function step() {
  const sections = packets();
  if (!greeted && sections.length > 1) {
    greeted = true;
    line("version=1\\0push-options\\n");
    flush();
  }
  const wantsOptions = (sections[0]?.[0] ?? "").includes("push-options");
  if (sections.length <= (wantsOptions ? 3 : 2)) return;
  for (const command of sections[1]) {
    const [, oid, ref] = command.split(" ");
    if (ref.endsWith("/refused")) {
      line("ng " + ref + " no change wanted\\n");
      continue;
    }
    line("ok " + ref + "\\n");
    for (const number of [1, 2]) {
      if (number === 2) line("ok " + ref + "\\n");
      line("option refname refs/changes/" + number + "/head\\n");
      line("option old-oid " + "1".repeat(40) + "\\n");
      line("option new-oid " + oid + "\\n");
      if (number === 2) line("option forced-update\\n");
    }
  }
  flush();
  process.exit();
}
`;
describe("what a proc-receive hook made of a push", () => {
  const gerrit = async () => {
    const name = `gerrit/app-${(serial += 1)}`;
    const { upstream } = world();
    const directory = await upstream.createRepository(name, { config: { "receive.procReceiveRefs": "refs/for" } });
    await upstream.commitDirectly(name, "refs/heads/main", { "a.txt": "a\n" });
    const hook = path.join(directory, "hooks", "proc-receive");
    await writeFile(hook, PROC_RECEIVE);
    await chmod(hook, 0o755);
    return { name, clone: await ana.clone(name) };
  };

  test("is told by report-status-v2, with every option line", async () => {
    const { clone } = await gerrit();
    await clone.commit("For review", { "b.txt": "b\n" });
    const push = await clone.git("push", "-o", "topic=x", "origin", "HEAD:refs/for/main");
    expect(push.code).toBe(0);
    expect(push.stderr).toMatch(/HEAD -> refs\/changes\/1\/head/);
    expect(push.stderr).toMatch(/HEAD -> refs\/changes\/2\/head \(forced update\)/);
  });

  test("is told by report-status, once a ref and without them", async () => {
    const { name, clone } = await gerrit();
    const base = await clone.must("rev-parse", "HEAD");
    const oid = await clone.commit("For review", { "b.txt": "b\n" });
    const answer = await rawPush(world(), ana, {
      repository: name,
      commands: [`${ZERO} ${oid} refs/for/main`],
      pack: await packOf(clone.directory, [oid, `^${base}`], true),
      capabilities: "report-status",
    });
    expect(answer.text).toBe(`000eunpack ok\n${frame("ok refs/for/main\n")}0000`);
  });

  test("and what it refused, beside what it took", async () => {
    const { clone } = await gerrit();
    await clone.commit("For review", { "b.txt": "b\n" });
    const push = await clone.git(
      "push",
      "origin",
      "HEAD:refs/for/refused",
      "HEAD:refs/for/main",
      "HEAD:refs/heads/plain",
    );
    expect(push.code).toBe(1);
    expect(push.stderr).toMatch(/! \[remote rejected\] HEAD -> refs\/for\/refused \(no change wanted\)/);
    expect(push.stderr).toMatch(/HEAD -> refs\/changes\/1\/head/);
    expect(push.stderr).toMatch(/\* \[new branch\] +HEAD -> plain/);
  });
});
