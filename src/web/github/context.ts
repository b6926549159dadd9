/** What the routes of the GitHub-compatible sign-in share. */
import type { Connection } from "../../model/connection.ts";
import type { Logger } from "../../model/log.ts";
import type { GithubSignIn, OauthClient } from "../../model/oauth-client.ts";
import type { Identity } from "../../identity/identity.ts";
import type { Database } from "../../store/database.ts";
import type { Proxies } from "../forwarded.ts";
import type { SignIn } from "../sign-in.ts";

export interface GithubDependencies {
  readonly db: Database;
  /** Without a slash at the end. All addresses in answers are made of it, never of the request's `Host`. */
  readonly publicUrl: string;
  readonly github: GithubSignIn;
  readonly connections: ReadonlyMap<string, Connection>;
  readonly identity: Pick<Identity, "identify">;
  /** Who is at the browser, and the guard of the forms. */
  readonly signIn: Pick<SignIn, "findViewer" | "formToken" | "isOwnForm">;
  /** Whose addresses and names are believed. */
  readonly proxies: Proxies;
  /** Takes secrets out of a text. */
  readonly mask: (text: string) => string;
  readonly log: Logger;
  readonly now: () => Date;
}

/** Told to whoever starts a sign-in with a client that nobody configured. */
export const unknownClient = (id: string | undefined): string =>
  id === undefined
    ? "Send the client's id as client_id."
    : "This gateway does not know the client's id; `github.clients` in its configuration lists those that may sign people in.";

export const findClient = (deps: GithubDependencies, id: string | undefined): OauthClient | null =>
  id === undefined ? null : (deps.github.clients.get(id) ?? null);
