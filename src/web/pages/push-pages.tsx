/** Pushes: the list, and one with everything that the gateway saw of it. */
import type { PushDetail, PushRecord } from "../../store/push-queries.ts";
import { CommitList, type CommitLinksOf } from "./commit-list.tsx";
import { Diff } from "./diff.tsx";
import { Layout, type Shell } from "./layout.tsx";
import { ListPage, type ListProps } from "./list-page.tsx";
import { Badge, Facts, FindingsTable, RefName, RefsTable, Time, Who } from "./parts.tsx";

const kibibytes = (bytes: number): string => {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
};

/** @param now Given: the brief form, for the overview */
export const PushesTable = ({ pushes, now }: { pushes: readonly PushRecord[]; now?: Date }) => (
  <div class="sheet">
    {pushes.length === 0 ? (
      <div class="empty">No pushes.</div>
    ) : (
      <table class="rows">
        <thead>
          <tr>
            <th>Push</th>
            {now === undefined && <th>Who</th>}
            {now === undefined && <th>Commits</th>}
            {now === undefined && <th>Findings</th>}
            <th>Status</th>
            <th class="tight">Received</th>
          </tr>
        </thead>
        <tbody>
          {pushes.map((push) => (
            <tr>
              <td>
                <a href={`/pushes/${push.id}`}>{push.repository}</a>
                <div>
                  {push.refs.slice(0, 3).map((ref) => (
                    <>
                      <RefName name={ref.ref} />{" "}
                    </>
                  ))}
                  {push.refs.length > 3 && <span class="soft">and {push.refs.length - 3} more</span>}
                  {now !== undefined && (
                    <span class="soft">
                      by <Who name={push.pusher} kind={push.pusherKind} />
                    </span>
                  )}
                </div>
              </td>
              {now === undefined && (
                <td>
                  <Who name={push.pusher} kind={push.pusherKind} />
                </td>
              )}
              {now === undefined && <td class="tight">{push.commitCount}</td>}
              {now === undefined && <td class="tight">{push.findingCount}</td>}
              <td class="tight">
                <Badge status={push.status} />
              </td>
              <td class="tight">
                <Time at={push.receivedAt} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    )}
  </div>
);

export const PushesPage = (props: ListProps<PushRecord>) => (
  <ListPage title="Pushes" {...props}>
    <PushesTable pushes={props.items} />
  </ListPage>
);

export const PushPage = ({ shell, push, links }: { shell: Shell; push: PushDetail; links: CommitLinksOf }) => (
  <Layout title={`Push to ${push.repository}`} shell={shell}>
    <h1>
      Push to {push.repository}
      <Badge status={push.status} />
    </h1>
    {push.error !== null && <div class="note warn">{push.error}</div>}
    <Facts
      facts={[
        ["Who", <Who name={push.pusher} kind={push.pusherKind} />],
        ["Received", <Time at={push.receivedAt} />],
        ["Finished", push.finishedAt === null ? null : <Time at={push.finishedAt} />],
        [
          "Approval",
          push.approval === null ? null : (
            <>
              <a href={`/approvals/${push.approval.id}`}>{push.approval.id}</a> <Badge status={push.approval.status} />
            </>
          ),
        ],
        [
          "Came with",
          push.parts.length === 0 ? null : (
            <>
              {push.parts.map((part) => (
                <>
                  <a href={`/pushes/${part.id}`}>{part.id}</a> <Badge status={part.status} />{" "}
                </>
              ))}
            </>
          ),
        ],
        ["Client", push.userAgent],
        ["Pack", kibibytes(push.packBytes)],
        ["Push options", push.pushOptions.length === 0 ? null : <code>{push.pushOptions.join(" ")}</code>],
      ]}
    />
    <h2>Refs</h2>
    <RefsTable refs={push.refs} />
    {push.findings.length > 0 && (
      <>
        <h2>Findings</h2>
        <FindingsTable findings={push.findings} total={push.findingCount} />
      </>
    )}
    <h2>Commits</h2>
    <CommitList commits={push.commits} total={push.commitCount} repository={push.repository} links={links} />
    {push.diffs.map((diff) => (
      <Diff diff={diff} />
    ))}
  </Layout>
);
