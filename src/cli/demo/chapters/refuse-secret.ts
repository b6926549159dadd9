import type { Cast, Telling } from "../cast.ts";
import { PLANTED_KEY, REPOSITORY, SETTINGS_WITH_KEY } from "../script.ts";
import { StoryError } from "../story-error.ts";
import { writeFiles } from "../write-files.ts";

export interface RefusedPush {
  readonly url: string;
}

/** A push with a secret in it is refused, and nothing of it reaches the Git server. */
export async function refuseSecret({ stage, narrator }: Telling, { ana, mainBefore }: Cast): Promise<RefusedPush> {
  narrator.step("A push with a secret in it is refused");
  narrator.say("The gateway is her Git remote; that is all that is different for her.");
  const cloned = await ana.git.clone(`${stage.address}/git/code/${REPOSITORY}.git`);
  narrator.blank();
  narrator.verify("cloning works as ever", cloned.code === 0, () => `exit code ${cloned.code}`);

  narrator.say("", "She commits settings.py with the key in it:", "");
  await writeFiles(ana.git.directory, SETTINGS_WITH_KEY);
  for (const text of Object.values(SETTINGS_WITH_KEY)) narrator.output(text);
  await ana.git.quietly("add", "settings.py");
  await ana.git.run("commit", "-m", "Name the photos' bucket");
  const commit = await ana.git.quietly("rev-parse", "HEAD");

  const push = await ana.git.run("push", "origin", "main");
  narrator.blank();
  narrator.verify(
    "git says that the remote rejected it",
    push.code === 1 && push.output.includes("! [remote rejected] main -> main"),
    () => `exit code ${push.code}`,
  );
  narrator.verify(
    "she is told where the secret is, and nowhere what it is",
    /settings\.py:2:\d+ /.test(push.output) && !push.output.includes(PLANTED_KEY),
    () => push.output,
  );
  const main = await stage.git.ref(REPOSITORY, "refs/heads/main");
  const arrived = await stage.git.hasObject(REPOSITORY, commit);
  narrator.verify(
    "the Git server has not seen a byte: main stands where it stood, the commit is unknown there",
    main === mainBefore && !arrived,
    () => `main at ${main ?? "nothing"}, the commit is ${arrived ? "there" : "not there"}`,
  );
  const url = /https?:\/\/\S+\/pushes\/[0-9a-f-]{36}/.exec(push.output)?.[0];
  if (url === undefined) throw new StoryError("a link to the refused push", push.output);
  return { url };
}
