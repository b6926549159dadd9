/**
 * What an operator may say about pushes: one entry of `pushes:` in the configuration, its shape and its meaning.
 * The first entry whose `repositories` match decides about a push; see `evaluate.ts`. Each section has a file in `schema/`.
 */
import { z } from "zod";
import type { ApprovalRequirement } from "../model/verdict.ts";
import { CHECK_NAMES, type CheckName } from "./check-names.ts";
import type { LinearPattern } from "./linear-pattern.ts";
import { approvalFields, personNameSchema, requirementOf, togetherOf, type Mistake } from "./schema/approval.ts";
import { commitRulesOf, createCommitsSchema, NO_COMMIT_RULES, type CommitRules } from "./schema/commits.ts";
import { filesSchema, NO_FILE_RULES, type FileRules } from "./schema/files.ts";
import { pathGlobSchema, refGlobSchema, refGlobsSchema, repositoryGlobSchema } from "./schema/globs.ts";
import { limitsSchema, USUAL_LIMITS, type ConfiguredLimits } from "./schema/limits.ts";

/** What happens to a push with secrets whose severity is `block`. `observe` records them and lets the push pass. */
export type SecretsMode = "reject" | "hold" | "observe";

/**
 * What a comment means that allows a secret: `hold` makes a question to approvers of a refusal, `pass` lets through, `ignore`
 * treats the secret as any other.
 */
export type AllowCommentsMode = "hold" | "pass" | "ignore";

/** What is never let through on a protected ref, whoever would approve it. */
export type Refusal = "force-push" | "delete" | "create";

/** Refs (globs) that move only with approval. */
export interface ProtectRule extends ApprovalRequirement {
  readonly refs: readonly string[];
}

/** Refs (globs) that only those who are named may create, move or delete. */
export interface PushersRule {
  readonly refs: readonly string[];
  /** Group names, `user:EMAIL`, `*`. */
  readonly allow: readonly string[];
}

/** Paths (globs) that change only with approval. */
export interface PathsRule extends ApprovalRequirement {
  readonly paths: readonly string[];
  /** On these refs (globs); null: on every ref. */
  readonly refs: readonly string[] | null;
}

export interface PushPolicy {
  /** Globs over `<connection>/<path>`. */
  readonly repositories: readonly string[];
  readonly secrets: SecretsMode;
  /** The same for secrets that stood in the same file upstream before. */
  readonly knownSecrets: SecretsMode;
  readonly allowComments: AllowCommentsMode;
  /** Who decides where one of these is `hold`; null where none is, or only {@link allowComments} and nobody is named. */
  readonly secretsHold: ApprovalRequirement | null;
  /** Globs; refs outside are refused. */
  readonly namespaces: readonly string[];
  /** Options let through: exact, or a prefix where it ends in `*`. */
  readonly pushOptions: readonly string[];
  readonly protect: readonly ProtectRule[];
  readonly refuse: readonly Refusal[];
  readonly pushers: readonly PushersRule[];
  readonly paths: readonly PathsRule[];
  readonly commits: CommitRules;
  readonly files: FileRules;
  readonly limits: ConfiguredLimits;
  /** Checks whose opinions are recorded and told, and do not count. */
  readonly observe: readonly CheckName[];
}

const DEFAULT_NAMESPACES = ["refs/heads/**", "refs/tags/**", "refs/notes/**"];

/** What stands where no entry matches: secrets are still refused, nothing is protected. */
export const UNMATCHED_POLICY: PushPolicy = {
  repositories: ["**"],
  secrets: "reject",
  knownSecrets: "observe",
  allowComments: "hold",
  secretsHold: null,
  namespaces: DEFAULT_NAMESPACES,
  pushOptions: [],
  protect: [],
  refuse: [],
  pushers: [],
  paths: [],
  commits: NO_COMMIT_RULES,
  files: NO_FILE_RULES,
  limits: USUAL_LIMITS,
  observe: [],
};

const secretsModeSchema = z.enum(["reject", "hold", "observe"]);

const secretsFields = z.strictObject({
  mode: secretsModeSchema.default("reject").describe("Default reject."),
  allowComments: z
    .enum(["hold", "pass", "ignore"])
    .default("hold")
    .describe("What sallyport:allow or gitleaks:allow on a secret's line means. Default hold."),
  ...approvalFields,
});

