import type { PushedCommit } from "../../store/push-queries.ts";
import { MaskedPlain } from "./masked.tsx";
import { CommitLink, percent, Time } from "./parts.tsx";

/** How surely a commit came from a recorded session, by its id; commits that are linked to none are not in it. */
export type CommitLinksOf = ReadonlyMap<string, number>;

/** Commits are linked once their push was delivered. */
export const UNLINKED: CommitLinksOf = new Map();

const Head = (props: { commit: PushedCommit; repository: string; linked: number | undefined }) => {
  const { commit, repository, linked } = props;
  const subject = commit.message.split("\n", 1)[0] ?? "";
  return (
    <>
      <CommitLink sha={commit.oid} repository={repository} />
      <strong>
        <MaskedPlain text={subject === "" ? "(no message)" : subject} />
      </strong>
      <span class="soft" title={commit.authorEmail}>
        {commit.authorName} &lt;{commit.authorEmail}&gt;
        {commit.committerEmail !== commit.authorEmail &&
          ` · committed by ${commit.committerName} <${commit.committerEmail}>`}
      </span>
      <span class="soft">
        <Time at={commit.committedAt} />
      </span>
      {linked !== undefined && (
        <a
          class="badge busy"
          href={`/commits/${commit.oid}?repository=${encodeURIComponent(repository)}`}
          title="Where its lines came from"
        >
          from a session, {percent(linked)}
        </a>
      )}
      {commit.parents.length > 1 && <span class="badge">merge</span>}
    </>
  );
};

/** The commits that a push brings: names and messages are what their author wrote, not who they are. */
export const CommitList = (props: {
  commits: readonly PushedCommit[];
  total: number;
  repository: string;
  links: CommitLinksOf;
}) => (
  <div class="sheet">
    {props.commits.length === 0 && <div class="empty">No new commits.</div>}
    {props.commits.map((commit) => {
      const body = commit.message.split("\n").slice(1).join("\n").trim();
      return (
        <div class="commit">
          {body === "" ? (
            <div>
              <Head commit={commit} repository={props.repository} linked={props.links.get(commit.oid)} />
            </div>
          ) : (
            <details>
              <summary>
                <Head commit={commit} repository={props.repository} linked={props.links.get(commit.oid)} />
              </summary>
              <pre>
                <MaskedPlain text={body} />
              </pre>
            </details>
          )}
        </div>
      );
    })}
    {props.total > props.commits.length && <div class="empty">… and {props.total - props.commits.length} more</div>}
  </div>
);
