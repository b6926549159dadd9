/** Globs over repositories, refs and paths. One that can match nothing would protect nothing and say nothing about it. */
import { z } from "zod";

const WITHOUT_GIT = "repositories are named without .git at the end: this would match none";
const hasNoSuffix = (glob: string): boolean => !/[^/]\.git$/i.test(glob);

export const repositoryGlobSchema = z
  .string()
  .regex(/^(?:\*\*|[^/]+\/.)/, {
    error: "expected <connection>/<path> or a glob over it, as in code/team/app, code/** or **",
    abort: true,
  })
  .refine(hasNoSuffix, { error: WITHOUT_GIT });

/** The same below one connection. */
export const repositoryPathGlobSchema = z
  .string()
  .min(1, { error: "expected a repository's path or a glob over it, as in team/app, team/** or **", abort: true })
  .refine((glob) => !glob.startsWith("/") && !glob.endsWith("/"), {
    error: "a repository's path neither begins nor ends with a slash: this would match none",
    abort: true,
  })
  .refine(hasNoSuffix, { error: WITHOUT_GIT });

export const refGlobSchema = z.string().regex(/^(?:refs\/|\*\*)/, {
  error: "expected the full name of a ref or a glob over it, as in refs/heads/main or refs/heads/release/*",
});

export const refGlobsSchema = z
  .array(refGlobSchema)
  .min(1, { error: "name at least one ref" })
  .describe("Globs over full ref names.");

/** Paths as git has them: no slash at the beginning or the end, no dot segments. */
export const pathGlobSchema = z
  .string()
  .min(1, { error: "expected a path in the repository or a glob over it, as in infra/** or **/*.tf", abort: true })
  .refine((glob) => !glob.startsWith("/"), {
    error: "paths are relative to the repository: take the first / off",
    abort: true,
  })
  .refine((glob) => !glob.endsWith("/"), {
    error: "a directory alone matches no file: write its name with /** behind",
    abort: true,
  })
  .refine((glob) => !glob.split("/").some((segment) => segment === "." || segment === ".." || segment === ""), {
    error: "a path in a repository has no empty segments, no . and no ..",
  });
