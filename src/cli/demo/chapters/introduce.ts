import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import { token } from "../../token.ts";
import type { Cast, Player, Telling } from "../cast.ts";
import { createGatewayClient } from "../gateway-client.ts";
import { createGitUser } from "../git-user.ts";
import { PUSH_POLICY, README, REPOSITORY } from "../script.ts";
import { StoryError } from "../story-error.ts";

/** Where everything listens, what the policy is, and who is who. */
export async function introduce(telling: Telling): Promise<Cast> {
  const { stage, narrator, io } = telling;
  narrator.step("Where everything listens");
  narrator.table([
    ["Sallyport", stage.address, `with a PostgreSQL of its own; up in ${(stage.startedInMs / 1_000).toFixed(1)} s`],
    ["Git server", stage.git.url, "git http-backend; its password is the gateway's alone"],
    ["Copilot", stage.copilot.url, "a stand-in that speaks as Copilot's API does"],
    ["Slack", stage.slack.url, "a stand-in that takes chat.postMessage"],
  ]);
  narrator.say("", `All of it lives in ${stage.directory} until this ends. What pushes meet:`, "");
  narrator.output(PUSH_POLICY, "quiet");

  narrator.say("", "Two people: ana writes code, lee is one of the leads. A token is all that either needs.");
  const ana = await makePlayer(telling, "ana@example.com", "eng");
  const lee = await makePlayer(telling, "lee@example.com", "leads");

  const mainBefore = await seedRepository(telling);
  const credential = Object.assign(new URL(stage.address), { username: "ana", password: ana.token });
  const git = await createGitUser({
    name: "Ana",
    email: ana.email,
    home: join(stage.directory, "ana"),
    path: io.env["PATH"],
    credential,
    narrator,
    signal: io.stop,
  });
  return { ana: { ...ana, git }, lee, mainBefore };
}

/** By the command line itself, on the database of the gateway that runs. */
async function makePlayer({ stage, narrator, io }: Telling, email: string, groups: string): Promise<Player> {
  const args = ["create", "--user", email, "--groups", groups];
  narrator.command("operator", `npx sallyport token ${args.join(" ")}`);
  const [out, err] = [collect(), collect()];
  const code = await token.run(args, { ...io, env: stage.env, stdout: out.stream, stderr: err.stream });
  narrator.output(out.text());
  narrator.output(err.text(), "quiet");
  if (code !== 0) throw new StoryError(`a token for ${email}`, `exit code ${code}: ${err.text()}`);
  const secret = out.text().trim();
  return { email, token: secret, client: createGatewayClient(stage.address, secret, io.stop) };
}

/** One commit on `main`, from before there was a gateway. @returns its id */
async function seedRepository({ stage, narrator, io }: Telling): Promise<string> {
  const bare = await stage.git.createRepository(REPOSITORY);
  const home = join(stage.directory, "before");
  const git = await createGitUser({
    name: "Kim",
    email: "kim@example.com",
    home,
    path: io.env["PATH"],
    credential: null,
    narrator,
    signal: io.stop,
  });
  await mkdir(git.directory);
  await git.quietly("init", "-q", "-b", "main");
  await writeFile(join(git.directory, "README.md"), README);
  await git.quietly("add", "README.md");
  await git.quietly("commit", "-q", "-m", "Begin");
  await git.quietly("push", "-q", bare, "main");
  return git.quietly("rev-parse", "HEAD");
}

function collect(): { readonly stream: Writable; text(): string } {
  let text = "";
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _, done) {
      text += chunk.toString();
      done();
    },
  });
  return { stream, text: () => text };
}
