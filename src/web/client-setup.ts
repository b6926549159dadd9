/**
 * What to set in git and in each client of a model, word for word: one setting a client. The command line, the page `/connect` and the
 * documents say the same, because all of them have it from here.
 */
import type { Connection } from "../model/connection.ts";

export interface ClientSetup {
  readonly client: string;
  /** What to know before pasting it; null: nothing. */
  readonly note: string | null;
  /** To paste. */
  readonly text: string;
}

export interface SetupOptions {
  /** Without a slash at the end. */
  readonly publicUrl: string;
  readonly connection: Connection;
  /** Whether clients that sign in at the gateway are sent to this connection. */
  readonly isSteered: boolean;
  /** What stands for the person's gateway token, and for their own token of the upstream. */
  readonly token: string;
  readonly ownToken: string;
}

const json = (value: unknown): string => JSON.stringify(value, null, 2);

/** How git learns the person's token, each way by itself; not for `passthrough`, where git's own password is the upstream's. */
export function gitSignIns(publicUrl: string): readonly ClientSetup[] {
  const set = (...pairs: readonly (readonly [string, string])[]): string =>
    pairs.map(([key, value]) => `git config --global credential.${publicUrl}.${key} ${value}`).join("\n");
  return [
    {
      client: "sallyport login",
      note: "Shows a code to type in any browser; git asks for nothing from then on.",
      text: `npx sallyport login ${publicUrl}`,
    },
    {
      client: "git-credential-oauth",
      note: "Opens the browser by itself, for this gateway alone. Where there is no browser, oauth -device in place of oauth shows a code, in versions that have it.",
      text: [
        `git config --global --add credential.${publicUrl}.helper ""`,
        `git config --global --add credential.${publicUrl}.helper "cache --timeout 21600"   # or osxkeychain, wincred, libsecret`,
        `git config --global --add credential.${publicUrl}.helper oauth`,
        // Relative: its older versions put the gateway before whatever stands here.
        set(
          ["oauthClientId", "git-credential-oauth"],
          ["oauthScopes", "repo"],
          ["oauthAuthURL", "/login/oauth/authorize"],
          ["oauthTokenURL", "/login/oauth/access_token"],
          ["oauthDeviceAuthURL", "/login/device/code"],
        ),
      ].join("\n"),
    },
    {
      client: "Git Credential Manager",
      note: "Comes with Git for Windows.",
      text: set(
        ["provider", "generic"],
        ["oauthClientId", "0120e057bd645470c1ed"],
        ["oauthScopes", "repo"],
        ["oauthRedirectUri", "http://127.0.0.1"],
        ["oauthAuthorizeEndpoint", "/login/oauth/authorize"],
        ["oauthTokenEndpoint", "/login/oauth/access_token"],
        ["oauthDeviceEndpoint", "/login/device/code"],
        ["oauthUseClientAuthHeader", "false"],
        ["oauthDefaultUserName", "sallyport"],
      ),
    },
  ];
}

/** Clients of a model's API. */
export function clientSetups(options: SetupOptions): readonly ClientSetup[] {
  const { connection, isSteered } = options;
  if (connection.kind === "git") return [];
  if (connection.credential.kind === "passthrough") return passthroughSetups(options);
  const base = `${options.publicUrl}/copilot/${connection.name}`;
  const others = otherClients(connection.kind, base, options.token, "ANTHROPIC_AUTH_TOKEN");
  if (connection.kind !== "copilot") return others;
  return [...(isSteered ? signInSetups(options) : []), ...tokenSetups(options), ...others];
}

/** Clients that sign the person in, through the browser; they keep a token of their own, and find Copilot by themselves. */
function signInSetups({ publicUrl, token }: SetupOptions): readonly ClientSetup[] {
  const needsTls = publicUrl.startsWith("https:")
    ? null
    : "Needs the gateway to be reached over https, which it is not now.";
  const andName = "It asks api.<this host> as well.";
  const notes = (...texts: (string | null)[]) => texts.filter((text) => text !== null).join(" ") || null;
  return [
    {
      client: "Copilot CLI",
      note: notes("Shows a code to type in the browser.", andName, needsTls),
      text: `copilot login --host ${publicUrl}`,
    },
    {
      client: "VS Code",
      note: notes("In the user's settings.json; then sign in to Copilot.", andName, needsTls),
      text: json({
        "github-enterprise.uri": publicUrl,
        "github.copilot.advanced": { authProvider: "github-enterprise" },
      }),
    },
    {
      client: "JetBrains, Vim, Neovim and other editors with Copilot's language server",
      note: notes(
        "The language server's settings; JetBrains has it as the authentication provider's address. Then sign in to Copilot.",
        andName,
        needsTls,
      ),
      text: json({ "github-enterprise": { uri: publicUrl } }),
    },
    {
      client: "Copilot's language server, from the environment",
      note: "Without a sign-in; plain http will do. The slash at the end matters.",
      text: [
        `export GH_COPILOT_API_URL=${publicUrl}/`,
        `export GH_COPILOT_SERVER_URL=${publicUrl}`,
        `export GH_COPILOT_TOKEN=${token}`,
        "export GH_COPILOT_USER=YOUR_NAME",
      ].join("\n"),
    },
  ];
}

