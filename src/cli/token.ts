import { AUDIENCES, GATEWAY_ISSUER, type Audience } from "../model/principal.ts";
import { escapeLine } from "../model/printable.ts";
import { hashToken, mintToken } from "../identity/tokens.ts";
import { standingGroups, type PeopleProvider, type StandingProblem } from "../identity/standing.ts";
import { upsertPrincipal } from "../store/principals.ts";
import { insertToken, listTokens, revokeToken, type TokenWithPrincipal } from "../store/tokens.ts";
import { insertEvent } from "../store/events.ts";
import { UsageError, type Command, type CommandIo, type ExitCode } from "./command.ts";
import { parseExpiry } from "./parse-expiry.ts";
import { readNameMask } from "./name-mask.ts";
import { configOption, parseOptions } from "./parse-options.ts";
import { formatTable, formatTime } from "./table.ts";
import { withStore } from "./with-store.ts";

export const token: Command = {
  help: `Usage: sallyport token create --user EMAIL [--groups a,b] [--for git,copilot,api] [--name N] [--expires 30d] [--service]
       sallyport token list
       sallyport token revoke ID|NAME

Gateway tokens say who somebody is: as the password for git, as the token of a Copilot client, at the sign-in of the
pages. All of it works while a gateway runs, and is seen by every gateway. Where people sign in at an identity provider
(identity.oidc), they get their tokens there, and what is made here is for services alone: CI, bots.

create   prints the new token alone on stdout. It is shown this once; only a hash of it is kept.
  --user EMAIL      the person; the same address is the same person
  --groups a,b      the groups that this token puts them in
  --for git,…       what it may be used for: git, copilot, api (pages and decisions). Default all three
  --name N          to tell tokens apart. Default: the address
  --expires 30d     s, m, h or d. Default: never
  --service         it is software, not a person: labelled so everywhere, and it decides on held pushes only where a
                    rule names it itself (user:EMAIL). Always so under an identity provider
list     every token, newest first
revoke   by id (or how it begins) or by name; running requests with it are not cut off

  --config FILE|DIR   as for serve; says which database is meant
`,
  async run([subcommand, ...args], io) {
    if (subcommand === "create") return create(args, io);
    if (subcommand === "list") return list(args, io);
    if (subcommand === "revoke") return revoke(args, io);
    throw new UsageError(subcommand === undefined ? "say create, list or revoke" : `there is no "token ${subcommand}"`);
  },
};

async function create(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { values } = parseOptions(args, {
    ...configOption,
    user: { type: "string" },
    groups: { type: "string" },
    for: { type: "string" },
    name: { type: "string" },
    expires: { type: "string" },
    service: { type: "boolean" },
  });
  // One person, however the address is typed: an approver must not become somebody else by a capital letter.
  const email = (values.user ?? "").trim().toLowerCase();
  if (!/^[^\s@]+@[^\s@]+$/.test(email)) throw new UsageError("--user needs an e-mail address");
  const groups = splitList(values.groups ?? "");
  if (groups.some((group) => group === "*" || group.startsWith("user:"))) {
    throw new UsageError('a group is a plain name; "*" and "user:" mean something else in the configuration');
  }
  const audiences = values.for === undefined ? AUDIENCES : parseAudiences(values.for);
  const expiresAt = values.expires === undefined ? null : parseExpiry(values.expires, io.now());

  return withStore("sallyport token", values.config, io, async ({ db }, config) => {
    const given = values.name?.trim() ?? "";
    const mask = given === "" ? (text: string) => text : await readNameMask(config, io);
    if (mask === null) return 1;
    const { identity } = config;
    const name = given === "" ? email : mask(given);
    const secret = mintToken();
    const isService = values.service === true || identity !== null;
    await db.transaction(async (tx) => {
      const principal = await upsertPrincipal(tx, {
        issuer: GATEWAY_ISSUER,
        // Never the row of a person whom an operator made under the same address, before there was a provider.
        subject: isService ? `service:${email}` : email,
        email,
        kind: isService ? "service" : "person",
      });
      const row = await insertToken(tx, {
        principalId: principal.id,
        name,
        hash: hashToken(secret),
        groups,
        audiences,
        expiresAt,
      });
      await insertEvent(tx, {
        kind: "token.created",
        principalId: principal.id,
        repository: null,
        subject: row.id,
        data: { name, audiences, groups, by: "operator" },
      });
    });
    io.stdout.write(`${secret}\n`);
    const until = expiresAt === null ? "never expires" : `expires ${formatTime(expiresAt)}`;
    const member = groups.length === 0 ? "in no group" : `in ${groups.join(", ")}`;
    const whom = isService ? `the service ${email}` : email;
    const text = `A token for ${whom}, ${member}, for ${audiences.join(", ")}; ${until}. It is shown this once.`;
    io.stderr.write(`${escapeLine(text, 1_000)}\n`);
    return 0;
  });
}

