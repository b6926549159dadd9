/** What stands beside a replay: the commits that came of the session, what its tools reached for, and the secrets masked in it. */
import type { MaskToken } from "../../model/mask-token.ts";
import type { LinkedCommit } from "../../store/session-views.ts";
import { MaskedPlain, maskSearch, seenAgain, type Sightings } from "./masked.tsx";
import { Badge, percent, shortOid } from "./parts.tsx";

/** What the session's tools reached for. */
export interface Touched {
  readonly paths: readonly string[];
  readonly services: readonly string[];
  readonly commands: number;
}

export const Commits = ({ commits, hidden }: { commits: readonly LinkedCommit[]; hidden: number }) => (
  <section id="commits" class="card">
    <h2>What came of it</h2>
    {commits.length === 0 && hidden === 0 && <p class="soft">No pushed commit is linked to this session.</p>}
    <ul class="plain">
      {commits.map((commit) => (
        <li>
          <a href={`/commits/${commit.sha}?repository=${encodeURIComponent(commit.repository)}`}>
            <MaskedPlain text={commit.subject === "" ? "(no message)" : commit.subject} />
          </a>
          <p class="line">
            <code>{shortOid(commit.sha)}</code>
            <span>{commit.repository}</span>
            <span title={commit.reason === "trailer" ? "The commit names this session" : "Its lines match"}>
              {percent(commit.confidence)} {commit.reason === "trailer" ? "by trailer" : "by content"}
            </span>
          </p>
          <p class="line">
            <a href={`/pushes/${commit.pushId}`}>its push</a> <Badge status={commit.pushStatus} />
          </p>
        </li>
      ))}
    </ul>
    {hidden > 0 && <p class="soft">{hidden} more in repositories that are not yours to read.</p>}
  </section>
);

const MAX_LISTED = 12;

export const TouchedCard = ({ touched }: { touched: Touched }) => {
  const { paths, services, commands } = touched;
  if (paths.length === 0 && services.length === 0 && commands === 0) return null;
  return (
    <section class="card">
      <h2>Touched</h2>
      {services.length > 0 && (
        <p class="line">
          {services.slice(0, MAX_LISTED).map((service) => (
            <span class="badge">{service}</span>
          ))}
        </p>
      )}
      {paths.length > 0 && (
        <ul class="plain paths">
          {paths.slice(0, MAX_LISTED).map((path) => (
            <li>
              <code>{path}</code>
            </li>
          ))}
          {paths.length > MAX_LISTED && <li class="soft">and {paths.length - MAX_LISTED} more files</li>}
        </ul>
      )}
      {commands > 0 && (
        <p class="soft">
          {commands} {commands === 1 ? "command" : "commands"}
        </p>
      )}
    </section>
  );
};

export const Secrets = ({ secrets, sightings }: { secrets: readonly MaskToken[]; sightings: Sightings }) =>
  secrets.length === 0 ? null : (
    <section class="card">
      <h2>Masked secrets</h2>
      <ul class="plain">
        {secrets.slice(0, MAX_LISTED).map((token) => (
          <li>
            <a class="mask" href={maskSearch(token)}>
              {token.kind}
              <span class="print">{token.fingerprint}</span>
            </a>
            <p class="line">{seenAgain(sightings.get(token.fingerprint)) ?? "seen nowhere else"}</p>
          </li>
        ))}
      </ul>
      {secrets.length > MAX_LISTED && <p class="soft">and {secrets.length - MAX_LISTED} more</p>}
    </section>
  );
