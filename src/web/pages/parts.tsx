/** Small pieces that several pages show. */
import type { Child } from "hono/jsx";
import { isZeroOid } from "../../model/ref-update.ts";
import type { FindingRecord, PushRefRecord } from "../../store/push-queries.ts";

export const shortOid = (oid: string): string => oid.slice(0, 10);

const utc = (at: Date): string => `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;

/** With `now`: how long ago; the time itself on hover. */
export const Time = ({ at, now }: { at: Date; now?: Date | undefined }) => (
  <time datetime={at.toISOString()} title={at.toISOString()}>
    {now === undefined ? utc(at) : relativeTime(at, now)}
  </time>
);

/** "in 3 hours", "5 minutes ago" */
export function relativeTime(at: Date, now: Date): string {
  const minutes = Math.round((at.getTime() - now.getTime()) / 60_000);
  const size = Math.abs(minutes);
  const format = new Intl.RelativeTimeFormat("en", { numeric: "always" });
  if (size < 1) return "now";
  if (size < 90) return format.format(minutes, "minute");
  if (size < 48 * 60) return format.format(Math.round(minutes / 60), "hour");
  return format.format(Math.round(minutes / 1_440), "day");
}

/** "820 ms", "4.2 s", "3 min", "2.5 h" */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 90 * 60_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}

/** "950", "12.4k", "3.1M" */
export function tokens(count: number): string {
  if (count < 1_000) return String(count);
  return count < 1_000_000 ? `${(count / 1_000).toFixed(1)}k` : `${(count / 1_000_000).toFixed(1)}M`;
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** Who did something; what is software is told apart everywhere. */
export const Who = ({ name, kind }: { name: string; kind: "person" | "service" }) => (
  <>
    {name}
    {kind === "service" && <span class="soft"> (service)</span>}
  </>
);

type Tone = "good" | "bad" | "warn" | "busy" | "";

const TONES: Readonly<Record<string, Tone>> = {
  pending: "warn",
  held: "warn",
  hold: "warn",
  warn: "warn",
  approved: "good",
  consumed: "good",
  delivered: "good",
  complete: "good",
  allow: "good",
  approve: "good",
  ok: "good",
  denied: "bad",
  deny: "bad",
  rejected: "bad",
  reject: "bad",
  refused: "bad",
  block: "bad",
  undelivered: "bad",
  upstream_failed: "bad",
  truncated: "warn",
  indeterminate: "warn",
  expired: "warn",
  delivering: "busy",
  open: "busy",
  ai: "busy",
  ai_modified: "warn",
};

/** What a status is called where people read it. */
export const WORDS: Readonly<Record<string, string>> = {
  // Whether its delivery went well is said by the push.
  consumed: "approved",
  client_gone: "client left",
  upstream_failed: "upstream failed",
  ai_modified: "AI, edited",
  ai: "AI",
  hold: "held",
  allow: "allowed",
  reject: "rejected",
  approve: "approved",
  deny: "denied",
};

/** @param count Given: how many are so */
export const Badge = ({ status, count }: { status: string; count?: number }) => (
  <span class={`badge ${TONES[status] ?? ""}`.trimEnd()}>
    {count !== undefined && `${count} `}
    {WORDS[status] ?? status}
  </span>
);

const Oid = ({ oid }: { oid: string }) => <code title={oid}>{isZeroOid(oid) ? "nothing" : shortOid(oid)}</code>;

export const CommitLink = ({ sha, repository }: { sha: string; repository: string }) => (
  <a href={`/commits/${sha}?repository=${encodeURIComponent(repository)}`}>
    <code title={sha}>{shortOid(sha)}</code>
  </a>
);

/** `refs/heads/main`, shown as people say it, whole on hover. */
export const RefName = ({ name }: { name: string }) => (
  <code title={name}>{name.replace(/^refs\/(heads|tags)\//, "")}</code>
);

const change = (ref: PushRefRecord): string => {
  if (isZeroOid(ref.newOid)) return "delete";
  if (isZeroOid(ref.oldOid)) return "create";
  return ref.forced ? "force" : "update";
};

/** Where a push wants to move what. */
export const RefsTable = ({ refs }: { refs: readonly PushRefRecord[] }) => (
  <div class="sheet">
    <table class="rows">
      <thead>
        <tr>
          <th>Ref</th>
          <th>Change</th>
          <th>From</th>
          <th>To</th>
          <th>Verdict</th>
          <th>Upstream said</th>
        </tr>
      </thead>
      <tbody>
        {refs.map((ref) => (
          <tr>
            <td data-label="Ref">
              <code>{ref.ref}</code>
            </td>
            <td class="tight" data-label="Change">
              {change(ref) === "force" || change(ref) === "delete" ? (
                <span class="badge bad">{change(ref)}</span>
              ) : (
                change(ref)
              )}
            </td>
            <td class="tight" data-label="From">
              <Oid oid={ref.oldOid} />
            </td>
            <td class="tight" data-label="To">
              <Oid oid={ref.newOid} />
            </td>
            <td data-label="Verdict">
              <Badge status={ref.verdict} />
              {ref.reason !== null && <div class="soft">{ref.reason}</div>}
              {ref.observed.map(({ check, verdict, reason }) => (
                <div class="soft">
                  only observed: {check} would {verdict}: {reason}
                </div>
              ))}
            </td>
            <td data-label="Upstream said">{ref.upstreamStatus ?? <span class="soft">–</span>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);

const place = (finding: FindingRecord): string => {
  const where = finding.path ?? finding.source.replaceAll("-", " ");
  return `${where}:${finding.line}:${finding.column}`;
};

export const FindingsTable = ({ findings, total }: { findings: readonly FindingRecord[]; total: number }) => (
  <div class="sheet">
    <table class="rows">
      <thead>
        <tr>
          <th>Severity</th>
          <th>Rule</th>
          <th>Place</th>
          <th>Commit</th>
          <th>Fingerprint</th>
        </tr>
      </thead>
      <tbody>
        {findings.map((finding) => (
          <tr>
            <td class="tight" data-label="Severity">
              <Badge status={finding.severity} />
              {finding.known && <div class="soft">known before</div>}
            </td>
            <td data-label="Rule">
              <code>{finding.rule}</code>
              <div class="soft">{finding.description}</div>
              {finding.allowed !== null && (
                <div>
                  {finding.allowed.by}: {finding.allowed.reason === "" ? "no reason given" : finding.allowed.reason}
                </div>
              )}
              {finding.baseline !== null && <div class="soft">accepted before: {finding.baseline.reason}</div>}
            </td>
            <td data-label="Place">
              <code>{place(finding)}</code>
            </td>
            <td class="tight" data-label="Commit">
              {finding.oid !== null && <Oid oid={finding.oid} />}
            </td>
            <td class="tight">
              <code>{finding.fingerprint}</code>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
    {total > findings.length && <p class="empty">… and {total - findings.length} more</p>}
  </div>
);

interface FactsProps {
  readonly facts: readonly (readonly [label: string, value: Child])[];
}

/** Labelled facts; an entry whose value is null is left out. */
export const FactList = ({ facts }: FactsProps) => (
  <dl class="facts">
    {facts
      .filter(([, value]) => value !== null)
      .map(([label, value]) => (
        <>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </>
      ))}
  </dl>
);

export const Facts = ({ facts }: FactsProps) => (
  <div class="sheet pad">
    <FactList facts={facts} />
  </div>
);
