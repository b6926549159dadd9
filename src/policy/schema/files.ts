/** What an operator may ask of files: `files:` of an entry. */
import { z } from "zod";
import { byteSizeSchema } from "./byte-size.ts";
import { pathGlobSchema } from "./globs.ts";

export interface FileRules {
  /** The most bytes of one file; null: no bound but that of an object (`limits.objectBytes`). */
  readonly maxBytes: number | null;
  /** Globs over paths, whatever the case. */
  readonly forbid: readonly string[];
  readonly symlinks: "allow" | "refuse";
  readonly submodules: "allow" | "refuse";
}

export const NO_FILE_RULES: FileRules = { maxBytes: null, forbid: [], symlinks: "allow", submodules: "allow" };

const modeSchema = z.enum(["allow", "refuse"]).default("allow");

export const filesSchema = z
  .strictObject({
    maxBytes: byteSizeSchema.optional().describe("The most bytes of one file, as in 10MB or 10MiB."),
    forbid: z
      .array(pathGlobSchema)
      .default([])
      .describe("Globs over paths that no file may be put at, as in **/*.exe. Case does not count."),
    symlinks: modeSchema.describe("refuse: no new or changed symbolic links."),
    submodules: modeSchema.describe("refuse: no new or changed submodules."),
  })
  .transform(({ maxBytes, forbid, symlinks, submodules }): FileRules => ({
    maxBytes: maxBytes ?? null,
    forbid,
    symlinks,
    submodules,
  }));