const secretsSchema = z.union([secretsModeSchema.transform((mode) => secretsFields.parse({ mode })), secretsFields], {
  error: "expected reject, hold, observe, or a mapping as in { mode: reject, approvers: [security] }",
});

const protectSchema = z.strictObject({ refs: refGlobsSchema, ...approvalFields });

const pushersSchema = z.strictObject({
  refs: refGlobsSchema,
  allow: z
    .array(personNameSchema)
    .describe('Who may create, move and delete them: group names, user:EMAIL, or "*". Empty: nobody.'),
});

const pathsSchema = z.strictObject({
  paths: z
    .array(pathGlobSchema)
    .min(1, { error: "name at least one path" })
    .describe("Globs over paths in the repository. Case counts."),
  refs: refGlobsSchema.optional().describe("Globs over full ref names. Absent: every ref."),
  ...approvalFields,
});

/**
 * One entry of `pushes:`.
 * @param pattern a pattern that runs in linear time: compiled by the configuration, which knows the syntax
 */
export const createPushPolicySchema = (pattern: z.ZodType<LinearPattern, string>) =>
  z
    .strictObject({
      repositories: z
        .array(repositoryGlobSchema)
        .min(1, { error: "name at least one repository" })
        .describe("Globs over <connection>/<path>; the first entry that matches decides. Case does not count."),
      secrets: secretsSchema.prefault("reject").describe("What happens to a push that holds a secret. Default reject."),
      knownSecrets: secretsModeSchema
        .default("observe")
        .describe("The same for secrets that stood in the same file upstream before. Default observe."),
      namespaces: z.array(refGlobSchema).default(DEFAULT_NAMESPACES).describe("Refs outside are refused."),
      pushOptions: z
        .array(z.string().min(1))
        .default([])
        .describe('Options let through: exact, or a prefix where it ends in *. "*" is all. Default none.'),
      protect: z.array(protectSchema).default([]).describe("Refs that move only with approval."),
      refuse: z
        .array(z.enum(["force-push", "delete", "create"]))
        .default(["force-push", "delete"])
        .describe("Never let through on protected refs. Default force-push and delete."),
      pushers: z
        .array(pushersSchema)
        .default([])
        .describe("Refs that only some may push to; whoever one of the matching rules names. Others are free."),
      paths: z
        .array(pathsSchema)
        .default([])
        .describe("Paths that change only with approval; every rule that matches is asked."),
      commits: createCommitsSchema(pattern).optional().describe("What every commit has to be like."),
      files: filesSchema.optional().describe("What files may be like."),
      limits: limitsSchema.optional().describe("What one push may cost."),
      observe: z
        .array(z.enum(CHECK_NAMES))
        .default([])
        .describe("Dry run: what these checks say is recorded and told, and stops nothing."),
      ...approvalFields,
    })
    .transform((entry, context): PushPolicy => {
      const mistakeAt =
        (...at: (string | number)[]): Mistake =>
        (path, message) =>
          context.addIssue({ code: "custom", path: [...at, ...path], message });
      const { mode, allowComments, ...ofSecrets } = entry.secrets;
      const protect = entry.protect.map((rule, index) => ({
        refs: rule.refs,
        ...requirementOf(rule, entry, mistakeAt("protect", index)),
      }));
      const paths = entry.paths.map((rule, index) => ({
        paths: rule.paths,
        refs: rule.refs ?? null,
        ...requirementOf(rule, entry, mistakeAt("paths", index)),
      }));
      const isAsked = mode === "hold" || entry.knownSecrets === "hold";
      const isNamed = (ofSecrets.approvers ?? entry.approvers) !== undefined;
      return {
        repositories: entry.repositories,
        secrets: mode,
        knownSecrets: entry.knownSecrets,
        allowComments,
        secretsHold:
          isAsked || (allowComments === "hold" && isNamed)
            ? requirementOf(ofSecrets, entry, mistakeAt(...(ofSecrets.approvers === undefined ? [] : ["secrets"])))
            : allowComments === "hold"
              ? togetherOf([...protect, ...paths])
              : null,
        namespaces: entry.namespaces,
        pushOptions: entry.pushOptions,
        protect,
        refuse: entry.refuse,
        pushers: entry.pushers,
        paths,
        commits: entry.commits === undefined ? NO_COMMIT_RULES : commitRulesOf(entry.commits, mistakeAt("commits")),
        files: entry.files ?? NO_FILE_RULES,
        limits: entry.limits ?? USUAL_LIMITS,
        observe: entry.observe,
      };
    });
