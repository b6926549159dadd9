import { matchesGlob } from "../model/glob.ts";
import { isId } from "../model/id.ts";
import { escapeLine } from "../model/printable.ts";
import {
  endBaseline,
  insertBaseline,
  listBaseline,
  type BaselineRow,
  type NewBaselineEntry,
} from "../store/baseline.ts";
import type { Database } from "../store/database.ts";
import { insertEvent } from "../store/events.ts";
import { findPushDetail } from "../store/push-queries.ts";
import { UsageError, type Command, type CommandIo, type ExitCode } from "./command.ts";
import { parseExpiry } from "./parse-expiry.ts";
import { readNameMask } from "./name-mask.ts";
import { configOption, parseOptions } from "./parse-options.ts";
import { formatTable, formatTime } from "./table.ts";
import { withStore } from "./with-store.ts";

export const baseline: Command = {
  help: `Usage: sallyport baseline add FINGERPRINT… --reason TEXT [--repository GLOB] [--path GLOB] [--expires 90d] [--by NAME]
       sallyport baseline add --push ID --reason TEXT [--path GLOB] [--expires 90d] [--by NAME]
       sallyport baseline add - --reason TEXT [--repository GLOB] …
       sallyport baseline list [--json]
       sallyport baseline remove ID… [--by NAME]

Findings that are accepted: what a push brings of them is recorded and lets pass. They are known by their fingerprints, which
stand with every finding in a push's record and in what sallyport scan --json prints. All of it works while a gateway runs,
and counts from the next push on.

add      accepts findings: by fingerprint; or those for which a push was refused, each in its repository and at its
         path; or those that sallyport scan --json pipes in (-), each at its path
  --reason TEXT       why; shown wherever the finding is
  --repository GLOB   only there: <connection>/<path>. Default: everywhere
  --path GLOB         only in these files. Default: everywhere
  --expires 90d       s, m, h or d. Default: never
  --by NAME           who accepts it. Default: the user who runs this
list     every entry, newest first, ended ones too
remove   by id (or how it begins)

  --config FILE|DIR   as for serve; says which database is meant
`,
  async run([subcommand, ...args], io) {
    if (subcommand === "add") return add(args, io);
    if (subcommand === "list") return list(args, io);
    if (subcommand === "remove") return remove(args, io);
    throw new UsageError(subcommand === undefined ? "say add, list or remove" : `there is no "baseline ${subcommand}"`);
  },
};

/** HMAC-SHA-256, its first 16 hex digits; the 8 of a mask are too few to tell secrets apart. */
const FINGERPRINT = /^[0-9a-f]{16}$/;

type Accepted = Pick<NewBaselineEntry, "fingerprint" | "repository" | "path">;

async function add(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { values, positionals } = parseOptions(
    args,
    {
      ...configOption,
      reason: { type: "string" },
      repository: { type: "string" },
      path: { type: "string" },
      expires: { type: "string" },
      by: { type: "string" },
      push: { type: "string" },
    },
    Number.POSITIVE_INFINITY,
  );
  const reason = (values.reason ?? "").trim();
  if (reason === "") throw new UsageError("--reason is needed: whoever meets the finding will want to know");
  const pushId = values.push ?? null;
  if ((pushId === null) === (positionals.length === 0)) throw new UsageError("give fingerprints, or --push ID, or -");
  if (pushId !== null && !isId(pushId)) throw new UsageError("--push needs the id of a push, as its address ends");
  if (pushId !== null && values.repository !== undefined) {
    throw new UsageError("--repository says nothing beside --push: a push has one");
  }
  const now = io.now();
  const by = whoRuns(values.by, io);
  const expiresAt = values.expires === undefined ? null : parseExpiry(values.expires, now);
  const repository = values.repository ?? null;
  const path = values.path ?? null;
  const isPiped = positionals.length === 1 && positionals[0] === "-";
  const given =
    pushId !== null
      ? null
      : isPiped
        ? parseScanned(await readAll(io.stdin), { repository, path })
        : positionals.map((fingerprint) => ({ fingerprint, repository, path }));
  for (const { fingerprint } of given ?? []) {
    if (!FINGERPRINT.test(fingerprint)) {
      throw new UsageError(`"${fingerprint}" is no fingerprint: expected 16 hex digits, as in a push's record`);
    }
  }
  return withStore("sallyport baseline", values.config, io, async ({ db }, config) => {
    const mask = await readNameMask(config, io);
    if (mask === null) return 1;
    const common = { reason: mask(reason), addedBy: mask(by), addedAt: now, expiresAt };
    const accepted = given ?? (pushId === null ? [] : await acceptedOf(db, pushId, path, io));
    if (accepted === null) {
      io.stderr.write("sallyport baseline: there is no such push\n");
      return 1;
    }
    if (accepted.length === 0) {
      io.stderr.write("sallyport baseline: nothing was found there that refuses a push\n");
      return 1;
    }
    const added = await db.transaction(async (tx) => {
      const rows: BaselineRow[] = [];
      for (const entry of accepted) {
        const row = await insertBaseline(tx, { ...entry, ...common });
        await insertEvent(tx, eventOf("baseline.added", row, common.addedBy));
        rows.push(row);
      }
      return rows;
    });
    for (const { id } of added) io.stdout.write(`${id}\n`);
    const until = expiresAt === null ? "for good" : `until ${formatTime(expiresAt)}`;
    io.stderr.write(`${added.length === 1 ? "1 finding" : `${added.length} findings`} accepted ${until}.\n`);
    return 0;
  });
}

