/** `github:`: how GitHub's clients sign people in here, and where they are sent. */
import { z } from "zod";
import { KNOWN_CLIENTS, type GithubSignIn, type OauthClient } from "../model/oauth-client.ts";
import { durationSchema } from "../policy/schema/approval.ts";
import type { ConfigDocument } from "./document.ts";
import { findNearest, type ConfigMistake } from "./mistake.ts";
import type { ConfigParts, ParsedConfig } from "./schema.ts";

const DAY_MS = 86_400_000;
const DEFAULT_TOKEN_MS = 90 * DAY_MS;

/** No fragment, since the answer stands in the query; no script, which a browser would run as a page's own. */
const redirectSchema = z
  .string()
  .refine((text) => /^[!-~]+$/.test(text) && URL.canParse(text) && !text.includes("#"), {
    error: "expected an address without a fragment, as in https://editor.example/callback or editor://callback",
    abort: true,
  })
  .refine((text) => !["javascript:", "data:", "vbscript:", "blob:", "file:"].includes(new URL(text).protocol), {
    error: "no browser may be sent to such an address",
  });

const clientSchema = z.strictObject({
  id: z.string().regex(/^[!-~]{1,100}$/, { error: "expected the id that the client sends as client_id" }),
  name: z.string().min(1).max(60).describe("Shown to whoever is asked to consent."),
  for: z
    .array(z.enum(["copilot", "git"]))
    .min(1, { error: "say what its tokens are for: copilot, git or both" })
    .describe("What its tokens may be used for; git only where the client asks for the scope repo."),
  redirects: z
    .array(redirectSchema)
    .default([])
    .describe("Where its browser sign-in may end, to the letter, besides http://127.0.0.1 and http://localhost."),
});

export const githubSchema = z.strictObject({
  connection: z
    .string()
    .optional()
    .describe("The Copilot connection that clients are sent to. Absent: the only one that there is."),
  clients: z
    .array(clientSchema)
    .default([])
    .describe(
      "More clients than the known ones (Copilot CLI, editors, Git Credential Manager), or those in another way.",
    ),
  tokens: durationSchema
    .refine((ms) => ms >= 60_000 && ms <= 3_650 * DAY_MS, { error: "expected from 1m to 3650d" })
    .default(DEFAULT_TOKEN_MS)
    .describe("How long a client's token lives. Default 90d."),
});

export const GITHUB_DEFAULTS = { clients: [], tokens: DEFAULT_TOKEN_MS };

/** Connections that a client can be sent to: with the gateway's token as its own, which `passthrough` has no place for. */
const steerable = (connections: ParsedConfig["connections"]): readonly string[] =>
  Object.entries(connections)
    .filter(([, { kind, credential }]) => kind === "copilot" && credential !== "passthrough")
    .map(([name]) => name);

export function githubMistakes(document: ConfigDocument, { github, connections }: ConfigParts): ConfigMistake[] {
  const mistakes: ConfigMistake[] = [];
  const name = github?.connection;
  if (name !== undefined && connections !== undefined && !steerable(connections).includes(name)) {
    const found = Object.hasOwn(connections, name) ? connections[name] : undefined;
    const nearest = findNearest(name, steerable(connections));
    const problem =
      found === undefined
        ? `there is no connection ${name}${nearest === null ? "" : `; did you mean ${nearest}?`}`
        : found.kind === "copilot"
          ? `${name} is passthrough: who signs in here has the gateway's token, which its upstream would not take`
          : `${name} is no Copilot connection`;
    mistakes.push(document.mistake(["github", "connection"], problem));
  }
  const ids = (github?.clients ?? []).map(({ id }) => id);
  for (const [index, id] of ids.entries()) {
    if (ids.indexOf(id) !== index)
      mistakes.push(document.mistake(["github", "clients", index], "this id stands there twice"));
  }
  return mistakes;
}

export function buildGithub({ github, connections }: ParsedConfig): GithubSignIn {
  const [only, second] = steerable(connections);
  const configured: readonly OauthClient[] = github.clients.map((client) => ({
    id: client.id,
    name: client.name,
    audiences: client.for,
    redirects: client.redirects,
  }));
  return {
    connection: github.connection ?? (second === undefined ? (only ?? null) : null),
    clients: new Map([...KNOWN_CLIENTS, ...configured].map((client) => [client.id, client])),
    tokenMs: github.tokens,
  };
}
