/** How the gateway signs in at an upstream. `none`: no credential is sent, and the client's own is taken off. */
export type UpstreamCredential =
  | { readonly kind: "none" }
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  | { readonly kind: "bearer"; readonly token: string }
  | { readonly kind: "passthrough" };

interface ConnectionBase {
  /** The name in the configuration and in addresses. */
  readonly name: string;
  /** The upstream's base URL, ending in `/`. */
  readonly url: string;
  readonly credential: UpstreamCredential;
  /** Group names, `user:EMAIL`, or `*`. Empty: nobody. */
  readonly allow: readonly string[];
}

/** Read and write on repositories by glob. Present: nothing that is not named. */
export interface AccessRule {
  readonly repositories: readonly string[];
  readonly read: readonly string[];
  readonly write: readonly string[];
}

export interface GitConnection extends ConnectionBase {
  readonly kind: "git";
  /** Null: `allow` may read and write everything. */
  readonly access: readonly AccessRule[] | null;
  /** Whether the files of a repository are served by name (gitprotocol-http, "Dumb Clients"). */
  readonly dumb: "refuse" | "pass";
}

export interface CopilotConnection extends ConnectionBase {
  readonly kind: "copilot";
  /** The ghost-text host, ending in `/`; null: the same as `url`. */
  readonly proxyUrl: string | null;
}

export type Connection = GitConnection | CopilotConnection;
