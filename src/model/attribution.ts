/** How one added line came to be. A gateway can show that a line came from an exchange; it can never prove one human. */
export type LineVerdict = "ai" | "ai_modified" | "moved" | "unknown";

/** A run of added lines of one commit with the same origin. Lines are 1-based and inclusive, in the new file. */
export interface LineLink {
  readonly path: string;
  readonly from: number;
  readonly to: number;
  readonly verdict: LineVerdict;
  readonly exchangeId: string | null;
  readonly sessionId: string | null;
  /** 0..1 */
  readonly score: number;
}

/** Why a commit is linked to a session. */
export interface SessionLink {
  readonly sessionId: string;
  readonly reason: "trailer" | "content";
  /** 0..1 */
  readonly confidence: number;
  readonly exchangeIds: readonly string[];
}
