/** Copilot sessions: the list, and one as a plain transcript. */
import type { Part } from "../../model/exchange.ts";
import type { TranscriptMessage } from "../../store/messages.ts";
import type { SessionRecord } from "../../store/sessions.ts";
import { Layout, type Shell } from "./layout.tsx";
import { ListPage, type ListProps } from "./list-page.tsx";
import { Badge, Facts, Time } from "./parts.tsx";

/** @param now Given: the brief form, for the overview */
export const SessionsTable = ({ sessions, now }: { sessions: readonly SessionRecord[]; now?: Date }) => (
  <div class="sheet">
    {sessions.length === 0 ? (
      <div class="empty">No sessions.</div>
    ) : (
      <table class="rows">
        <thead>
          <tr>
            <th>Session</th>
            {now === undefined && <th>Who</th>}
            {now === undefined && <th>Client</th>}
            <th>Exchanges</th>
            <th class="tight">Last active</th>
          </tr>
        </thead>
        <tbody>
          {sessions.map((session) => (
            <tr>
              <td>
                <a href={`/sessions/${session.id}`}>{session.title ?? "Untitled"}</a>
                {now !== undefined && <div class="soft">{session.user}</div>}
              </td>
              {now === undefined && <td>{session.user}</td>}
              {now === undefined && <td>{session.client}</td>}
              <td class="tight">{session.exchanges}</td>
              <td class="tight">
                <Time at={session.lastActiveAt} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    )}
  </div>
);

export const SessionsPage = (props: ListProps<SessionRecord>) => (
  <ListPage title="Copilot sessions" {...props}>
    <SessionsTable sessions={props.items} />
  </ListPage>
);

/** Longer texts that nobody said are folded. */
const Folded = ({ label, text }: { label: string; text: string }) => (
  <details>
    <summary>{label}</summary>
    <pre>{text}</pre>
  </details>
);

const PartView = ({ part, role }: { part: Part; role: string }) => {
  switch (part.type) {
    case "completion":
      return <Folded label="Offered at the cursor" text={part.text} />;
    case "text":
      return role === "system" || role === "developer" ? (
        <Folded label="Instructions" text={part.text} />
      ) : (
        <div class="said">{part.text}</div>
      );
    case "reasoning":
      return <Folded label="Reasoning" text={part.text} />;
    case "tool_call":
      return (
        <>
          <div class="soft">
            calls <code>{part.name}</code>
          </div>
          <pre>{part.arguments}</pre>
        </>
      );
    case "tool_result":
      return <Folded label="Tool result" text={part.text} />;
    case "tools":
      return <Folded label="Tools on offer" text={part.text} />;
    case "opaque":
      return <Folded label={part.kind} text={part.text} />;
    default:
      return null;
  }
};

export const SessionPage = (props: {
  shell: Shell;
  session: SessionRecord;
  transcript: readonly TranscriptMessage[];
}) => {
  const { session, transcript } = props;
  return (
    <Layout title={session.title ?? "Session"} shell={props.shell}>
      <h1>{session.title ?? "Untitled session"}</h1>
      <Facts
        facts={[
          ["Who", session.user],
          ["Client", session.client],
          ["Connection", session.connection],
          ["Began", <Time at={session.startedAt} />],
          ["Last active", <Time at={session.lastActiveAt} />],
          ["Exchanges", String(session.exchanges)],
        ]}
      />
      <h2>Transcript</h2>
      <p class="soft">
        Secrets were masked before this was stored. Each message is shown once, where it first came up.
      </p>
      <div class="sheet">
        {transcript.length === 0 && <div class="empty">Nothing was said.</div>}
        {transcript.map((message) => (
          <article class={`message ${message.role}`}>
            <h3>
              {message.role}
              {message.role === "assistant" && message.model !== null && ` · ${message.model}`} ·{" "}
              <Time at={message.at} />{" "}
              {message.direction === "response" && message.status !== "complete" && <Badge status={message.status} />}
            </h3>
            {message.parts.map((part) => (
              <PartView part={part} role={message.role} />
            ))}
          </article>
        ))}
      </div>
    </Layout>
  );
};
