import { orderLift, orderStop } from "../flows/stopping.ts";
import { parseDuration } from "../model/duration.ts";
import { escapeLine } from "../model/printable.ts";
import type { Database } from "../store/database.ts";
import { openStore } from "../store/open.ts";
import { findStandingStop, findStandingStops } from "../store/stops.ts";
import { UsageError, type Command, type CommandIo, type ExitCode } from "./command.ts";
import { loadConfigOrTell } from "./load-config.ts";
import { readNameMask } from "./name-mask.ts";
import { configOption, parseOptions } from "./parse-options.ts";

export const stop: Command = {
  help: `Usage: sallyport stop --user EMAIL [--reason TEXT] [--for 1h]
       sallyport stop --session ID [--reason TEXT] [--for 1h]
       sallyport stop --list
       sallyport stop --lift ID

The kill switch: what a person, or one session, has running with a model ends within five seconds on every gateway, and
what they ask next is refused until the stop is lifted. Both are on record with the reason. Pushes go on.

  --user EMAIL      everything of this person
  --session ID      this session alone (as in the address of its page)
  --reason TEXT     told to the person
  --for 1h          s, m, h or d; then it is lifted by itself. Default: until it is lifted
  --list            the stops that stand
  --lift ID         lifts one of them

  --config FILE|DIR   as for serve; says which database is meant
`,
  async run(args, io) {
    const { values } = parseOptions(args, {
      ...configOption,
      user: { type: "string" },
      session: { type: "string" },
      reason: { type: "string" },
      for: { type: "string" },
      list: { type: "boolean" },
      lift: { type: "string" },
    });
    const { user, session, lift: id } = values;
    const asked = [user, session, id, values.list].filter((value) => value !== undefined);
    if (asked.length !== 1) throw new UsageError("say one of --user, --session, --list and --lift");
    const ms = values.for === undefined ? null : parseDuration(values.for);
    if (values.for !== undefined && (ms === null || ms === 0))
      throw new UsageError("--for needs a duration such as 30m or 12h");

    const loaded = await loadConfigOrTell(values.config ?? [], io, io.stderr);
    if (loaded === null) return 1;
    const { databaseUrl, dataDir } = loaded;
    const handle = await openStore({ databaseUrl, dataDir, max: 1, applicationName: "sallyport stop" });
    try {
      if (values.list === true) return await list(handle.db, io);
      if (id !== undefined) return await lift(handle.db, id, io);
      const given = values.reason?.trim() ?? "";
      // Without a reason nothing of the rules is needed: a mistake in them keeps nobody from stopping somebody.
      const mask = given === "" ? () => "" : await readNameMask(loaded, io);
      if (mask === null) return 1;
      const at = io.now();
      const ordered = await orderStop(handle.db, {
        subject: user === undefined ? { session: session ?? "" } : { user },
        reason: escapeLine(mask(given) || "no reason was given", 500),
        by: null,
        expiresAt: ms === null ? null : new Date(at.getTime() + ms),
        at,
      });
      if (!ordered.ok) return tell(io, ordered.error);
      io.stdout.write(ordered.value.map((made) => `${made}\n`).join(""));
      io.stderr.write("Stopped. Running answers end within five seconds; lift it with: sallyport stop --lift ID\n");
      return 0;
    } finally {
      await handle.close();
    }
  },
};

async function list(db: Database, io: CommandIo): Promise<ExitCode> {
  const standing = await findStandingStops(db, io.now());
  if (standing.length === 0) io.stderr.write("Nobody is stopped.\n");
  for (const one of standing) {
    const who = one.sessionId === null ? one.user : `${one.user}, session ${one.sessionId}`;
    const until = one.expiresAt === null ? "until it is lifted" : `until ${one.expiresAt.toISOString()}`;
    io.stdout.write(`${escapeLine(`${one.id}  ${who}  ${until}  ${one.reason}`, 1_000)}\n`);
  }
  return 0;
}

async function lift(db: Database, id: string, io: CommandIo): Promise<ExitCode> {
  const standing = await findStandingStop(db, id, io.now());
  if (standing === null || !(await orderLift(db, standing, null, io.now()))) {
    return tell(io, "no stop with this id stands; see sallyport stop --list");
  }
  io.stderr.write(`${escapeLine(`Lifted: ${standing.user} may go on.`)}\n`);
  return 0;
}

function tell(io: CommandIo, problem: string): ExitCode {
  io.stderr.write(`sallyport stop: ${problem}\n`);
  return 1;
}
