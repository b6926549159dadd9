/** The detector by itself, over files: what would be found if they were pushed. */
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import type { Readable } from "node:stream";
import { readProblem } from "../config/files.ts";
import { readKey } from "../config/key.ts";
import { readBuiltinRules, readRuleFile, type SecretRuleSource } from "../config/secret-rules.ts";
import { GatewayError } from "../errors.ts";
import type { Detection, Severity } from "../model/finding.ts";
import { escapeLine } from "../model/printable.ts";
import { createDetector, type Detector } from "../secrets/detector.ts";
import { createFingerprint, type Fingerprint } from "../secrets/fingerprint.ts";
import { maskText } from "../secrets/mask.ts";
import type { Command, CommandIo, ExitCode } from "./command.ts";
import { readRules, tellMistakes } from "./load-config.ts";
import { parseOptions } from "./parse-options.ts";

export const scan: Command = {
  help: `Usage: sallyport scan [PATH…|-] [--rules FILE]… [--json]

Looks for secrets in files, in directories with everything below them (.git left out, links not followed), or in
what is piped in (-). Without a PATH: the current directory. Found secrets are told by place, never shown.

  --rules FILE   these rules instead of the gateway's own; "builtin" for its own as well; may be given several times
  --json         one JSON object a line: rule, severity, path, line, column, endColumn, fingerprint

Lines and columns count from 1, columns in UTF-16 units; a secret of several lines ends at the end of its first.
Fingerprints are those of the gateway whose key lies in SALLYPORT_DATA (default .sallyport); without one they can be
compared within one run only.

Exit code 1 if something was found or a file could not be read.
`,
  async run(args, io) {
    const { values, positionals } = parseOptions(
      args,
      { rules: { type: "string", multiple: true }, json: { type: "boolean" } },
      Number.POSITIVE_INFINITY,
    );
    const { rules, mistakes } = readRules(await readSources(values.rules ?? ["builtin"], io.cwd), { examples: false });
    if (mistakes.length > 0) {
      tellMistakes(mistakes, io.stderr);
      return 1;
    }
    const detector = createDetector(rules);
    const fingerprint = createFingerprint(await findKey(io));
    return scanAll(
      positionals.length === 0 ? ["."] : positionals,
      { detector, fingerprint, json: values.json === true },
      io,
    );
  },
};

/** Of what an operating system opens (Linux, PATH_MAX). */
const LONGEST_PATH = 4096;

interface ScanTools {
  readonly detector: Detector;
  readonly fingerprint: Fingerprint;
  readonly json: boolean;
}

interface PlacedSecret {
  readonly rule: string;
  readonly severity: Severity;
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly endColumn: number;
  readonly fingerprint: string;
}

async function scanAll(paths: readonly string[], tools: ScanTools, io: CommandIo): Promise<ExitCode> {
  let files = 0;
  let found = 0;
  let unread = 0;
  for await (const file of listFiles(paths, io)) {
    // A name may be a secret as well, and what is told here ends in the logs of build machines.
    const shown = maskText(file.path, tools.detector, tools.fingerprint).text;
    try {
      if ("error" in file) throw file.error;
      for await (const { description, ...placed } of scanStream(file.open(), file.path, tools)) {
        found++;
        const secret = { ...placed, path: shown };
        const { line, column, rule, severity } = secret;
        const text = tools.json
          ? JSON.stringify(secret)
          : `${escapeLine(shown, LONGEST_PATH)}:${line}:${column}: ${description} (${rule}${severity === "warn" ? ", warning" : ""})`;
        io.stdout.write(`${text}\n`);
      }
      files++;
    } catch (error) {
      unread++;
      io.stderr.write(`sallyport scan: ${escapeLine(shown, LONGEST_PATH)}: ${readProblem(error)}\n`);
    }
  }
  if (!tools.json) {
    const of = `${files === 1 ? "1 file" : `${files} files`}${unread > 0 ? `; ${unread} could not be read` : ""}`;
    io.stderr.write(`${found === 0 ? "No secrets" : found === 1 ? "1 secret" : `${found} secrets`} in ${of}.\n`);
  }
  return found > 0 || unread > 0 ? 1 : 0;
}

