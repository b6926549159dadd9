import type { Connection } from "../model/connection.ts";
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
    io.stdout.write(renderSetup(config.publicUrl, [...config.connections.values()]));
    return 0;
  },
};

const TOKEN = "$SALLYPORT_TOKEN";

/** Instructions to paste; the token is a variable in them, so that what is pasted holds none. */
export function renderSetup(publicUrl: string, connections: readonly Connection[]): string {
  const parts = connections.map((connection) =>
    connection.kind === "git" ? renderGit(publicUrl, connection) : renderCopilot(publicUrl, connection),
  );
  const none =
    "There is no connection in the configuration yet; `connections:` in it says what the gateway stands in front of.\n";
  return [
    `Who you are: a gateway token. Whoever runs the gateway makes it:

    SALLYPORT_TOKEN=$(npx sallyport token create --user you@example.com)
`,
    ...(parts.length === 0 ? [none] : parts),
  ].join("\n");
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

function renderCopilot(publicUrl: string, { name, url, credential }: Connection): string {
  const path = `/copilot/${name}`;
  const byPath = `${publicUrl}/u/${TOKEN}${path}`;
  const own = credential.kind === "passthrough";
  const base = own ? byPath : publicUrl + path;
  return `Copilot: ${name} (${url})${own ? ", with your own GitHub token" : ""}

  Copilot CLI

    export COPILOT_API_URL="${base}"
    export COPILOT_GITHUB_TOKEN="${own ? "$YOUR_GITHUB_TOKEN" : TOKEN}"

  Copilot language server (JetBrains, vim, others); the slash at the end matters

    export GH_COPILOT_API_URL="${base}/"
    export GH_COPILOT_TOKEN="${own ? "$YOUR_GITHUB_TOKEN" : TOKEN}"
    export GH_COPILOT_USER="<your GitHub user name>"

  VS Code, in the user's settings.json, the token written out in place of ${TOKEN}

    "github.copilot.advanced": {
      "debug.overrideCapiUrl": "${byPath}",
      "debug.overrideProxyUrl": "${byPath}"
    }
${
  own
    ? ""
    : `
  Copilot CLI with a provider of its own, and any client of the OpenAI or Anthropic API

    export COPILOT_PROVIDER_BASE_URL="${base}"
    export COPILOT_PROVIDER_API_KEY="${TOKEN}"
`
}`;
}
