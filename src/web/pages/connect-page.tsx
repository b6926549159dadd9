/** What to set in git and in each Copilot client. Tokens are stored hashed, so the page can only say where yours goes. */
import type { Child } from "hono/jsx";
import type { Connection } from "../../model/connection.ts";
import { Layout, type Shell } from "./layout.tsx";

const TOKEN = "gho_YOUR_TOKEN";

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

const Git = ({ name, publicUrl }: { name: string; publicUrl: string }) => (
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

const Copilot = ({ name, publicUrl }: { name: string; publicUrl: string }) => (
  <>
    <Client name={`Copilot CLI · ${name}`}>
      <Copy
        text={[
          `export COPILOT_API_URL=${publicUrl}/copilot/${name}`,
          `export COPILOT_GITHUB_TOKEN=${TOKEN}`,
          "copilot",
        ].join("\n")}
      />
    </Client>
    <Client name={`Copilot language server (JetBrains, Vim, others) · ${name}`}>
      <p>In the environment of the editor; the slash at the end matters.</p>
      <Copy
        text={[
          `export GH_COPILOT_API_URL=${publicUrl}/copilot/${name}/`,
          `export GH_COPILOT_SERVER_URL=${publicUrl}`,
          `export GH_COPILOT_TOKEN=${TOKEN}`,
          "export GH_COPILOT_USER=YOUR_NAME",
        ].join("\n")}
      />
    </Client>
    <Client name={`VS Code · ${name}`}>
      <p>
        In the user settings. VS Code can send no header of ours, so the token stands in the address: keep this file to
        yourself.
      </p>
      <Copy
        text={JSON.stringify(
          {
            "github.copilot.advanced": {
              "debug.overrideCapiUrl": `${publicUrl}/u/${TOKEN}/copilot/${name}`,
              "debug.overrideProxyUrl": `${publicUrl}/u/${TOKEN}/copilot/${name}`,
            },
          },
          null,
          2,
        )}
      />
    </Client>
    <Client name={`OpenAI and Anthropic SDKs · ${name}`}>
      <Copy
        text={[
          `export OPENAI_BASE_URL=${publicUrl}/copilot/${name}`,
          `export OPENAI_API_KEY=${TOKEN}`,
          `export ANTHROPIC_BASE_URL=${publicUrl}/copilot/${name}`,
          `export ANTHROPIC_AUTH_TOKEN=${TOKEN}`,
        ].join("\n")}
      />
    </Client>
  </>
);

export const ConnectPage = (props: {
  shell: Shell;
  publicUrl: string;
  /** Those that this person may use. */
  connections: readonly Connection[];
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
    {props.connections.map((connection) =>
      connection.kind === "git" ? (
        <Git name={connection.name} publicUrl={props.publicUrl} />
      ) : (
        <Copilot name={connection.name} publicUrl={props.publicUrl} />
      ),
    )}
  </Layout>
);
