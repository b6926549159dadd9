/**
 * The log: one JSON object a line on stderr (pino's form), or short lines where a person watches. Nobody is supposed to log a
 * secret; in case somebody does, everything that goes through here is searched for the forms that credentials have.
 */
import { pino } from "pino";
import type { LogFields, Logger } from "./model/log.ts";
import { escapeUnprintable } from "./model/printable.ts";
import { maskWords } from "./secrets/mask-words.ts";

export interface LogOptions {
  /** Where lines go, as `process.stderr`. */
  readonly stream: { write(line: string): unknown; readonly isTTY?: boolean };
  /** The detector's mask, for the secrets that it knows. */
  readonly mask?: (text: string) => string;
  readonly level?: "debug" | "info" | "warn" | "error" | "silent";
}

export function createLogger({ stream, mask = (text) => text, level = "info" }: LogOptions): Logger {
  const clean = (text: string): string => escapeUnprintable(maskWords(redactCredentials(text), mask));
  const write =
    stream.isTTY === true ? (line: string) => stream.write(forPeople(line)) : (line: string) => stream.write(line);
  const log = pino(
    {
      level,
      base: null,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    { write },
  );
  const cleaned = (fields: LogFields): object => cleanValue(fields, clean, 0) as object;
  return {
    debug: (fields, message) => log.debug(cleaned(fields), clean(message)),
    info: (fields, message) => log.info(cleaned(fields), clean(message)),
    warn: (fields, message) => log.warn(cleaned(fields), clean(message)),
    error: (fields, message) => log.error(cleaned(fields), clean(message)),
  };
}

const REDACTED = "[redacted]";

const CREDENTIALS: readonly (readonly [RegExp, string])[] = [
  // Tokens in paths, encoded slashes included: /u/<token>/git/…
  [/(\/u(?:\/|%2f))[^/\s"'?#%]+/gi, `$1${REDACTED}`],
  [/\b(?:gh[opsur]_|github_pat_)[A-Za-z0-9_]{8,}/g, REDACTED],
  [/\bxox[a-z]-[A-Za-z0-9-]{8,}/g, REDACTED],
  [/\b(Bearer|Basic|Sallyport-Token:)\s+[A-Za-z0-9+/._~=-]{4,}/gi, `$1 ${REDACTED}`],
  // RFC 3986 user information: scheme://user:password@host
  [/([a-z][a-z0-9+.-]*:\/\/)[^/\s@"']+@/gi, `$1${REDACTED}@`],
];

/** Takes out what has the form of a credential. */
export const redactCredentials = (text: string): string =>
  CREDENTIALS.reduce((cleaned, [pattern, replacement]) => cleaned.replace(pattern, replacement), text);

/** Fields whose value is a credential whatever it looks like. */
const SECRET_FIELD = /^(?:proxy-)?authorization$|^(?:set-)?cookie$|token$|password$|secret$|^x-api-key$/i;

/** Deep enough for what is worth a line; also ends circles. */
const MAX_DEPTH = 6;

function cleanValue(value: unknown, clean: (text: string) => string, depth: number): unknown {
  if (typeof value === "string") return clean(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_DEPTH) return "[deeper]";
  if (value instanceof Error) return cleanError(value, clean, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "invalid date" : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, clean, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      clean(key),
      SECRET_FIELD.test(key) && inner !== null && inner !== undefined ? REDACTED : cleanValue(inner, clean, depth + 1),
    ]),
  );
}

/** Name, code, text, stack and causes: other properties of errors (requests, queries, their parameters) hold data of people. */
function cleanError(error: Error, clean: (text: string) => string, depth: number): object {
  const code = "code" in error && typeof error.code === "string" ? { code: clean(error.code) } : {};
  const message = withoutParameters(error.message);
  return {
    type: error.name,
    ...code,
    message: clean(message),
    ...(error.stack === undefined ? {} : { stack: clean(error.stack.replace(error.message, () => message)) }),
    ...(error.cause === undefined ? {} : { cause: cleanValue(error.cause, clean, depth + 1) }),
  };
}

/** Drizzle's text of a failed query ends with what was to be written: commit messages, prompts, hashes of tokens. */
const withoutParameters = (message: string): string => message.replace(/\nparams: [^]*$/, "");

/** `15:04:05 warn  the message  key=value`, errors by their text alone. */
function forPeople(line: string): string {
  const { level, time, message, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const said = Object.entries(fields).map(([key, value]) => `${key}=${shortValue(value)}`);
  return (
    [String(time).slice(11, 19), String(level).padEnd(5), String(message), ...said].join(" ").replaceAll("\n", "\\n") +
    "\n"
  );
}

function shortValue(value: unknown): string {
  if (typeof value === "string") return /[\s"=]/.test(value) || value === "" ? JSON.stringify(value) : value;
  if (typeof value !== "object" || value === null) return String(value);
  const { type, message, cause } = value as Record<string, unknown>;
  if (typeof type !== "string" || typeof message !== "string") return JSON.stringify(value);
  return JSON.stringify(cause === undefined ? message : `${message} (${shortValue(cause)})`);
}
