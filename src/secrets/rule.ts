/** One secret rule as plain data, whatever file format it was read from. May be sent to a worker thread as it is. */
import type { Severity } from "../model/finding.ts";
import type { ChecksumName } from "./checksum.ts";
import type { Anchor } from "./regex-anchors.ts";

/** What is no secret although the rule matches. */
export interface Allowlist {
  /** What `regexes` and `stopWords` look at; `word` is the match with what of the word that it begins in stands before it. */
  readonly on: "secret" | "match" | "word" | "line";
  /** Of the lists that are not empty: one hit in any of them is enough, or it takes one in each. */
  readonly condition: "any" | "all";
  /** RE2 syntax, searched for. */
  readonly regexes: readonly string[];
  /** In any case. */
  readonly stopWords: readonly string[];
  /** RE2 syntax, searched for in the file's path; never hit where there is no path. */
  readonly paths: readonly string[];
}

/** `letters` asks only of a secret of letters, `_`, `-` and `.` that it read like random characters. */
export type RandomTest = boolean | "letters";

/** Another rule that must find something near, in the same text. */
export interface RequiredRule {
  readonly rule: string;
  /** Lines that may lie between; null: anywhere in the text. */
  readonly withinLines: number | null;
  /** Columns that may lie between the beginnings; null: any. */
  readonly withinColumns: number | null;
}

/** What is known of a rule's pattern before any text is read. Derived once, when the rule is: it takes longer than reading the rule does. */
export interface RulePlan {
  /** Where matches are looked for; null: behind the rule's keywords, or everywhere if it has none. */
  readonly anchors: readonly Anchor[] | null;
  /** As of `RuleRegex`, without what the pattern may begin with and need not. */
  readonly longest: number;
  readonly isProven: boolean;
}

export interface Rule {
  readonly id: string;
  readonly description: string;
  readonly severity: Severity;
  /** The vendor's own description of the format; null in foreign files. */
  readonly reference: string | null;
  readonly tags: readonly string[];
  /** In lower case. If there are any, one must stand in the match or shortly before it. */
  readonly keywords: readonly string[];
  /** RE2 syntax. */
  readonly regex: string;
  /** null: the first group that took part, else the whole match. */
  readonly secretGroup: number | null;
  readonly wordStart: boolean;
  readonly until: string | null;
  /** Shannon entropy that the secret must reach, in bits per character. */
  readonly entropy: number;
  /** Whether what reads like words is no secret. */
  readonly random: RandomTest;
  readonly checksum: ChecksumName | null;
  readonly path: string | null;
  readonly allow: readonly Allowlist[];
  readonly required: readonly RequiredRule[];
  readonly examples: {
    readonly match: readonly string[];
    readonly noMatch: readonly string[];
    readonly path: string | null;
  };
  /** 1-based line in the rule file. */
  readonly line: number;
  readonly plan: RulePlan;
}

export interface RuleMistake {
  /** 1-based line in the rule file. */
  readonly line: number;
  /** The rule's id, where there is one. */
  readonly rule: string | null;
  readonly message: string;
}
