/**
 * Who may sign commits, in the form that OpenSSH and git use (ssh-keygen, "ALLOWED SIGNERS"):
 *
 *     file    = *( [line / "#" comment] LF )
 *     line    = principals [SP options] SP keytype SP base64-key [SP comment]
 *     options = option *("," option)      ; cert-authority, namespaces="…", valid-after="…", valid-before="…"
 *
 * What cannot be honoured here is a mistake and not a line passed over: it could be the one that restricts. Pure.
 */
import type { AllowedSigner } from "../model/allowed-signer.ts";
import { sameEmail } from "../model/email.ts";
import { parsePublicKey, SIGNING_KEY_TYPES } from "./ssh-key.ts";

export interface SignersMistake {
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

/** What git signs commits under; keys for other namespaces (files, e-mail) say nothing about commits. */
export const GIT_NAMESPACE = "git";

/** @returns the signers of commits in order, and everything that is wrong with the file */
export function parseAllowedSigners(text: string): {
  readonly signers: readonly AllowedSigner[];
  readonly mistakes: readonly SignersMistake[];
} {
  const signers: AllowedSigner[] = [];
  const mistakes: SignersMistake[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const parsed = parseLine(line);
    if (typeof parsed === "string") mistakes.push({ line: index + 1, message: parsed });
    else if (parsed !== null) signers.push(parsed);
  }
  return { signers, mistakes };
}

/** Fields are parted by white space, which counts for nothing between double quotes. */
const FIELD = /(?:[^\s"]|"[^"]*")+/y;

/** @returns what is wrong; null for a key that is not for commits */
function parseLine(line: string): AllowedSigner | string | null {
  const fields: string[] = [];
  for (let at = 0; at < line.length && fields.length < 4;) {
    FIELD.lastIndex = at;
    const field = FIELD.exec(line)?.[0];
    if (field === undefined) return "a double quote is never closed";
    fields.push(field);
    at += field.length;
    while (at < line.length && /\s/.test(line.charAt(at))) at++;
  }
  const [principals = "", second = "", third = "", fourth] = fields;
  const hasOptions = !isKeyType(second);
  const keyType = hasOptions ? third : second;
  const key = hasOptions ? fourth : third;
  if (key === undefined || key === "" || !isKeyType(keyType)) {
    return "expected who (an e-mail address), options if any, the key's type and the key, as in ana@example.com ssh-ed25519 AAAA…";
  }
  const options = parseOptions(hasOptions ? second : "");
  if (typeof options === "string") return options;
  if (!SIGNING_KEY_TYPES.includes(keyType)) {
    return `keys of type ${keyType} cannot be checked here; expected ${SIGNING_KEY_TYPES.join(", ")}`;
  }
  const names = principals.replaceAll('"', "").split(",");
  if (names.some((name) => name === "" || name === "!")) return "an empty name among those before the key";
  const blob = /^[A-Za-z0-9+/]+={0,2}$/.test(key) ? Buffer.from(key, "base64") : Buffer.alloc(0);
  const parsed = parsePublicKey(blob);
  if (!parsed.ok) return parsed.error;
  if (parsed.value.type !== keyType) return `the key is no ${keyType} key`;
  if (options.namespaces !== null && !matchesList(options.namespaces, GIT_NAMESPACE)) return null;
  const { validAfter, validBefore } = options;
  return { principals: names, keyType, key: blob.toString("base64"), validAfter, validBefore };
}

/** The form of every name of a key type: what stands there instead is options. */
const isKeyType = (text: string): boolean => /^(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+$/.test(text);

interface Options {
  readonly namespaces: readonly string[] | null;
  readonly validAfter: number | null;
  readonly validBefore: number | null;
}

function parseOptions(text: string): Options | string {
  let options: Options = { namespaces: null, validAfter: null, validBefore: null };
  for (const [option] of text.matchAll(/(?:[^,"]|"[^"]*")+/g)) {
    const match = /^([a-z-]+)="([^"]*)"$/i.exec(option);
    const name = (match?.[1] ?? option).toLowerCase();
    const value = match?.[2] ?? "";
    switch (name) {
      case "namespaces":
        options = { ...options, namespaces: value.split(",") };
        break;
      case "valid-after":
      case "valid-before": {
        const at = parseTime(value);
        if (at === null) return `${name} expects a time in UTC, as in ${name}="20260131Z" or ${name}="202601312359Z"`;
        options = name === "valid-after" ? { ...options, validAfter: at } : { ...options, validBefore: at };
        break;
      }
      case "cert-authority":
        return "certificates are not available here: cert-authority cannot be honoured; list the keys themselves";
      default:
        return "unknown option; known here: namespaces, valid-after, valid-before";
    }
  }
  return options;
}

/**
 * `YYYYMMDD[HHMM[SS]]Z` as milliseconds. Without the Z, OpenSSH means the machine's own time zone, and two gateways could
 * judge differently.
 */
function parseTime(text: string): number | null {
  const match = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?Z$/.exec(text);
  if (match === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  const at = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const isReal = at.getUTCMonth() === month - 1 && at.getUTCDate() === day && at.getUTCHours() === hour;
  return isReal && minute < 60 && second < 60 ? at.getTime() : null;
}

/** Whether the key may sign for this address (ssh_config, "PATTERNS"): one pattern matches, and none that is negated. */
export const isSignerOf = (signer: AllowedSigner, email: string): boolean => matchesList(signer.principals, email);

function matchesList(patterns: readonly string[], text: string): boolean {
  const isNegated = (pattern: string): boolean => pattern.startsWith("!");
  if (patterns.some((pattern) => isNegated(pattern) && matchesPattern(pattern.slice(1), text))) return false;
  return patterns.some((pattern) => !isNegated(pattern) && matchesPattern(pattern, text));
}

/** `*` is any text, `?` any character. Goes back to the last `*` only: at most pattern × text steps. */
function matchesPattern(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let retry = 0;
  let next = 0;
  while (at < text.length) {
    const wanted = pattern[next];
    if (wanted === "*") {
      star = next++;
      retry = at;
    } else if (wanted === "?" || (wanted !== undefined && sameEmail(wanted, text.charAt(at)))) {
      next++;
      at++;
    } else if (star !== -1) {
      next = star + 1;
      at = ++retry;
    } else return false;
  }
  while (pattern[next] === "*") next++;
  return next === pattern.length;
}
