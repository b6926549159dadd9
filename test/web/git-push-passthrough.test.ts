import { expect, it } from "vitest";
import { temporaryDirectory, workingCopy } from "../harness/git.ts";
import { fillRepository, startGitGateway, TOKEN } from "./git-gateway.ts";

const HEADER = `http.extraHeader=Sallyport-Token: ${TOKEN}`;

async function cloneThrough(options: Parameters<typeof startGitGateway>[0]) {
  const gateway = await startGitGateway({ connection: { credential: { kind: "passthrough" } }, ...options });
  await fillRepository(gateway.upstream, "team/app", 1);
  const parent = await temporaryDirectory("passthrough");
  const clone = await workingCopy({ url: gateway.upstream.directoryOf("team/app"), parent });
  const oid = await clone.commit("One more", { "a.txt": "one\n" });
  gateway.upstream.requests.length = 0;
  return { gateway, clone, oid };
}

const POST = "POST /team/app.git/git-receive-pack";

it("passes on the upstream's 401 where it asks for a password only when something is pushed", async () => {
  const { gateway, clone } = await cloneThrough({});
  gateway.upstream.fail("unauthorized", /^POST /);

  const run = await clone.git("-c", HEADER, "push", `${gateway.url}/git/code/team/app.git`, "HEAD:refs/heads/topic");

  expect(run.code).toBe(1);
  expect(run.stderr).toContain("could not read Username");
  expect(run.stderr).not.toContain("RPC failed");
  expect(run.stderr).not.toContain("Everything up-to-date");
  // Nothing of the push was sent: the question is git's own, four bytes.
  const posts = gateway.upstream.requests.filter(({ method }) => method === "POST");
  expect(posts.map(({ method, url, bodyBytes }) => [`${method} ${url}`, bodyBytes])).toEqual([[POST, 4]]);
  expect(posts[0]?.headers["user-agent"]).toContain("(gateway-internal)");
});

it("delivers under the client's own credential", async () => {
  const { gateway, clone, oid } = await cloneThrough({ upstream: { username: "ana", password: "hers" } });
  const remote = `${gateway.url.replace("//", "//ana:hers@")}/git/code/team/app.git`;

  const run = await clone.git("-c", HEADER, "push", remote, "HEAD:refs/heads/topic");

  expect(run.stderr).toContain("[new branch]      HEAD -> topic");
  expect(run.code).toBe(0);
  expect(await gateway.upstream.ref("team/app", "refs/heads/topic")).toBe(oid);
});
