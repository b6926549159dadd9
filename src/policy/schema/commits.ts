/** What an operator may ask of commits: `commits:` of an entry. */
import { z } from "zod";
import type { AllowedSigner } from "../../model/allowed-signer.ts";
import type { LinearPattern } from "../linear-pattern.ts";
import { personNameSchema, type Mistake } from "./approval.ts";

export interface CommitRules {
  /** The author's address has to be the pusher's own, or a bot's. */
  readonly author: boolean;
  /** The same for the committer's. */
  readonly committer: boolean;
  /** Addresses that may stand in anybody's commits. */
  readonly bots: readonly string[];
  /** Who may push commits of other people: group names, `user:EMAIL`, `*`. */
  readonly others: readonly string[];
  /** What every message has to match; null: nothing. */
  readonly message: LinearPattern | null;
  /** What no message may match; null: nothing. */
  readonly forbidMessage: LinearPattern | null;
  /** Whether every commit has to be signed by one of {@link signers}. */
  readonly signed: boolean;
  /** The file that names them, as configured. */
  readonly signersFile: string | null;
  /** What the file says; empty until it is read (`config/signers.ts`), so that nobody's signature counts. */
  readonly signers: readonly AllowedSigner[];
}

export const NO_COMMIT_RULES: CommitRules = {
  author: false,
  committer: false,
  bots: [],
  others: [],
  message: null,
  forbidMessage: null,
  signed: false,
  signersFile: null,
  signers: [],
};

const verifiedSchema = z.literal("verified").optional();

/** @param pattern a pattern that runs in linear time: compiled by the configuration, which knows the syntax */
export const createCommitsSchema = (pattern: z.ZodType<LinearPattern, string>) =>
  z.strictObject({
    author: verifiedSchema.describe("verified: the author's address is the pusher's own, or one of bots."),
    committer: verifiedSchema.describe("verified: the committer's address is the pusher's own, or one of bots."),
    bots: z
      .array(z.string().regex(/^[^\s@<>]+@[^\s@<>]+$/, { error: "expected an e-mail address, as in ci@example.com" }))
      .default([])
      .describe("E-mail addresses that may stand in anybody's commits."),
    others: z
      .array(personNameSchema)
      .default([])
      .describe('Who may push new commits of other people: group names, user:EMAIL, or "*". Default nobody.'),
    message: pattern.optional().describe("RE2: every message has to match it somewhere. ^ and $ are its ends."),
    forbidMessage: pattern.optional().describe("RE2: no message may match it anywhere."),
    signed: z.boolean().default(false).describe("Every commit has to be signed by one of signers."),
    signers: z
      .string()
      .min(1, { error: "expected the path of a file, relative to this one" })
      .optional()
      .describe("A file in OpenSSH's allowed_signers form, relative to this one."),
  });

type CommitsInput = z.output<ReturnType<typeof createCommitsSchema>>;

export function commitRulesOf(input: CommitsInput, mistake: Mistake): CommitRules {
  const { author, committer, bots, others, message, forbidMessage, signed, signers } = input;
  const identity = author !== undefined || committer !== undefined;
  if (!identity && (bots.length > 0 || others.length > 0)) {
    const [key, name] = bots.length > 0 ? ["bots", "bots"] : ["others", "others"];
    mistake([key], `${name} says nothing without author: verified or committer: verified beside it`);
  }
  if (signed && signers === undefined) {
    mistake([], "signed: true needs signers: the file that says whose keys count");
  }
  if (!signed && signers !== undefined) mistake(["signers"], "signers says nothing without signed: true beside it");
  return {
    author: author !== undefined,
    committer: committer !== undefined,
    bots,
    others,
    message: message ?? null,
    forbidMessage: forbidMessage ?? null,
    signed,
    signersFile: signers ?? null,
    signers: [],
  };
}
