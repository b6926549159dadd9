/** What to set in git and in each Copilot client. Tokens are stored hashed, so the page can only say where yours goes. */
import type { Child } from "hono/jsx";
import type { Connection } from "../../model/connection.ts";
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

/** Under `passthrough` the client's own header is GitHub's, so that the gateway's token goes by the address. */
const Copilot = ({ name, publicUrl, isPassthrough }: ClientProps & { readonly isPassthrough: boolean }) => (
  <>
    {isPassthrough && (
      <p>
        Through {name} your own GitHub token reaches Copilot, and the gateway's stands in the address: keep what holds
        it to yourself.
      </p>
    )}
    <Client name={`Copilot CLI · ${name}`}>
      <Copy
        text={[
          `export COPILOT_API_URL=${publicUrl}${isPassthrough ? `/u/${TOKEN}` : ""}/copilot/${name}`,
          `export COPILOT_GITHUB_TOKEN=${isPassthrough ? GITHUB_TOKEN : TOKEN}`,
          "copilot",
        ].join("\n")}
      />
    </Client>
    <Client name={`Copilot language server (JetBrains, Vim, others) · ${name}`}>
      <p>In the environment of the editor; the slash at the end matters.</p>
      <Copy
        text={[
          `export GH_COPILOT_API_URL=${publicUrl}${isPassthrough ? `/u/${TOKEN}` : ""}/copilot/${name}/`,
          ...(isPassthrough ? [] : [`export GH_COPILOT_SERVER_URL=${publicUrl}`]),
          `export GH_COPILOT_TOKEN=${isPassthrough ? GITHUB_TOKEN : TOKEN}`,
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
    {!isPassthrough && (
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
    )}
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
    {props.connections.map(({ kind, name, credential }) => {
      const isPassthrough = credential.kind === "passthrough";
      if (kind === "copilot") return <Copilot name={name} publicUrl={props.publicUrl} isPassthrough={isPassthrough} />;
      return isPassthrough ? (
        <GitBesideOwn name={name} publicUrl={props.publicUrl} />
      ) : (
        <Git name={name} publicUrl={props.publicUrl} />
      );
    })}
  </Layout>
);
