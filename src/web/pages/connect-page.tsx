/** What to set in git and in each Copilot client. Tokens are stored hashed, so the page can only say where yours goes. */
import type { Child } from "hono/jsx";
import type { Connection } from "../../model/connection.ts";
import { clientSetups, type ClientSetup } from "../client-setup.ts";
import { Layout, type Shell } from "./layout.tsx";

const TOKEN = "gho_YOUR_TOKEN";
const GITHUB_TOKEN = "YOUR_OWN_GITHUB_TOKEN";

const Copy = ({ text }: { text: string }) => (
  <div class="copy">
    <pre>{text}</pre>
  </div>
);

const Client = ({ name, children }: { name: string; children?: Child }) => (
  <>
    <h2>{name}</h2>
    {children}
  </>
);

interface ClientProps {
  readonly name: string;
  readonly publicUrl: string;
}

/** Under `passthrough`: what git is asked for belongs to the upstream, so that the token has to come beside it. */
const GitBesideOwn = ({ name, publicUrl }: ClientProps) => (
  <Client name={`git · ${name}`}>
    <p>
      Point a repository's remote at the gateway, and let git send your gateway token in a header. The file that holds
      it should be readable by you alone. The user name and the password that git asks for are your own for the Git
      server.
    </p>
    <Copy
      text={[
        `git remote set-url origin ${publicUrl}/git/${name}/TEAM/REPOSITORY.git`,
        `git config --global http.${publicUrl}/git/${name}/.extraHeader "Sallyport-Token: ${TOKEN}"`,
      ].join("\n")}
    />
  </Client>
);

const Git = ({ name, publicUrl }: ClientProps) => (
  <>
    <Client name={`git · ${name}`}>
      <p>Point a repository's remote at the gateway. Any user name; the password is your gateway token.</p>
      <Copy
        text={[
          `git remote set-url origin ${publicUrl}/git/${name}/TEAM/REPOSITORY.git`,
          "git config --global credential.helper cache   # or your system's own, so that git asks once",
        ].join("\n")}
      />
      <p>Or without asking, for this gateway alone. The file that holds it should be readable by you alone:</p>
      <Copy text={`git config --global http.${publicUrl}/.extraHeader "Sallyport-Token: ${TOKEN}"`} />
    </Client>
  </>
);

const Clients = ({ setups, name }: { setups: readonly ClientSetup[]; name: string }) => (
  <>
    {setups.map(({ client, note, text }) => (
      <Client name={`${client} · ${name}`}>
        {note !== null && <p>{note}</p>}
        <Copy text={text} />
      </Client>
    ))}
  </>
);

export const ConnectPage = (props: {
  shell: Shell;
  publicUrl: string;
  /** Those that this person may use. */
  connections: readonly Connection[];
  /** The connection that clients are sent to which sign in here; null: none. */
  steeredTo: string | null;
}) => (
  <Layout title="Connect" shell={props.shell}>
    <h1>Connect</h1>
    <p>
      The gateway's address is <code>{props.publicUrl}</code>. Put your own token where <code>{TOKEN}</code> stands; an
      operator makes one with <code>sallyport token create --user YOU --for git,copilot,api</code>.
    </p>
    {props.connections.length === 0 && (
      <div class="note warn">
        No connection is open to you: ask an operator to name you or your group in its `allow`.
      </div>
    )}
    {props.connections.map((connection) => {
      const { kind, name, credential } = connection;
      const isPassthrough = credential.kind === "passthrough";
      if (kind !== "git") {
        const setups = clientSetups({
          publicUrl: props.publicUrl,
          connection,
          isSteered: props.steeredTo === name,
          token: TOKEN,
          ownToken: GITHUB_TOKEN,
        });
        return <Clients setups={setups} name={name} />;
      }
      return isPassthrough ? (
        <GitBesideOwn name={name} publicUrl={props.publicUrl} />
      ) : (
        <Git name={name} publicUrl={props.publicUrl} />
      );
    })}
  </Layout>
);
