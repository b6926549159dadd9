import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { GatewayError } from "../errors.ts";

/** The directory of this package: it holds `package.json` and `policies/`, for the source and for what is built into `dist/`. */
export function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "package.json"))) {
    const parent = dirname(directory);
    if (parent === directory)
      throw new GatewayError("internal", "This installation of Sallyport is incomplete; install it again.");
    directory = parent;
  }
  return directory;
}
