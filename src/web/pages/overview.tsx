import type { ApprovalRecord } from "../../store/approval-queries.ts";
import type { PushRecord } from "../../store/push-queries.ts";
import type { SessionRecord } from "../../store/sessions.ts";
import { ApprovalsTable } from "./approval-pages.tsx";
import { Layout, type Shell } from "./layout.tsx";
import { PushesTable } from "./push-pages.tsx";
import { SessionsTable } from "./session-pages.tsx";

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

export const OverviewPage = (props: {
  shell: Shell;
  pending: readonly ApprovalRecord[];
  pushes: readonly PushRecord[];
  sessions: readonly SessionRecord[];
}) => (
  <Layout title="Overview" shell={props.shell}>
    <h1>Overview</h1>
    <h2>Waiting for approval</h2>
    <ApprovalsTable approvals={props.pending} now={props.shell.now} empty="Nothing waits." />
    <div class="tiles">
      <section>
        <h2>Recent pushes</h2>
        <PushesTable pushes={props.pushes} now={props.shell.now} />
      </section>
      <section>
        <h2>Recent Copilot sessions</h2>
        <SessionsTable sessions={props.sessions} now={props.shell.now} />
      </section>
    </div>
  </Layout>
);

export const MessagePage = (props: { shell: Shell; title: string; text: string }) => (
  <Layout title={props.title} shell={props.shell}>
    <h1>{props.title}</h1>
    <p>{props.text}</p>
    <p>
      <a href="/">To the overview</a>
    </p>
  </Layout>
);
