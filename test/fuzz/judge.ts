/** Holds what the gateway has read against what real git delivered of the same bytes. */
import { Random } from "./random.ts";
import type { CorpusRepository } from "./corpus.ts";
import type { Delivered } from "./oracle.ts";
import type { PushReading } from "./read-push.ts";

const TOKEN = /tok-[0-9a-f]{16}/g;
const WIDE_TOKEN = /t\0o\0k\0-(?:\0[0-9a-f]){16}/g;

const tokensOf = (content: Buffer): string[] => {
  const text = content.toString("latin1");
  return [...(text.match(TOKEN) ?? []), ...(text.match(WIDE_TOKEN) ?? []).map((token) => token.replaceAll("\0", ""))];
};

const oldTokens = new WeakMap<CorpusRepository, ReadonlySet<string>>();
function tokensUpstream(repository: CorpusRepository): ReadonlySet<string> {
  const known =
    oldTokens.get(repository) ?? new Set([...repository.objects.values()].flatMap(({ content }) => tokensOf(content)));
  oldTokens.set(repository, known);
  return known;
}

/** How many additions of a push are looked up line by line. */
const CHECKED_ADDITIONS = 12;

/** @returns what is wrong, one line each; empty: the two agree */
export async function judge(
  repository: CorpusRepository,
  reading: PushReading,
  delivered: Delivered,
): Promise<string[]> {
  const wrong: string[] = [];
  const asked = new Map(reading.head.updates.map(({ ref, newOid }) => [ref, newOid]));
  for (const [ref, oid] of delivered.moved) {
    const wanted = asked.get(ref);
    if (wanted === undefined) wrong.push(`git moved ${JSON.stringify(ref)}, which we did not see in the commands`);
    else if (oid === null ? !/^0+$/.test(wanted) : wanted !== oid)
      wrong.push(`git moved ${ref} to ${oid}, we read ${wanted}`);
  }

  const seen = new Set(reading.texts.flatMap((text) => text.match(TOKEN) ?? []));
  const upstream = tokensUpstream(repository);
  for (const [oid, { kind, content }] of delivered.objects) {
    const missed = tokensOf(content).find((token) => !seen.has(token) && !upstream.has(token));
    if (missed !== undefined) wrong.push(`${missed} in ${kind} ${oid} was delivered and never read`);
  }

  const tips = [...delivered.moved.values()].filter((oid): oid is string => oid !== null);
  if (tips.length === 0) return wrong;
  const before = repository.tips.map((oid) => `^${oid}`);
  const listed = await delivered.git(["rev-list", "--stdin"], `${[...tips, ...before].join("\n")}\n`);
  for (const oid of listed
    ?.toString()
    .split("\n")
    .filter((line) => line !== "") ?? []) {
    if (!reading.commits.includes(oid)) wrong.push(`commit ${oid} was delivered and is not among the new ones`);
  }
  wrong.push(...(await pathsMissed(reading, delivered)), ...(await linesWrong(reading, delivered)));
  return wrong;
}

/** Every path that git's own diff of a new commit shows, directories of a malformed tree included. */
async function pathsMissed(reading: PushReading, delivered: Delivered): Promise<string[]> {
  const wrong: string[] = [];
  for (const commit of reading.commits.slice(0, 8)) {
    const output = await delivered.git([
      "diff-tree",
      "-r",
      "-z",
      "-c",
      "--root",
      "--no-commit-id",
      "--name-only",
      "--no-renames",
      commit,
    ]);
    if (output === null) continue;
    const told = reading.paths.get(commit) ?? new Set();
    for (const name of output.toString("utf8").split("\0")) {
      if (name !== "" && !told.has(name)) wrong.push(`${JSON.stringify(name)} changes in ${commit} and was not told`);
    }
  }
  return wrong;
}

/** Whether added lines of text stand in the file where they are said to. */
async function linesWrong(reading: PushReading, delivered: Delivered): Promise<string[]> {
  const random = new Random(reading.additions.length);
  const candidates = reading.additions.filter(
    ({ kind, startColumn, path, commit }) =>
      kind === "text" &&
      startColumn === 1 &&
      path !== "" &&
      !path.includes("\ufffd") &&
      reading.commits.includes(commit),
  );
  const wrong: string[] = [];
  for (let left = Math.min(CHECKED_ADDITIONS, candidates.length); left > 0; left--) {
    const addition = random.pick(candidates);
    const entry = await delivered.git([
      "ls-tree",
      "-z",
      "--full-tree",
      addition.commit,
      "--",
      `:(literal)${addition.path}`,
    ]);
    const oid = /^\d+ blob ([0-9a-f]+)\t/.exec(entry?.toString("latin1") ?? "")?.[1];
    // Two entries of one name, names that git would not look up: what they hold has been compared above.
    if (oid === undefined || (entry?.toString("latin1").match(/\0/g) ?? []).length !== 1) continue;
    const content = delivered.objects.get(oid)?.content;
    if (content === undefined) continue;
    const lines = readings(content);
    const first = addition.text.split("\n")[0] ?? "";
    const said = lines.map((all) => all[addition.startLine - 1] ?? "");
    if (!said.some((line) => line.startsWith(first) || first.startsWith(line.slice(0, 1000)))) {
      wrong.push(
        `${addition.commit} ${addition.path}:${addition.startLine} is told as “${first.slice(0, 60)}”, it is “${said[0]?.slice(0, 60)}”`,
      );
    }
  }
  return wrong;
}

/** A file's lines in each of the ways in which they may be meant. */
function readings(content: Buffer): string[][] {
  const isUtf8 = Buffer.from(content.toString("utf8")).equals(content);
  const decode = (encoding: string): string[] =>
    new TextDecoder(encoding).decode(content).replaceAll("\0", " ").split("\n");
  const bytes = content.toString(isUtf8 ? "utf8" : "latin1");
  const byLine = content
    .toString("latin1")
    .split("\n")
    .map((line) => Buffer.from(line, "latin1").toString("utf8"));
  return [
    bytes.split("\n"),
    byLine,
    content.toString("latin1").split("\n"),
    content.toString("latin1").replaceAll("\0", " ").split("\n"),
    byLine.map((line) => line.replaceAll("\0", " ")),
    decode("utf-16le"),
    decode("utf-16be"),
  ];
}
