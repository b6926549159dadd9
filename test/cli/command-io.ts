import { Readable, Writable } from "node:stream";
import type { CommandIo, ExitCode } from "../../src/cli/command.ts";
import { runCli } from "../../src/cli/run-cli.ts";

export interface Ran {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in this process, and gives back what it wrote. */
export async function run(
  args: readonly string[],
  { stdin = "", ...io }: Partial<Omit<CommandIo, "stdin">> & { readonly stdin?: string | Uint8Array } = {},
): Promise<Ran> {
  const stdout = collect();
  const stderr = collect();
  const code = await runCli(args, {
    env: {},
    cwd: "/nonexistent",
    pid: 4242,
    stdin: Readable.from([Buffer.from(stdin)], { objectMode: false }),
    stop: new AbortController().signal,
    onHangup: () => () => {},
    now: () => new Date(),
    ...io,
    stdout,
    stderr,
  });
  return { code, out: stdout.text(), err: stderr.text() };
}

function collect(): Writable & { text(): string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      chunks.push(chunk);
      done();
    },
  });
  return Object.assign(stream, { text: () => Buffer.concat(chunks).toString("utf8") });
}

/** A file of rules with one in it, which finds `tkey_` and eight letters. */
export const ONE_RULE = `rules:
  - id: test-key
    description: A test's key
    severity: block
    reference: https://example.com/keys
    keywords: [tkey_]
    regex: tkey_[a-z]{8}
    examples: { match: [tkey_abcdefgh] }
`;
