/** From GitHub's scopes to what a gateway token may be used for. */
import type { OauthClient } from "../../model/oauth-client.ts";
import type { Audience } from "../../model/principal.ts";

const MAX_SCOPES = 40;

/** Scopes as a client wrote them (parted by blanks, or by commas), each once. What is none (RFC 6749, section 3.3) is left out. */
export const parseScope = (text: string): readonly string[] =>
  [...new Set(text.split(/[\s,]+/))].filter((scope) => /^[!#-[\]-~]{1,64}$/.test(scope)).slice(0, MAX_SCOPES);

/** `repo` asks for git; Copilot needs no scope at GitHub either. Never more than the client is known for. */
export function audiencesFor(client: OauthClient, scope: string): readonly Audience[] {
  const asked: readonly Audience[] = ["copilot", ...(parseScope(scope).includes("repo") ? (["git"] as const) : [])];
  return client.audiences.filter((audience) => asked.includes(audience));
}

/** Those that open repositories, which a token without git is not told to do. */
const GIT_SCOPES = ["repo", "workflow", "public_repo", "gist", "delete_repo", "codespace"];

/** What is granted, in GitHub's form: parted by commas. */
export const grantedScope = (scope: string, audiences: readonly Audience[]): string =>
  parseScope(scope)
    .filter((name) => audiences.includes("git") || !GIT_SCOPES.includes(name))
    .join(",");