/** Clients that are given a gateway token. */
function tokenSetups({ publicUrl, connection: { name }, token }: SetupOptions): readonly ClientSetup[] {
  const base = `${publicUrl}/copilot/${name}`;
  return [
    {
      client: "Copilot CLI, from the environment",
      note: "Without a sign-in; plain http will do.",
      text: [`export COPILOT_API_URL=${base}`, `export COPILOT_GITHUB_TOKEN=${token}`].join("\n"),
    },
    {
      client: "Copilot CLI, with the gateway as its provider",
      note: "Takes a JWT of the identity provider as well: COPILOT_PROVIDER_API_KEY_COMMAND names a command that prints a fresh one for each request.",
      text: [
        `export COPILOT_PROVIDER_BASE_URL=${base}`,
        `export COPILOT_PROVIDER_API_KEY=${token}`,
        "export COPILOT_MODEL=gpt-4.1",
      ].join("\n"),
    },
    vscodeByPath(`${publicUrl}/u/${token}/copilot/${name}`),
  ];
}

const vscodeByPath = (byPath: string): ClientSetup => ({
  client: "VS Code, with the token in the address",
  note: "In the user's settings.json, where nothing else will do. Keep that file to yourself.",
  text: json({
    "github.copilot.advanced": { "debug.overrideCapiUrl": byPath, "debug.overrideProxyUrl": byPath },
  }),
});

/**
 * Clients of the other vendors' APIs, each by its own vendor's setting. OpenAI's have `/v1` in the address, which Copilot's API has not.
 * Codex takes no address from the environment: it would send the gateway's token to its vendor.
 * @param base of the connection @param anthropicKey where Anthropic's clients look for the key
 */
function otherClients(
  kind: "copilot" | "openai" | "anthropic",
  base: string,
  key: string,
  anthropicKey: "ANTHROPIC_AUTH_TOKEN" | "ANTHROPIC_API_KEY",
): readonly ClientSetup[] {
  const openai = kind === "openai" ? `${base}/v1` : base;
  const ofOpenai: readonly ClientSetup[] = [
    {
      client: "Codex",
      note: "In ~/.codex/config.toml. The token goes into the variable that env_key names.",
      text: [
        'model_provider = "sallyport"',
        "",
        "[model_providers.sallyport]",
        'name = "Sallyport"',
        `base_url = "${openai}"`,
        'env_key = "SALLYPORT_TOKEN"',
        'wire_api = "responses"',
        `# export SALLYPORT_TOKEN=${key}`,
      ].join("\n"),
    },
    {
      client: "OpenAI's SDKs",
      note: null,
      text: [`export OPENAI_BASE_URL=${openai}`, `export OPENAI_API_KEY=${key}`].join("\n"),
    },
  ];
  const ofAnthropic: ClientSetup = {
    client: "Claude Code, and Anthropic's SDKs",
    note: null,
    text: [`export ANTHROPIC_BASE_URL=${base}`, `export ${anthropicKey}=${key}`].join("\n"),
  };
  return [...(kind === "openai" ? [] : [ofAnthropic]), ...(kind === "anthropic" ? [] : ofOpenai)];
}

/** The client's own credential is the upstream's; the gateway's token stands in the address. */
function passthroughSetups({ publicUrl, connection, token, ownToken }: SetupOptions): readonly ClientSetup[] {
  const byPath = `${publicUrl}/u/${token}/copilot/${connection.name}`;
  if (connection.kind === "openai" || connection.kind === "anthropic") {
    return otherClients(connection.kind, byPath, ownToken, "ANTHROPIC_API_KEY");
  }
  return [
    {
      client: "Copilot CLI, from the environment",
      note: null,
      text: [`export COPILOT_API_URL=${byPath}`, `export COPILOT_GITHUB_TOKEN=${ownToken}`].join("\n"),
    },
    vscodeByPath(byPath),
  ];
}
