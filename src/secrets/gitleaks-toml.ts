/**
 * Rules from a gitleaks configuration (TOML), which many teams own already.
 * Source: https://github.com/gitleaks/gitleaks#configuration
 *
 * Read are `extend` (`path`, `disabledRules`), `rules` with their allowlists and `required` rules, and the allowlists of the whole file, each in
 * the old and the new form. Whatever is not, is told with its line, and nothing of it is guessed. Every rule blocks, but those tagged `warn`
 * and those whose id begins with `generic-`.
 */
import { parse, TomlError, type TomlTable, type TomlValue } from "smol-toml";
import { err, ok, type Result } from "../errors.ts";
import { ALLOWLIST_KEYS, readAllowlist, type TargetedAllowlist } from "./gitleaks-allowlist.ts";
import { parseRegex } from "./regex-syntax.ts";
import { planRule } from "./rule-regex.ts";
import type { RequiredRule, Rule, RuleMistake } from "./rule.ts";
import { isNumber, isString, isTable, stringsIn, tablesIn, TomlPlaces } from "./toml-file.ts";

export interface GitleaksRules {
  readonly rules: readonly Rule[];
  /** What the file asks for and does not get. */
  readonly notes: readonly RuleMistake[];
}

/** @returns the path of the file that this one extends, as it stands there, or null. */
export function findExtendedPath(text: string): string | null {
  try {
    const { extend } = parse(text);
    const path = isTable(extend) ? extend["path"] : undefined;
    return typeof path === "string" && path !== "" ? path : null;
  } catch {
    return null;
  }
}

/** @param base the rules of the file that this one extends. @returns the rules, or all mistakes by line. */
export function parseGitleaks(text: string, base: GitleaksRules | null): Result<GitleaksRules, RuleMistake[]> {
  let file: TomlTable;
  try {
    file = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return err([{ line: error.line, rule: null, message: `not TOML: ${error.message.split("\n")[0]!}` }]);
  }
  return new GitleaksReader(text, file, base).read();
}

const fileKeys = ["title", "description", "minVersion", "extend", "rules", "allowlist", "allowlists"];
const extendKeys = ["useDefault", "path", "disabledRules"];
const ruleKeys = [
  "id",
  "description",
  "regex",
  "path",
  "entropy",
  "secretGroup",
  "keywords",
  "tags",
  "allowlist",
  "allowlists",
  "required",
  "skipReport",
];
const requiredKeys = ["id", "withinLines", "withinColumns"];
class GitleaksReader {
  private readonly mistakes: RuleMistake[] = [];
  private readonly notes: RuleMistake[] = [];
  private readonly places: TomlPlaces;
  private readonly file: TomlTable;
  private readonly base: GitleaksRules | null;

  constructor(text: string, file: TomlTable, base: GitleaksRules | null) {
    this.places = new TomlPlaces(text);
    this.file = file;
    this.base = base;
  }

  read(): Result<GitleaksRules, RuleMistake[]> {
    const { file } = this;
    this.tellUnknown(file, fileKeys, 1, null);
    const disabled = this.readExtend();
    const rules = new Map(
      (this.base?.rules ?? []).filter(({ id }) => !disabled.includes(id)).map((rule) => [rule.id, rule]),
    );
    const own = new Set<string>();
    for (const [index, table] of tablesIn(file["rules"]).entries()) {
      const line = this.places.ofTable("rules", index);
      const id = table["id"];
      if (typeof id !== "string" || !/^[\w.-]{1,64}$/.test(id)) {
        const message = "expected an `id` of letters, digits, `_`, `.` and `-`, 64 at most";
        this.mistakes.push({ line, rule: null, message });
        continue;
      }
      if (own.has(id)) this.mistakes.push({ line, rule: id, message: "the id is used twice in this file" });
      own.add(id);
      const rule = this.readRule(id, table, line, rules.get(id) ?? null);
      if (rule !== null) rules.set(id, rule);
    }
    const general = [
      ...this.readAllowlists(file["allowlists"], "allowlists", null),
      ...this.readAllowlists(file["allowlist"], "allowlist", null),
    ];
    if (this.mistakes.length > 0) return err(this.mistakes.sort((a, b) => a.line - b.line));
    const ids = new Set(rules.keys());
    for (const { targets } of general) {
      for (const target of targets ?? []) {
        if (!ids.has(target)) this.note(1, target, "`targetRules` names this rule, which is not there");
      }
    }
    return ok({
      notes: [...(this.base?.notes ?? []), ...this.notes],
      rules: [...rules.values()].map((rule) => ({
        ...rule,
        allow: [
          ...rule.allow,
          ...general.flatMap(({ targets, ...list }) => (targets?.includes(rule.id) === false ? [] : [list])),
        ],
      })),
    });
  }

  private note(line: number, rule: string | null, message: string): void {
    this.notes.push({ line, rule, message });
  }

  private tellUnknown(table: TomlTable, known: readonly string[], from: number, rule: string | null): void {
    for (const key of Object.keys(table)) {
      if (!known.includes(key)) this.note(this.places.ofKey(key, from), rule, `\`${key}\` is not supported`);
    }
  }

