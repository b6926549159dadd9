import type { Audience } from "./principal.ts";

/** A program that people sign in with. Its id is public knowledge and proves nothing: whoever consents is told where it runs. */
export interface OauthClient {
  readonly id: string;
  /** Shown to the person who is asked to consent. */
  readonly name: string;
  /** What its tokens are for, at the most. */
  readonly audiences: readonly Audience[];
  /** Where its browser sign-in may end besides the loopback; compared to the letter (RFC 9700, section 2.1). */
  readonly redirects: readonly string[];
}

/**
 * The clients that are known without any configuration, by the ids that they bring along. All are public: what some send as a
 * secret is in everybody's hands.
 */
export const KNOWN_CLIENTS: readonly OauthClient[] = [
  { id: "Ov23ctDVkRmgkPke0Mmm", name: "Copilot CLI", audiences: ["copilot"], redirects: [] },
  { id: "Iv1.b507a08c87ecfe98", name: "Copilot in an editor", audiences: ["copilot"], redirects: [] },
  { id: "Ov23liV9UpD7Rnfnskm3", name: "Copilot in an editor", audiences: ["copilot"], redirects: [] },
  { id: "01ab8ac9400c4e429b23", name: "Visual Studio Code", audiences: ["copilot"], redirects: [] },
  { id: "0120e057bd645470c1ed", name: "Git Credential Manager", audiences: ["git"], redirects: [] },
  { id: "sallyport", name: "sallyport login", audiences: ["git"], redirects: [] },
  { id: "git-credential-oauth", name: "git-credential-oauth", audiences: ["git"], redirects: [] },
];

/** How people sign in with such programs, and what these are steered to. */
export interface GithubSignIn {
  /** The Copilot connection that clients are sent to; null where there is none to choose. */
  readonly connection: string | null;
  /** By id. */
  readonly clients: ReadonlyMap<string, OauthClient>;
  /** How long a token lives that a client gets. */
  readonly tokenMs: number;
}
