import type { Writable } from "node:stream";
import { escapeUnprintable } from "../model/printable.ts";
import type { Command, CommandIo, ExitCode } from "./command.ts";
import { readGitVersion } from "./demo/git-user.ts";
import { createNarrator, type Narrator } from "./demo/narrator.ts";
import { openStage, type Stage } from "./demo/stage.ts";
import { StoryError } from "./demo/story-error.ts";
import { lookAround, tellStory } from "./demo/story.ts";
import { parseOptions } from "./parse-options.ts";

export const demo: Command = {
  help: `Usage: sallyport demo [--exit]

Plays the whole story on this machine, with the git that is installed: a Copilot session recorded, a push with a secret refused,
a push to main held, approved and delivered, its commits linked to the session. Then it leaves the addresses open to look around,
until Ctrl-C.

  --exit   ends after the story instead

It uses no network but 127.0.0.1, a temporary directory and a database of its own, and leaves nothing behind. What is configured
(SALLYPORT_CONFIG, DATABASE_URL and the like) plays no part. Each thing that it tells is looked up first: when something does not
come out as told, the exit code is 1. NO_COLOR is honoured.
`,
  async run(args, io) {
    const { stop } = io;
    const { values } = parseOptions(args, { exit: { type: "boolean" } });
    const narrator = createNarrator(io.stdout, { colours: hasColours(io) });
    const git = await readGitVersion(io.env["PATH"]);
    narrator.title(`Sallyport, the whole story, on this machine alone and with real git (${git})`);
    narrator.say(
      "",
      "Starting a Git server, stand-ins for Copilot and Slack, and a gateway with a database of its own …",
    );
    const begun = io.now().getTime();
    let stage: Stage | null = null;
    try {
      stop.throwIfAborted();
      stage = await openStage(io);
      stop.throwIfAborted();
      const told = await tellStory({ stage, narrator, io });
      narrator.say("", `Told in ${((io.now().getTime() - begun) / 1_000).toFixed(1)} s.`);
      if (values.exit !== true) await lookAround({ stage, narrator, io }, told);
      return 0;
    } catch (error) {
      return explain(error, stop, stage, narrator);
    } finally {
      await stage?.close();
    }
  },
};

const hasColours = ({ stdout, env }: CommandIo): boolean =>
  (stdout as Writable & { readonly isTTY?: boolean }).isTTY === true && (env["NO_COLOR"] ?? "") === "";

/** @throws what is no part of the story */
function explain(error: unknown, stop: AbortSignal, stage: Stage | null, narrator: Narrator): ExitCode {
  if (stop.aborted) {
    narrator.say("", "Stopped before the end of the story; cleaning up.");
    return 1;
  }
  if (stage !== null && stage.log.length > 0) {
    narrator.say("", "The gateway's log:");
    narrator.output(stage.log.join("\n"), "quiet");
  }
  if (!(error instanceof StoryError)) throw error;
  narrator.say("", narrator.paint("bad", "✗ The story did not come out as told."));
  narrator.say(`expected   ${error.expected}`);
  narrator.say(`came       ${escapeUnprintable(error.came).trimEnd().replaceAll("\n", "\n             ")}`);
  return 1;
}