  /** @returns the ids of rules to leave out. */
  private readExtend(): readonly string[] {
    const { extend } = this.file;
    if (!isTable(extend)) return [];
    const line = this.places.ofTable("extend", 0);
    this.tellUnknown(extend, extendKeys, line, null);
    if (extend["useDefault"] === true) {
      this.note(
        this.places.ofKey("useDefault", line),
        null,
        "`extend.useDefault`: gitleaks's own rules are not part of this gateway; list `builtin` in `secrets.rules` for the gateway's, or extend a copy of theirs by `path`",
      );
    }
    const disabled = stringsIn(extend["disabledRules"]);
    const known = new Set(this.base?.rules.map(({ id }) => id));
    for (const id of disabled) {
      if (!known.has(id))
        this.note(this.places.ofKey("disabledRules", line), id, "`disabledRules` names this rule, which is not there");
    }
    return disabled;
  }

  /** What the file does not say about a rule, the one that it extends does. */
  private readRule(id: string, table: TomlTable, line: number, base: Rule | null): Rule | null {
    this.tellUnknown(table, ruleKeys, line, id);
    const wrong = (key: string, message: string): void => {
      this.mistakes.push({ line: this.places.ofKey(key, line), rule: id, message });
    };
    const optional = <T>(
      key: string,
      isRight: (value: TomlValue) => value is TomlValue & T,
      expected: string,
    ): T | null => {
      const value = table[key];
      if (value === undefined) return null;
      if (isRight(value)) return value;
      wrong(key, `\`${key}\` is ${expected}`);
      return null;
    };
    const text = (key: string): string | null => optional(key, isString, "a text");
    const regex = text("regex") ?? base?.regex ?? "";
    const path = text("path") ?? base?.path ?? null;
    if (regex === "") {
      this.note(
        line,
        id,
        "a rule without `regex` judges files by their path alone, which is not supported; use the policy's paths",
      );
      return null;
    }
    const pattern = parseRegex(regex);
    if (!pattern.ok) wrong("regex", `the pattern ${pattern.error}`);
    const pathPattern = parseRegex(path ?? "");
    if (!pathPattern.ok) wrong("path", `the pattern ${pathPattern.error}`);
    const entropy = optional("entropy", isNumber, "a number");
    const group = optional("secretGroup", isNumber, "a number");
    const tags = [...(base?.tags ?? []), ...stringsIn(table["tags"])];
    if (table["skipReport"] === true)
      this.note(
        this.places.ofKey("skipReport", line),
        id,
        "`skipReport` is not supported: what the rule finds is told",
      );
    if (!pattern.ok) return null;
    const keywords = [...(base?.keywords ?? []), ...stringsIn(table["keywords"]).map((word) => word.toLowerCase())];
    // gitleaks's 0 stands for the first group that is not empty.
    const secretGroup = (group ?? 0) > 0 ? group : (base?.secretGroup ?? null);
    return {
      id,
      description: text("description") ?? base?.description ?? id,
      severity: tags.includes("warn") || id.startsWith("generic-") ? "warn" : "block",
      reference: null,
      tags,
      keywords,
      regex,
      secretGroup,
      wordStart: false,
      until: null,
      entropy: entropy ?? base?.entropy ?? 0,
      random: false,
      checksum: null,
      path,
      allow: [
        ...(base?.allow ?? []),
        ...this.readAllowlists(table["allowlists"], "rules.allowlists", { id, line }),
        ...this.readAllowlists(table["allowlist"], "rules.allowlist", { id, line }),
      ],
      required: [...(base?.required ?? []), ...this.readRequired(table, id, line)],
      examples: { match: [], noMatch: [], path: null },
      line,
      plan: planRule(pattern.value, { secretGroup, keywords, path }),
    };
  }

  private readRequired(table: TomlTable, id: string, line: number): RequiredRule[] {
    return tablesIn(table["required"]).flatMap((required) => {
      this.tellUnknown(required, requiredKeys, line, id);
      const rule = required["id"];
      if (typeof rule !== "string") {
        this.mistakes.push({
          line: this.places.ofKey("required", line),
          rule: id,
          message: "a required rule has no `id`",
        });
        return [];
      }
      const number = (key: string): number | null => (isNumber(required[key]) ? required[key] : null);
      return [{ rule, withinLines: number("withinLines"), withinColumns: number("withinColumns") }];
    });
  }

  /** @param owner the rule that they stand in. */
  private readAllowlists(
    value: TomlValue | undefined,
    header: string,
    owner: { readonly id: string; readonly line: number } | null,
  ): TargetedAllowlist[] {
    return (isTable(value) ? [value] : tablesIn(value)).flatMap((table, index) => {
      const line = owner === null ? this.places.ofTable(header, index) : this.places.after(header, owner.line, index);
      const rule = owner?.id ?? null;
      this.tellUnknown(table, ALLOWLIST_KEYS, line, rule);
      const place = (key: string | null): number => (key === null ? line : this.places.ofKey(key, line));
      return readAllowlist(
        table,
        (key, message) => void this.mistakes.push({ line: place(key), rule, message }),
        (key, message) => this.note(place(key), rule, message),
      );
    });
  }
}
