/** The allowlists of a gitleaks configuration: of a rule, and of the whole file. Source: https://github.com/gitleaks/gitleaks#configuration */
import type { TomlTable } from "smol-toml";
import { parseRegex } from "./regex-syntax.ts";
import type { Allowlist } from "./rule.ts";
import { stringsIn } from "./toml-file.ts";

export const ALLOWLIST_KEYS = [
  "description",
  "condition",
  "commits",
  "paths",
  "regexes",
  "regexTarget",
  "stopwords",
  "targetRules",
];

/** An allowlist, and the rules that it is for; null: all. */
export interface TargetedAllowlist extends Allowlist {
  readonly targets: readonly string[] | null;
}

/** Of a key of the table; null: of the table itself. */
type Tell = (key: string | null, message: string) => void;

/**
 * @param wrong told what makes the file unusable
 * @param note told what it asks for and does not get
 * @returns none, one, or two that are the same together
 */
export function readAllowlist(table: TomlTable, wrong: Tell, note: Tell): TargetedAllowlist[] {
  if (stringsIn(table["commits"]).length > 0)
    note("commits", "`commits` of an allowlist is not supported: nothing is allowed by its commit");
  const patterns = (key: string): readonly string[] => {
    for (const pattern of stringsIn(table[key])) {
      const parsed = parseRegex(pattern);
      if (!parsed.ok) wrong(key, `a pattern of \`${key}\` ${parsed.error}`);
    }
    return stringsIn(table[key]);
  };
  const target = table["regexTarget"] ?? "secret";
  if (target !== "secret" && target !== "match" && target !== "line" && target !== "")
    wrong("regexTarget", "`regexTarget` is match or line");
  const condition = table["condition"];
  const all = typeof condition === "string" && /^(?:and|&&)$/i.test(condition);
  if (condition !== undefined && !all && !(typeof condition === "string" && /^(?:or|\|\||)$/i.test(condition)))
    wrong("condition", "`condition` is AND or OR");
  const targets = stringsIn(table["targetRules"]);
  const list: TargetedAllowlist = {
    on: target === "match" || target === "line" ? target : "secret",
    condition: all ? "all" : "any",
    regexes: patterns("regexes"),
    paths: patterns("paths"),
    stopWords: stringsIn(table["stopwords"]),
    targets: targets.length === 0 ? null : targets,
  };
  // Stop words look at the secret whatever `regexTarget` says: the words of a thousand names are among them.
  if (list.on === "secret" || list.stopWords.length === 0) return [list];
  if (list.regexes.length === 0) return [{ ...list, on: "secret" }];
  if (!all)
    return [
      { ...list, stopWords: [] },
      { ...list, on: "secret", regexes: [], paths: [] },
    ];
  note(
    null,
    "an allowlist with `condition` AND, `regexTarget` and `stopwords` at once is not supported: it allows nothing",
  );
  return [];
}
