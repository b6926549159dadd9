/**
 * What the person who pushes reads in the terminal. Plain lines, no secret, names from outside escaped: git prints each behind
 * `remote: `, and cuts nothing.
 */
import type { Finding } from "../../model/finding.ts";
import { escapeLine } from "../../model/printable.ts";
import type { RefVerdict } from "../../model/verdict.ts";

/** More findings than this are counted, not listed: the page has them all. */
const LISTED_FINDINGS = 20;
/** Of what an operating system opens (Linux, PATH_MAX). */
const LONGEST_PATH = 4096;

const shortOid = (oid: string | null): string => (oid === null ? "" : oid.slice(0, 10));

/** Where a finding stands, as `file:line:column` where it has a file, so that terminals make it a link. */
function renderPlace(finding: Finding): string {
  // Whole: a place that is cut leads nowhere.
  const path = escapeLine(finding.path ?? "", LONGEST_PATH);
  switch (finding.source) {
    case "file":
      return `${path}:${finding.line}:${finding.column}`;
    case "path":
      return `the file name ${path}`;
    case "commit-message":
      return `the message of commit ${shortOid(finding.oid)}, line ${finding.line}`;
    case "commit-identity":
      return `the author or committer of commit ${shortOid(finding.oid)}`;
    case "tag-message":
      return `the message of tag object ${shortOid(finding.oid)}, line ${finding.line}`;
    case "tag-identity":
      return `the tagger of tag object ${shortOid(finding.oid)}`;
    case "ref-name":
      return "the name of a ref";
    case "push-option":
      return "a push option";
    case "push-certificate":
      return `the push certificate, line ${finding.line}`;
  }
}

const renderFinding = (finding: Finding): string => {
  const commit = finding.source === "file" || finding.source === "path" ? ` (commit ${shortOid(finding.oid)})` : "";
  return `  ${renderPlace(finding)}  ${finding.rule}: ${escapeLine(finding.description)}${commit}${renderExcuse(finding)}`;
};

/** What speaks for it: the operator's word before that of whoever wrote the line. */
function renderExcuse({ allowed, baseline }: Finding): string {
  if (baseline !== null) return `; accepted: ${escapeLine(baseline.reason, 200)}`;
  if (allowed === null) return "";
  return `; ${allowed.by}${allowed.reason === "" ? ", no reason given" : `: ${escapeLine(allowed.reason, 200)}`}`;
}

/** The findings of one severity, the first {@link LISTED_FINDINGS} of them line by line. */
function renderFindings(findings: readonly Finding[]): string[] {
  const lines = findings.slice(0, LISTED_FINDINGS).map(renderFinding);
  if (findings.length > LISTED_FINDINGS) lines.push(`  … and ${findings.length - LISTED_FINDINGS} more`);
  return lines;
}

/** It refuses the push, where policy says so. */
const isFresh = ({ severity, known, baseline }: Finding): boolean =>
  severity === "block" && !known && baseline === null;

export function renderRejection(push: {
  readonly url: string;
  readonly refs: readonly RefVerdict[];
  readonly findings: readonly Finding[];
  /** Whether it is all of what was pushed. */
  readonly isWhole: boolean;
}): string[] {
  const blocking = push.findings.filter(isFresh);
  const what = push.isWhole ? "this push; nothing has" : "a part of this push; nothing of it has";
  const lines = ["", `Sallyport refused ${what} reached the upstream.`];
  for (const { update, opinion } of push.refs) {
    if (opinion.kind === "reject") lines.push(`  ${escapeLine(update.ref)}: ${escapeLine(opinion.reason)}`);
  }
  if (blocking.length > 0) {
    lines.push(
      "",
      blocking.length === 1 ? "One secret was found:" : `${blocking.length} secrets were found:`,
      ...renderFindings(blocking),
      "",
      "Revoke what is real: it has left your machine. Then take it out of every commit that has it (git rebase -i,",
      "or git commit --amend if it is the last one) and push again. What is no secret, the gateway's operator can accept:",
      `sallyport baseline add --push ${push.url.slice(push.url.lastIndexOf("/") + 1)} --reason …`,
    );
  }
  lines.push(`Details: ${push.url}`, "");
  return lines;
}

/** What does not stop a push: it may be a secret, it stood there before, or its check is only observed. */
export function renderWarnings(push: {
  readonly findings: readonly Finding[];
  readonly refs: readonly RefVerdict[];
}): string[] {
  const lines: string[] = [];
  const known = push.findings.filter((finding) => finding.known);
  const accepted = push.findings.filter(({ known, baseline }) => !known && baseline !== null);
  const allowed = push.findings.filter((finding) => isFresh(finding) && finding.allowed !== null);
  // What is delivered and would refuse the push: policy only observes it.
  const passed = push.findings.filter((finding) => isFresh(finding) && finding.allowed === null);
  // Whoever wrote the line knows already.
  const warnings = push.findings.filter(
    ({ severity, known, allowed, baseline }) => severity === "warn" && !known && allowed === null && baseline === null,
  );
  const observed = push.refs.flatMap(({ update, observed: opinions = [] }) =>
    opinions.map(({ opinion: { kind, reason } }) => {
      const would = kind === "reject" ? "refused" : "held";
      return `  ${escapeLine(update.ref)}: would be ${would}: ${escapeLine(reason)}`;
    }),
  );
  if (warnings.length > 0) {
    lines.push(
      "",
      "Sallyport noticed what may be a secret (this does not stop the push):",
      ...renderFindings(warnings),
    );
  }
  if (passed.length > 0) {
    lines.push(
      "",
      "Sallyport found secrets, and policy lets them pass: they are upstream now. Revoke what is real:",
      ...renderFindings(passed),
    );
  }
  if (known.length > 0) {
    lines.push("", "These secrets were upstream before this push; revoke what is real:", ...renderFindings(known));
  }
  if (allowed.length > 0)
    lines.push("", "These secrets stand under a comment that allows them:", ...renderFindings(allowed));
  if (accepted.length > 0)
    lines.push("", "These were accepted before (the gateway's baseline):", ...renderFindings(accepted));
  if (observed.length > 0) lines.push("", "Checks that only observe (nothing is stopped by them):", ...observed);
  return lines.length === 0 ? [] : [...lines, ""];
}

export function renderHold(hold: {
  readonly repository: string;
  readonly url: string;
  readonly refs: readonly RefVerdict[];
  readonly findings: readonly Finding[];
  readonly waitMs: number;
  readonly isWhole: boolean;
}): string[] {
  const what = hold.isWhole ? "this push" : "a part of this push";
  const lines = ["", `Sallyport holds ${what} to ${escapeLine(hold.repository)} until it is approved.`];
  for (const { update, opinion } of hold.refs) {
    if (opinion.kind === "hold") lines.push(`  ${escapeLine(update.ref)}: ${escapeLine(opinion.reason)}`);
  }
  const secrets = hold.findings.filter(isFresh);
  if (secrets.length > 0) lines.push("", "Whoever approves it will see these secrets:", ...renderFindings(secrets), "");
  lines.push(`Approve it here: ${hold.url}`);
  if (hold.waitMs > 0) {
    lines.push(`Waiting for up to ${Math.round(hold.waitMs / 1000)} s. You may stop git: the push stays held.`);
  }
  lines.push("");
  return lines;
}

export const renderWaiting = (elapsedMs: number, waitMs: number): string =>
  `Waiting for approval (${Math.round(elapsedMs / 1000)} s of ${Math.round(waitMs / 1000)} s)`;
