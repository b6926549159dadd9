/** The certificate and key files that `tls:` names: read, and held against each other, before anything listens. */
import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { err, ok, type Result } from "../errors.ts";
import type { ConfigDocument } from "./document.ts";
import { readProblem } from "./files.ts";
import type { ConfigMistake } from "./mistake.ts";
import type { ConfigParts } from "./schema.ts";

/** Absolute paths. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

/** PEM: the certificate with its chain, and its private key. */
export interface TlsPair {
  readonly certificate: string;
  readonly key: string;
  /** The first certificate of the file: the gateway's own. */
  readonly leaf: X509Certificate;
}

export interface TlsProblem {
  readonly part: keyof TlsFiles;
  /** What is wrong and what to do; nothing of what the files hold. */
  readonly message: string;
}

/** No chain is longer; a larger file is something else. */
const MAX_PEM_CHARACTERS = 1024 * 1024;

/** Reads the pair as it is on disk now. @returns everything that is wrong with it */
export async function readTlsPair(files: TlsFiles, now: Date): Promise<Result<TlsPair, readonly TlsProblem[]>> {
  const certificate = await readPem(files.certificate);
  const key = await readPem(files.key);
  const problems: TlsProblem[] = [];
  const tell = (part: keyof TlsFiles, message: string): null => {
    problems.push({ part, message: `${files[part]} ${message}` });
    return null;
  };
  const leaf = certificate.ok ? parseCertificate(certificate.value, now, tell) : tell("certificate", certificate.error);
  const secret = key.ok ? parseKey(key.value, tell) : tell("key", key.error);
  if (leaf !== null && secret !== null && !leaf.checkPrivateKey(secret)) {
    tell("key", `is not the key of the certificate in ${files.certificate}; name the two that were made together`);
  }
  if (problems.length > 0 || leaf === null || !certificate.ok || !key.ok) return err(problems);
  return ok({ certificate: certificate.value, key: key.value, leaf });
}

async function readPem(file: string): Promise<Result<string, string>> {
  try {
    const text = await readFile(file, "utf8");
    return text.length > MAX_PEM_CHARACTERS ? err("is larger than 1 MiB: no PEM file is") : ok(text);
  } catch (error) {
    return err(`cannot be used: ${readProblem(error)}`);
  }
}

type Tell = (part: keyof TlsFiles, message: string) => null;

function parseCertificate(pem: string, now: Date, tell: Tell): X509Certificate | null {
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(pem);
  } catch {
    return tell("certificate", "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  }
  const [from, to] = [new Date(leaf.validFrom), new Date(leaf.validTo)];
  if (to <= now) return tell("certificate", `expired on ${day(to)}; renew it`);
  if (from > now) return tell("certificate", `is valid from ${day(from)} only; check it and this machine's clock`);
  return leaf;
}

function parseKey(pem: string, tell: Tell): KeyObject | null {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    return tell("key", "is encrypted with a passphrase, which the gateway cannot be asked for; store it without");
  }
  try {
    return createPrivateKey(pem);
  } catch {
    return tell("key", "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  }
}

const day = (at: Date): string => at.toISOString().slice(0, 10);

/** Which files `tls:` names; relative ones are beside the file that names them. @returns null without `tls:` */
export function findTlsFiles(document: ConfigDocument, tls: ConfigParts["tls"]): TlsFiles | null {
  if (tls === undefined) return null;
  const besides = (part: keyof TlsFiles): string =>
    resolve(dirname(document.fileOf(["tls", part])?.path ?? "."), tls[part]);
  return { certificate: besides("certificate"), key: besides("key") };
}

/** Reads the pair. @returns every mistake, at the place that names the file */
export async function tlsMistakes(
  document: ConfigDocument,
  files: TlsFiles,
  now: Date,
): Promise<readonly ConfigMistake[]> {
  const pair = await readTlsPair(files, now);
  return pair.ok ? [] : pair.error.map(({ part, message }) => document.mistake(["tls", part], message));
}