async function list(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { values } = parseOptions(args, configOption);
  return withStore("sallyport token", values.config, io, async ({ db }, { identity }) => {
    const tokens = await listTokens(db);
    const rows = tokens.map((row) => describeToken(row, identity, io.now()));
    if (rows.length === 0) io.stderr.write("No tokens yet. Make one: sallyport token create --user EMAIL\n");
    else
      io.stdout.write(
        formatTable([["ID", "USER", "NAME", "GROUPS", "FOR", "CREATED", "LAST USED", "STATUS"], ...rows]),
      );
    return 0;
  });
}

async function revoke(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { values, positionals } = parseOptions(args, configOption, 1);
  const [reference] = positionals;
  if (reference === undefined || reference === "") throw new UsageError("say which token: its id or its name");
  return withStore("sallyport token", values.config, io, async ({ db }) => {
    const revoked = await db.transaction(async (tx) => {
      const result = await revokeToken(tx, reference, io.now());
      if (result.ok) {
        await insertEvent(tx, {
          kind: "token.revoked",
          principalId: result.value.principalId,
          repository: null,
          subject: result.value.id,
          data: { name: result.value.name, by: "operator" },
        });
      }
      return result;
    });
    if (revoked.ok) {
      io.stderr.write(`${escapeLine(`Revoked ${revoked.value.id} (${revoked.value.name}).`)}\n`);
      return 0;
    }
    const problem =
      revoked.error === "ambiguous"
        ? "several tokens are called so; take the id from sallyport token list"
        : "no token has this id, and none that is still good has this name; see sallyport token list";
    io.stderr.write(`sallyport token: ${problem}\n`);
    return 1;
  });
}

const splitList = (text: string): readonly string[] => [
  ...new Set(
    text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  ),
];

function parseAudiences(text: string): readonly Audience[] {
  const named = splitList(text);
  const unknown = named.find((name) => !AUDIENCES.some((audience) => audience === name));
  if (unknown !== undefined || named.length === 0) throw new UsageError(`--for knows ${AUDIENCES.join(", ")}`);
  return AUDIENCES.filter((audience) => named.includes(audience));
}

function describeToken(row: TokenWithPrincipal, provider: PeopleProvider, now: Date): readonly string[] {
  const { principal } = row;
  const groups = standingGroups(principal, row.groups, provider, now);
  const lastUsed = row.lastUsedAt === null ? "never" : formatTime(row.lastUsedAt);
  return [
    row.id,
    principal.kind === "service" ? `${principal.email} (service)` : principal.email,
    row.name,
    (groups.ok ? groups.value : []).join(",") || "-",
    row.audiences.join(","),
    formatTime(row.createdAt),
    lastUsed,
    statusOf(row, groups.ok ? null : groups.error, now),
  ].map((cell) => escapeLine(cell, 80));
}

function statusOf(row: TokenWithPrincipal, problem: StandingProblem | null, now: Date): string {
  if (row.revokedAt !== null) return "revoked";
  if (row.expiresAt !== null && row.expiresAt <= now) return "expired";
  if (problem !== null) return problem === "stale" ? "waits for a sign-in" : "not accepted (other issuer)";
  return row.expiresAt === null ? "good" : `good until ${formatTime(row.expiresAt)}`;
}
