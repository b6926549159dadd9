import { fileURLToPath } from "node:url";
import { programClient, works, type GitClient } from "./git-client.ts";

/** Debian's own: another Python on the PATH does not see Debian's modules. */
const PYTHON = "/usr/bin/python3";

const pythonClient = (name: string, module: string, driver: string): GitClient =>
  programClient({
    name,
    missing: works(PYTHON, ["-c", `import ${module}`]) ? null : `python3-${module}`,
    command: () => [PYTHON, fileURLToPath(new URL(driver, import.meta.url))],
  });

export const dulwich = pythonClient("dulwich", "dulwich", "dulwich_client.py");
export const libgit2 = pythonClient("libgit2", "pygit2", "pygit2_client.py");
