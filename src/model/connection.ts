/** How the gateway signs in at an upstream. `none`: no credential is sent, and the client's own is taken off. */
export type UpstreamCredential =
  | { readonly kind: "none" }
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  | { readonly kind: "bearer"; readonly token: string }
  /** A key in a header of its own: `x-api-key` (Anthropic), `api-key` (Azure). */
  | { readonly kind: "header"; readonly name: string; readonly value: string }
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

/** A line of `paths:`. The first one that matches decides. */
export interface PathRule {
  /** A glob over the path below the connection, beginning with `/`. */
  readonly path: string;
  /** Upper case; empty: every method. */
  readonly methods: readonly string[];
  readonly action: "relay" | "refuse";
  /** `own`: what the path holds besides the rule's own words has to be an id that the upstream gave to this very person. */
  readonly ids: "own" | "any";
}

/** What is relayed on a connection to a model's API, beyond its stateless inference paths. */
export interface WireRules {
  readonly paths: readonly PathRule[];
  /** Whether `GET /responses` may become a WebSocket; refused, the model list does not offer it either. */
  readonly websocket: "relay" | "refuse";
  /** What becomes of `POST /telemetry`, which can carry prompts. */
  readonly telemetry: "drop" | "strip" | "mask";
  /** Where telemetry goes that is not dropped, ending in `/`; null: the connection's own URL. */
  readonly telemetryUrl: string | null;
  /** MCP tools that may be called although their name does not say that they only read. Globs. */
  readonly mcpTools: readonly string[];
  /** Whether a client chooses which of a shared credential's organizations and projects its requests are for. */
  readonly clientAccount: "drop" | "pass";
}

export const DEFAULT_WIRE_RULES: WireRules = {
  paths: [],
  websocket: "relay",
  telemetry: "drop",
  telemetryUrl: null,
  mcpTools: [],
  clientAccount: "drop",
};

/** Who may use which models: globs over their names. */
export interface ModelRule {
  readonly names: readonly string[];
  /** Group names, `user:EMAIL`, or `*`. */
  readonly allow: readonly string[];
}

/** What one person may ask for. Null: no limit of this kind. */
export interface PersonLimit {
  /** Whom it is for: group names, `user:EMAIL`, or `*`. The first entry that names a person counts. */
  readonly people: readonly string[];
  readonly requestBytes: number | null;
  readonly requestsPerMinute: number | null;
  /** Answers at the same time. */
  readonly streams: number | null;
}

/** What is asked of every request, whoever its model speaks for. */
export interface ModelPolicy {
  /** Null: every model for everybody whom `allow` names. */
  readonly models: readonly ModelRule[] | null;
  readonly limits: readonly PersonLimit[];
  /** While the database is away: nothing is sent, or the record waits on the local disk. */
  readonly databaseAway: "refuse" | "spool";
  /** Requests that the gateway cannot read: refused, or sent on with `truncated` on the record. */
  readonly unreadable: "refuse" | "relay";
}

export const DEFAULT_MODEL_POLICY: ModelPolicy = {
  models: null,
  limits: [],
  databaseAway: "refuse",
  unreadable: "refuse",
};

/** The API of a model: GitHub's Copilot, or one that speaks OpenAI's or Anthropic's wire. */
export interface CopilotConnection extends ConnectionBase {
  readonly kind: "copilot" | "openai" | "anthropic";
  /** The ghost-text host, ending in `/`; null: the same as `url`. */
  readonly proxyUrl: string | null;
  readonly rules: WireRules;
  readonly policy: ModelPolicy;
}

export type Connection = GitConnection | CopilotConnection;
