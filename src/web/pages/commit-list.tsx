import type { PushedCommit } from "../../store/push-queries.ts";
import { CommitLink, Time } from "./parts.tsx";

const Head = ({ commit, repository }: { commit: PushedCommit; repository: string }) => {
  const subject = commit.message.split("\n", 1)[0] ?? "";
  return (
    <>
      <CommitLink sha={commit.oid} repository={repository} />
      <strong>{subject === "" ? "(no message)" : subject}</strong>
      <span class="soft" title={commit.authorEmail}>
        {commit.authorName} &lt;{commit.authorEmail}&gt;
        {commit.committerEmail !== commit.authorEmail &&
          ` · committed by ${commit.committerName} <${commit.committerEmail}>`}
      </span>
      <span class="soft">
        <Time at={commit.committedAt} />
      </span>
      {commit.parents.length > 1 && <span class="badge">merge</span>}
    </>
  );
};

/** The commits that a push brings: names and messages are what their author wrote, not who they are. */
export const CommitList = (props: { commits: readonly PushedCommit[]; total: number; repository: string }) => (
  <div class="sheet">
    {props.commits.length === 0 && <div class="empty">No new commits.</div>}
    {props.commits.map((commit) => {
      const body = commit.message.split("\n").slice(1).join("\n").trim();
      return (
        <div class="commit">
          {body === "" ? (
            <div>
              <Head commit={commit} repository={props.repository} />
            </div>
          ) : (
            <details>
              <summary>
                <Head commit={commit} repository={props.repository} />
              </summary>
              <pre>{body}</pre>
            </details>
          )}
        </div>
      );
    })}
    {props.total > props.commits.length && <div class="empty">… and {props.total - props.commits.length} more</div>}
  </div>
);
