/**
 * One Copilot request and its answer, in a form that is the same for every wire format.
 * All text in these types is masked before it reaches the store.
 */
export type ExchangeStatus = "open" | "complete" | "truncated" | "client_gone" | "upstream_failed" | "refused";

export type WireFormat =
  | "chat-completions"
  | "responses"
  | "messages"
  | "completions"
  | "embeddings"
  | "chunks"
  | "models"
  | "model-session"
  | "tokens"
  | "compaction"
  | "mcp"
  | "agents"
  | "telemetry"
  | "other";

export type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  /** Ghost text: one of the choices that were offered at the cursor. */
  | { readonly type: "completion"; readonly text: string }
  | { readonly type: "tool_call"; readonly id: string; readonly name: string; readonly arguments: string }
  | { readonly type: "tool_result"; readonly id: string; readonly text: string }
  | { readonly type: "tools"; readonly text: string }
  | { readonly type: "opaque"; readonly kind: string; readonly text: string };

/** One message of a conversation. `role` is the wire's own word where it has one. */
export interface Message {
  readonly role: "system" | "developer" | "user" | "assistant" | "tool";
  readonly parts: readonly Part[];
}

/** What a client says about itself, in headers. Ids count only together with the person. */
export interface ClientHints {
  /** e.g. `copilot-cli`, `copilot-language-server`, `unknown`. */
  readonly client: string;
  /** The client's own conversation id; null where it sends none. */
  readonly conversation: string | null;
  readonly interaction: string | null;
  readonly agentTask: string | null;
  readonly parentAgent: string | null;
  readonly initiator: string | null;
}

/** Lines that an exchange suggested: a completion, a fenced block of an answer, an edit tool's new text. */
export interface Suggestion {
  /** The path the suggestion was made for, where the wire tells; otherwise null. */
  readonly path: string | null;
  readonly kind: "completion" | "fence" | "edit";
  /** The suggested lines, masked, without echo of what the request already held. */
  readonly lines: readonly string[];
}

/** A tool call of an answer, and what it reaches for as far as its arguments tell. Masked, like everything here. */
export interface ToolUse {
  /** The call's id on the wire. */
  readonly id: string;
  readonly name: string;
  /** JSON text, or what a custom tool takes. */
  readonly arguments: string;
  /** Files that it reads or writes. */
  readonly paths: readonly string[];
  /** Shell commands that it runs. */
  readonly commands: readonly string[];
  /** Hosts and services that it speaks to. */
  readonly services: readonly string[];
}
