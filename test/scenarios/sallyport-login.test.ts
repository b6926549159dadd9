/** `sallyport login` with a real provider behind the gateway's page, and real git that uses what comes of it. */
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../../src/cli/run-cli.ts";
import { run } from "../cli/command-io.ts";
import { git } from "../harness/git.ts";
import { startOidcProvider } from "../harness/oidc-provider.ts";
import { WebBrowser } from "../harness/web-browser.ts";
import { startWorld, type World } from "../harness/world.ts";

let provider: Awaited<ReturnType<typeof startOidcProvider>>;
let world: World;
let home: string;
beforeAll(async () => {
  provider = await startOidcProvider({
    accounts: { ana: { email: "ana@example.com", email_verified: true, groups: ["eng"] } },
  });
  world = await startWorld({ provider });
  home = await mkdtemp(join(tmpdir(), "sallyport-login-"));
});
afterAll(async () => {
  await world.close();
  await provider.close();
  await rm(home, { recursive: true, force: true });
});

const environment = () => ({ HOME: home, PATH: process.env["PATH"] ?? "", GIT_CONFIG_NOSYSTEM: "1" });
const tokensFile = () => join(home, ".config", "sallyport", "tokens.json");

test("somebody signs in by a code in a browser, and git clones with no further word", async () => {
  const browser = new WebBrowser();
  let told = "";
  const typed: Promise<void>[] = [];
  const stderr = new Writable({
    write(chunk: Buffer, _encoding, done) {
      told += String(chunk);
      const [, address, code] = /Open (\S+) in a browser.*code: (\S+)/.exec(told) ?? [];
      if (address !== undefined && code !== undefined && typed.length === 0) typed.push(typeCode(address, code));
      done();
    },
  });
  const typeCode = async (address: string, code: string): Promise<void> => {
    await browser.signIn(world.url, "ana", new URL(address).pathname);
    const consent = await browser.submit("/login/device", { code });
    expect(consent.html).toContain("sallyport login");
    await browser.submit("/login/device/", { decision: "approve" });
  };
  const code = await runCli(["login", world.url], {
    env: environment(),
    cwd: home,
    pid: 1,
    stdin: process.stdin,
    stdout: new Writable({ write: (_chunk, _encoding, done) => done() }),
    stderr,
    stop: new AbortController().signal,
    onHangup: () => () => {},
    now: () => new Date(),
  });
  await Promise.all(typed);
  expect(told).toContain("Signed in.");
  expect(code).toBe(0);
  expect((await stat(tokensFile())).mode & 0o777).toBe(0o600);
  expect(told).not.toMatch(/gho_/);

  const env = { ...environment(), GIT_TERMINAL_PROMPT: "0", GIT_CONFIG_GLOBAL: join(home, ".gitconfig") };
  const cloned = await git(["clone", "-q", `${world.url}/git/code/team/app.git`, "app"], { cwd: home, env });
  expect([cloned.code, cloned.stderr]).toEqual([0, ""]);

  // Revoked at the page: git forgets it, and says what to do.
  await browser.open(`${world.url}/tokens`);
  await browser.submit("/revoke");
  const fetchAgain = () => git(["-C", "app", "fetch"], { cwd: home, env });
  await expect.poll(async () => (await fetchAgain()).code, { interval: 1_000 }).not.toBe(0);
  expect((await fetchAgain()).stderr).toContain(`sallyport login ${world.url}`);
  expect(await readFile(tokensFile(), "utf8")).not.toMatch(/gho_/);
});

test("it is forgotten where that is asked for, in git's configuration too", async () => {
  const { code, err } = await run(["login", "--forget", world.url], { env: environment(), cwd: home });
  expect([code, err]).toEqual([0, expect.stringContaining(`${world.url}/tokens`)]);
  expect(await readFile(join(home, ".gitconfig"), "utf8").catch(() => "")).not.toContain("login --helper");
});

test.each([
  [[], "say which gateway"],
  [["nonsense"], "the gateway's address alone"],
  [["http://gateway.example.com"], "use https://"],
  [["https://user@gateway.example.com"], "take the user name out"],
  [["https://gateway.example.com/git/code"], "the gateway's address alone"],
])("%j is no gateway", async (args, problem) => {
  const { code, err } = await run(["login", ...args], { env: environment(), cwd: home });
  expect([code, err]).toEqual([2, expect.stringContaining(problem)]);
});

test("what answers as something else is told so", async () => {
  const { code, err } = await run(["login", provider.issuer], { env: environment(), cwd: home });
  expect([code, err]).toEqual([1, expect.stringContaining("does not answer as a Sallyport gateway does")]);
});
