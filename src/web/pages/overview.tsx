import type { Child } from "hono/jsx";
import type { ApprovalRecord } from "../../store/approval-queries.ts";
import type { PushRecord } from "../../store/push-queries.ts";
import type { Activity } from "../../store/session-views.ts";
import { ApprovalsTable } from "./approval-pages.tsx";
import { Layout, type Shell } from "./layout.tsx";
import { Badge } from "./parts.tsx";
import { PushesTable } from "./push-pages.tsx";
import { SessionList, type ListedSession } from "./session-list.tsx";

export const SignInPage = (props: {
  shell: Shell;
  /** Where to go afterwards: a path of this gateway. */
  target: string;
  token: string;
  problem: string | null;
}) => (
  <Layout title="Sign in" shell={props.shell}>
    <div class="narrow">
      <h1>Sign in</h1>
      <p class="soft">With your gateway token, one that is for the API.</p>
      {props.problem !== null && <div class="note bad">{props.problem}</div>}
      <form method="post" action="/sign-in">
        <input type="hidden" name="form" value={props.token} />
        <input type="hidden" name="return" value={props.target} />
        <label>
          Gateway token
          <input name="token" type="password" autocomplete="current-password" required autofocus placeholder="gho_…" />
        </label>
        <div class="actions">
          <button class="main" type="submit">
            Sign in
          </button>
        </div>
      </form>
      <p class="soft">
        None yet? An operator makes one: <code>sallyport token create --user you@example.com</code>
      </p>
    </div>
  </Layout>
);

const Figure = ({ number, word, href, note }: { number: number; word: string; href: string; note: Child }) => (
  <a class="figure" href={href}>
    <strong>{number.toLocaleString("en")}</strong>
    <span>{word}</span>
    {note !== null && <span class="soft">{note}</span>}
  </a>
);

/** @param props.activity of the last 24 hours; of everybody's for auditors, else of one's own */
export const OverviewPage = (props: {
  shell: Shell;
  pending: readonly ApprovalRecord[];
  pushes: readonly PushRecord[];
  sessions: readonly ListedSession[];
  activity: Activity;
  isAuditor: boolean;
  since: string;
}) => {
  const { activity, since } = props;
  return (
    <Layout title="Overview" shell={props.shell}>
      <h1>Overview</h1>
      <section aria-label={props.isAuditor ? "The last 24 hours" : "Your last 24 hours"}>
        <p class="soft">{props.isAuditor ? "Everybody's last 24 hours" : "Your last 24 hours"}</p>
        <div class="figures">
          <Figure
            number={props.pending.length}
            word={props.pending.length === 1 ? "push waits" : "pushes wait"}
            href="/approvals?status=pending"
            note={props.pending.length === 0 ? null : <Badge status="pending" />}
          />
          <Figure
            number={activity.sessions}
            word={activity.sessions === 1 ? "session" : "sessions"}
            href={`/sessions?since=${since}`}
            note={`${activity.exchanges} exchange${activity.exchanges === 1 ? "" : "s"}`}
          />
          <Figure
            number={activity.troubled}
            word="not whole or refused"
            href="/sessions"
            note={activity.troubled === 0 ? null : "exchanges"}
          />
          <Figure
            number={activity.pushes}
            word={activity.pushes === 1 ? "push" : "pushes"}
            href={`/pushes?since=${since}`}
            note={`${activity.delivered} delivered`}
          />
          <Figure
            number={activity.rejected}
            word="rejected"
            href={`/pushes?status=rejected&since=${since}`}
            note={activity.rejected === 0 ? null : "pushes"}
          />
        </div>
      </section>
      <h2>Waiting for approval</h2>
      <ApprovalsTable approvals={props.pending} now={props.shell.now} empty="Nothing waits." />
      <div class="tiles">
        <section>
          <h2>Recent pushes</h2>
          <PushesTable pushes={props.pushes} now={props.shell.now} />
        </section>
        <section>
          <h2>Recent sessions</h2>
          <SessionList sessions={props.sessions} isBrief now={props.shell.now} empty="No sessions." />
        </section>
      </div>
    </Layout>
  );
};

export const MessagePage = (props: { shell: Shell; title: string; text: string }) => (
  <Layout title={props.title} shell={props.shell}>
    <h1>{props.title}</h1>
    <p>{props.text}</p>
    <p>
      <a href="/">To the overview</a>
    </p>
  </Layout>
);