/** What refused a push, once for each file. @returns null where there is no such push */
async function acceptedOf(
  db: Database,
  pushId: string,
  glob: string | null,
  io: CommandIo,
): Promise<readonly Accepted[] | null> {
  const push = await findPushDetail(db, pushId);
  if (push === null) return null;
  if (push.findings.length < push.findingCount) {
    io.stderr.write(
      `Only the first ${push.findings.length} of ${push.findingCount} findings: push again for the others.\n`,
    );
  }
  const refusing = push.findings.filter(
    ({ severity, known, baseline, path }) =>
      severity === "block" &&
      !known &&
      baseline === null &&
      (glob === null || (path !== null && matchesGlob(glob, path))),
  );
  return distinct(refusing.map(({ fingerprint, path }) => ({ fingerprint, repository: push.repository, path })));
}

function parseScanned(text: string, bounds: Omit<Accepted, "fingerprint">): readonly Accepted[] {
  const accepted = text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line, index): Accepted => {
      const { fingerprint, path } = parseFinding(line);
      if (typeof fingerprint !== "string" || typeof path !== "string") {
        throw new UsageError(`line ${index + 1} of what is piped in is no finding of sallyport scan --json`);
      }
      return { fingerprint, repository: bounds.repository, path: bounds.path ?? (path === "-" ? null : path) };
    });
  return distinct(accepted);
}

function parseFinding(line: string): { readonly fingerprint?: unknown; readonly path?: unknown } {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

const distinct = (entries: readonly Accepted[]): readonly Accepted[] => [
  ...new Map(entries.map((entry) => [JSON.stringify(entry), entry])).values(),
];

async function readAll(stream: CommandIo["stdin"]): Promise<string> {
  let text = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream as AsyncIterable<string>) text += chunk;
  return text;
}

async function list(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { values } = parseOptions(args, { ...configOption, json: { type: "boolean" } });
  return withStore("sallyport baseline", values.config, io, async ({ db }) => {
    const entries = await listBaseline(db);
    if (values.json === true) {
      for (const entry of entries) io.stdout.write(`${JSON.stringify(entry)}\n`);
    } else if (entries.length === 0) {
      io.stderr.write("Nothing is accepted yet. Accept a finding: sallyport baseline add FINGERPRINT --reason …\n");
    } else {
      const heads = ["ID", "FINGERPRINT", "REPOSITORY", "PATH", "BY", "ADDED", "STATUS", "REASON"];
      io.stdout.write(formatTable([heads, ...entries.map((entry) => describe(entry, io.now()))]));
    }
    return 0;
  });
}

async function remove(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { values, positionals } = parseOptions(
    args,
    { ...configOption, by: { type: "string" } },
    Number.POSITIVE_INFINITY,
  );
  if (positionals.length === 0 || positionals.includes("")) throw new UsageError("say which entry: its id");
  const who = whoRuns(values.by, io);
  return withStore("sallyport baseline", values.config, io, async ({ db }, config) => {
    const mask = await readNameMask(config, io);
    if (mask === null) return 1;
    const by = mask(who);
    let code: ExitCode = 0;
    for (const reference of positionals) {
      const ended = await db.transaction(async (tx) => {
        const result = await endBaseline(tx, reference, by, io.now());
        if (result.ok) await insertEvent(tx, eventOf("baseline.removed", result.value, by));
        return result;
      });
      if (ended.ok) {
        io.stderr.write(`${escapeLine(`Removed ${ended.value.id} (${ended.value.reason}).`)}\n`);
        continue;
      }
      const problem =
        ended.error === "ambiguous"
          ? "several entries begin so; give more of the id"
          : "no entry that counts has this id";
      io.stderr.write(`${escapeLine(`sallyport baseline: ${reference}: ${problem}`)}\n`);
      code = 1;
    }
    return code;
  });
}

/** Whoever can run this can write to the database: a name is a note, and no proof. */
function whoRuns(by: string | undefined, { env }: CommandIo): string {
  const name = (by ?? env["USER"] ?? env["USERNAME"] ?? "").trim();
  if (name === "") throw new UsageError("--by is needed: who is it that decides this?");
  return name;
}

const eventOf = (kind: string, { id, fingerprint, repository, path, reason, expiresAt }: BaselineRow, by: string) => ({
  kind,
  principalId: null,
  repository,
  subject: id,
  data: { by, fingerprint, path, reason, expiresAt: expiresAt?.toISOString() ?? null },
});

function describe(entry: BaselineRow, now: Date): readonly string[] {
  const status =
    entry.removedAt !== null
      ? `removed by ${entry.removedBy}`
      : entry.expiresAt === null
        ? "good"
        : entry.expiresAt <= now
          ? "expired"
          : `good until ${formatTime(entry.expiresAt)}`;
  return [
    entry.id,
    entry.fingerprint,
    entry.repository ?? "everywhere",
    entry.path ?? "everywhere",
    entry.addedBy,
    formatTime(entry.addedAt),
    status,
    entry.reason,
  ].map((cell) => escapeLine(cell, 80));
}
