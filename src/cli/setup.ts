import type { Connection } from "../model/connection.ts";
import { clientSetups } from "../web/client-setup.ts";
import type { Command } from "./command.ts";
import { loadConfigOrTell } from "./load-config.ts";
import { configOption, parseOptions } from "./parse-options.ts";

export const setup: Command = {
  help: `Usage: sallyport setup [--config FILE|DIR]…

Prints what to set in git and in each Copilot client, for every connection of the configuration. Changes nothing.
`,
  async run(args, io) {
    const { values } = parseOptions(args, configOption);
    const config = await loadConfigOrTell(values.config ?? [], io, io.stderr);
    if (config === null) return 1;
    const { publicUrl, connections, github, identity } = config;
    io.stdout.write(renderSetup(publicUrl, [...connections.values()], github.connection, identity !== null));
    return 0;
  },
};

const TOKEN = "$SALLYPORT_TOKEN";

const WHO_BY_OPERATOR = `Who you are: a gateway token. Whoever runs the gateway makes it:

    SALLYPORT_TOKEN=$(npx sallyport token create --user you@example.com)
`;

const whoByProvider = (publicUrl: string): string => `Who you are: your sign-in at the identity provider. For git alone:

    npx sallyport login ${publicUrl}

  For everything else, a gateway token; make it at ${publicUrl}/tokens

    SALLYPORT_TOKEN=gho_…
`;

/** Instructions to paste; the token is a variable in them, so that what is pasted holds none. */
export function renderSetup(
  publicUrl: string,
  connections: readonly Connection[],
  steeredTo: string | null = null,
  hasProvider = false,
): string {
  const parts = connections.map((connection) =>
    connection.kind === "git"
      ? renderGit(publicUrl, connection)
      : renderClients(publicUrl, connection, connection.name === steeredTo),
  );
  const none =
    "There is no connection in the configuration yet; `connections:` in it says what the gateway stands in front of.\n";
  return [hasProvider ? whoByProvider(publicUrl) : WHO_BY_OPERATOR, ...(parts.length === 0 ? [none] : parts)].join(
    "\n",
  );
}

function renderGit(publicUrl: string, { name, url, credential }: Connection): string {
  const base = `${publicUrl}/git/${name}/`;
  const move = `    git config --global url."${base}".insteadOf ${url}

  or for one clone only:

    git remote set-url origin ${base}<path>.git`;
  if (credential.kind === "passthrough") {
    return `Git: ${name} (${url}), with your own credential for it

${move}

  The gateway knows you by a header. Your own user name and password (or token) for ${url} go in
  when git asks for ${publicUrl}:

    git config --global http.${base}.extraHeader "Sallyport-Token: ${TOKEN}"
`;
  }
  return `Git: ${name} (${url})

${move}

  When git asks: any user name, and the gateway token as the password. Git's credential helper keeps it.
`;
}

function renderClients(publicUrl: string, connection: Connection, isSteered: boolean): string {
  const { name, url, credential } = connection;
  const own = credential.kind === "passthrough";
  const setups = clientSetups({ publicUrl, connection, isSteered, token: TOKEN, ownToken: "$YOUR_OWN_TOKEN" });
  const parts = setups.map(({ client, note, text }) =>
    [`  ${client}`, ...(note === null ? [] : [`  (${note})`]), "", indent(text), ""].join("\n"),
  );
  return `${TITLES[connection.kind]}: ${name} (${url})${own ? ", with your own token for it" : ""}\n\n${parts.join("\n")}`;
}

const TITLES = { git: "Git", copilot: "Copilot", openai: "OpenAI", anthropic: "Anthropic" } as const;

const indent = (text: string): string => text.replace(/^/gm, "    ");
