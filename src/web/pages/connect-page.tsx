/** What to set in git and in each Copilot client. Tokens are stored hashed, so the page can only say where yours goes. */
import type { Connection } from "../../model/connection.ts";
import { clientSetups, gitSignIns, type ClientSetup } from "../client-setup.ts";
import { Layout, type Shell } from "./layout.tsx";

const TOKEN = "gho_YOUR_TOKEN";
const ownTokenOf = ({ kind }: Connection): string => (kind === "copilot" ? "YOUR_OWN_GITHUB_TOKEN" : "YOUR_OWN_KEY");

const Copy = ({ text }: { text: string }) => (
  <div class="copy">
    <pre>{text}</pre>
  </div>
);

const TITLES = { git: "git", copilot: "Copilot", openai: "OpenAI", anthropic: "Anthropic" } as const;

const idOf = ({ name }: Connection): string => `connection-${name}`;

/** What git needs: the address first, and then ways to say who one is, of which one is enough. */
function gitSetups(publicUrl: string, { name, credential }: Connection): readonly ClientSetup[] {
  const remote = {
    client: "The remote",
    note: "Point a repository's remote at the gateway; everything else about it stays.",
    text: `git remote set-url origin ${publicUrl}/git/${name}/TEAM/REPOSITORY.git`,
  };
  const header = (where: string): string =>
    `git config --global http.${publicUrl}${where}.extraHeader "Sallyport-Token: ${TOKEN}"`;
  if (credential.kind === "passthrough") {
    return [
      remote,
      {
        client: "Your token, in a header",
        note: "The user name and the password that git asks for are your own for the Git server. The file that holds the token should be readable by you alone.",
        text: header(`/git/${name}/`),
      },
    ];
  }
  return [
    remote,
    ...gitSignIns(publicUrl),
    {
      client: "Without any of them",
      note: "When git asks for them, give any user name, and your gateway token as the password. With this setting it does not ask: the token then stands in ~/.gitconfig, which nobody else should be able to read.",
      text: header("/"),
    },
  ];
}

const ConnectionSection = (props: { connection: Connection; setups: readonly ClientSetup[] }) => {
  const { connection, setups } = props;
  return (
    <section id={idOf(connection)} aria-label={connection.name}>
      <h2>
        {TITLES[connection.kind]} <span class="soft">· {connection.name}</span>
      </h2>
      <div class="sheet ways">
        {setups.map(({ client, note, text }) => (
          <div class="way">
            <div>
              <h3>{client}</h3>
              {note !== null && <p class="soft">{note}</p>}
            </div>
            <Copy text={text} />
          </div>
        ))}
      </div>
    </section>
  );
};

/** Who makes the token: the person themselves, always; without a provider, an operator makes the first one. */
const WhoYouAre = ({ hasProvider, publicUrl }: { hasProvider: boolean; publicUrl: string }) => (
  <p>
    The gateway's address is <code>{publicUrl}</code>.{" "}
    {hasProvider ? "Most clients sign you in by themselves, through the browser. Where" : "Where"} <code>{TOKEN}</code>{" "}
    stands, put a gateway token of your own: <a href="/tokens">make one</a>, with what it is for and when it ends.
    {!hasProvider && " It may do what the one that you are signed in with may; an operator makes those that may more."}
  </p>
);

export const ConnectPage = (props: {
  shell: Shell;
  publicUrl: string;
  /** Whether people sign in at an identity provider. */
  hasProvider: boolean;
  /** Those that this person may use. */
  connections: readonly Connection[];
  /** The connection that clients are sent to which sign in here; null: none. */
  steeredTo: string | null;
}) => {
  const { publicUrl, connections, steeredTo } = props;
  return (
    <Layout title="Connect" shell={props.shell}>
      <h1>Connect</h1>
      <WhoYouAre hasProvider={props.hasProvider} publicUrl={publicUrl} />
      {connections.length === 0 && (
        <div class="note warn">
          No connection is open to you: ask an operator to name you or your group in its <code>allow</code>.
        </div>
      )}
      {connections.length > 1 && (
        <p class="line">
          {connections.map((connection) => (
            <a href={`#${idOf(connection)}`}>
              {TITLES[connection.kind]} · {connection.name}
            </a>
          ))}
        </p>
      )}
      {connections.map((connection) => {
        const isSteered = steeredTo === connection.name;
        const setups =
          connection.kind === "git"
            ? gitSetups(publicUrl, connection)
            : clientSetups({ publicUrl, connection, isSteered, token: TOKEN, ownToken: ownTokenOf(connection) });
        return <ConnectionSection connection={connection} setups={setups} />;
      })}
    </Layout>
  );
};
