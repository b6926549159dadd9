/** The gateway's key: 32 bytes that key the fingerprints of secrets and the hashes of messages. */
import { randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError } from "../errors.ts";

/** 64 hex digits → 32 bytes; null for anything else. */
export const parseKey = (text: string): Uint8Array | null =>
  /^[0-9a-f]{64}$/i.test(text) ? Uint8Array.from(Buffer.from(text, "hex")) : null;

/**
 * The key in `<dataDir>/secret.key`; made there the first time, readable by its owner alone. Several processes may start
 * together: each writes a file of its own and links it to the name, which only one can; all use what then stands there.
 * @throws GatewayError `storage_failed` where the directory cannot be written, `config_invalid` where the file is no key or others may read it
 */
export async function openKey(dataDir: string): Promise<Uint8Array> {
  const path = join(dataDir, "secret.key");
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await createKey(path);
  } catch (cause) {
    const message = `The key could not be written to ${path}; check that the directory's owner runs this and that the disk has space.`;
    throw new GatewayError("storage_failed", message, { cause });
  }
  const key = await readKey(path);
  if (key === null)
    throw new GatewayError("storage_failed", `The key in ${path} went away while it was read; start again.`);
  return key;
}

async function createKey(path: string): Promise<void> {
  if (await exists(path)) return;
  const own = `${path}.${randomBytes(8).toString("hex")}`;
  const file = await open(own, "wx", 0o600);
  try {
    await file.writeFile(`${randomBytes(32).toString("hex")}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(own, path);
  } catch (error) {
    if (!(await exists(path))) throw error;
  } finally {
    await unlink(own);
  }
}

/**
 * The key in a file that {@link openKey} made; null where there is none.
 * @throws GatewayError `storage_failed`, `config_invalid`
 */
export async function readKey(path: string): Promise<Uint8Array | null> {
  let text: string;
  let mode: number;
  try {
    text = await readFile(path, "utf8");
    mode = (await stat(path)).mode;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return null;
    throw new GatewayError("storage_failed", `The key in ${path} cannot be read by the user who runs this.`, { cause });
  }
  if ((mode & 0o077) !== 0) {
    throw new GatewayError("config_invalid", `Others may read the key in ${path}; run chmod 600 on it.`);
  }
  const key = parseKey(text.trim());
  if (key !== null) return key;
  throw new GatewayError(
    "config_invalid",
    `${path} holds no key (64 hex digits). Put the old one back; a new one would make earlier fingerprints incomparable.`,
  );
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
