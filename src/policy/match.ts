import { matchesGlob } from "../model/glob.ts";
import { UNMATCHED_POLICY, type ProtectRule, type PushPolicy } from "./schema.ts";

/** What HFS+ passes over in names (Apple TN1150, "Unicode Subtleties"; git's next_hfs_char has the same list). */
const IGNORED_ON_DISK = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

/**
 * Upstreams on disks that ignore case take `refs/heads/MAIN` for `main`, and many hosts take `Team/App` for `team/app`; disks of Macs
 * also pass over characters that nobody sees. A rule that is slipped by writing a name differently would be none. The price is that
 * a rule also covers a namesake. By way of upper case, because such disks do: `maſter` has an S in capitals, and is `master` in
 * small letters.
 */
const fold = (text: string): string =>
  text.replaceAll(IGNORED_ON_DISK, "").normalize("NFC").toUpperCase().toLowerCase();

/** Windows passes over dots at the end of a directory's name: there `release./1` is `release/1`. */
const withoutDots = (text: string): string => text.replace(/(?<=[^./*?])\.+(?=\/)/g, "");

/** Whether any of the globs matches, whatever the case. For rules that restrict, never for ones that let through. */
export function matchesAnyFolded(patterns: readonly string[], text: string): boolean {
  const folded = fold(text);
  const bare = withoutDots(folded);
  return patterns.map(fold).some((pattern) => {
    if (matchesGlob(pattern, folded)) return true;
    const barePattern = withoutDots(pattern);
    return (bare !== folded || barePattern !== pattern) && matchesGlob(barePattern, bare);
  });
}

/** Whether any of the globs matches to the letter. */
export const matchesAny = (patterns: readonly string[], text: string): boolean =>
  patterns.some((pattern) => matchesGlob(pattern, text));

/** The entry that decides about a repository (`<connection>/<path>`): the first that matches. */
export const policyFor = (policies: readonly PushPolicy[], repository: string): PushPolicy =>
  policies.find((policy) => matchesAnyFolded(policy.repositories, repository)) ?? UNMATCHED_POLICY;

/** Every rule that protects the ref: each has approvers of its own, and all must agree. */
export const protectionOf = (policy: PushPolicy, ref: string): readonly ProtectRule[] =>
  policy.protect.filter((rule) => matchesAnyFolded(rule.refs, ref));