type ScanFile = { readonly path: string } & ({ readonly open: () => Readable } | { readonly error: unknown });

async function* listFiles(paths: readonly string[], io: CommandIo): AsyncGenerator<ScanFile> {
  for (const path of paths) {
    if (path === "-") yield { path, open: () => io.stdin };
    else yield* walk(resolve(io.cwd, path), io.cwd, stat);
  }
}

/** Depth first, in order of names. Links are followed where the person named them (`look`), not below. What is neither file nor directory (links, sockets, devices) is passed over. */
async function* walk(path: string, cwd: string, look: typeof lstat): AsyncGenerator<ScanFile> {
  const name = relative(cwd, path);
  const shown = name === "" || name.startsWith("..") ? path : name;
  try {
    const found = await look(path);
    if (found.isFile()) yield { path: shown, open: () => createReadStream(path) };
    if (!found.isDirectory()) return;
  } catch (error) {
    yield { path: shown, error };
    return;
  }
  let entries: string[];
  try {
    entries = (await readdir(path)).sort();
  } catch (error) {
    yield { path: shown, error };
    return;
  }
  for (const entry of entries) if (entry !== ".git") yield* walk(join(path, entry), cwd, lstat);
}

/** Reads a file in parts, as UTF-8 whatever it is: in a binary file, what is text stays readable. */
async function* scanStream(
  stream: Readable,
  path: string,
  { detector, fingerprint }: ScanTools,
): AsyncGenerator<PlacedSecret & { readonly description: string }> {
  const reading = detector.scan(path);
  // Offsets at which lines begin; only those that a secret still to come may need are kept.
  let lineStarts = [0];
  let dropped = 0;
  let length = 0;
  const place = ({ rule, severity, description, start }: Detection, secret: string) => {
    let at = lineStarts.length - 1;
    while (at > 0 && (lineStarts[at] ?? 0) > start) at--;
    const line = dropped + at + 1;
    lineStarts = lineStarts.slice(at);
    dropped += at;
    const column = start - (lineStarts[0] ?? 0) + 1;
    const firstLine = secret.split("\n", 1)[0] ?? "";
    return {
      rule,
      severity,
      path,
      line,
      column,
      endColumn: column + firstLine.length,
      fingerprint: fingerprint(secret),
      description,
    };
  };

  stream.setEncoding("utf8");
  for await (const chunk of stream as AsyncIterable<string>) {
    for (let at = chunk.indexOf("\n"); at !== -1; at = chunk.indexOf("\n", at + 1)) lineStarts.push(length + at + 1);
    length += chunk.length;
    for (const passage of reading.push(chunk)) {
      if (passage.kind === "secret") yield place(passage.detection, passage.secret);
    }
  }
  for (const passage of reading.end()) {
    if (passage.kind === "secret") yield place(passage.detection, passage.secret);
  }
}

async function readSources(rules: readonly string[], cwd: string): Promise<readonly SecretRuleSource[]> {
  const sources: SecretRuleSource[] = [];
  for (const rule of rules) {
    if (rule === "builtin") {
      sources.push(...(await readBuiltinRules()));
      continue;
    }
    try {
      sources.push(await readRuleFile(rule, resolve(cwd, rule)));
    } catch (cause) {
      throw new GatewayError("config_invalid", `the rules ${rule}: ${readProblem(cause)}`, { cause });
    }
  }
  return sources;
}

/** The gateway's key if there is one; scanning somebody's directory should not leave one behind. */
async function findKey({ env, cwd }: CommandIo): Promise<Uint8Array> {
  const path = join(resolve(cwd, env["SALLYPORT_DATA"] || ".sallyport"), "secret.key");
  return (await readKey(path)) ?? randomBytes(32);
}
