import { lchown, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Gives a new file or directory to the owner of the directory that it is in. Without this, one command run as root in another
 * user's data directory would lock that user out of it.
 */
export async function inheritOwner(path: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(dirname(path));
  // Never through a link: in another user's directory it may point anywhere by now.
  if (uid !== 0) await lchown(path, uid, gid);
}
