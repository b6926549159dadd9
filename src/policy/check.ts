import type { PushFacts, RefFacts } from "../model/push-facts.ts";
import type { Opinion } from "../model/verdict.ts";
import type { PushPolicy } from "./schema.ts";

export interface CheckContext {
  /** The entry that matched the repository. */
  readonly policy: PushPolicy;
  readonly facts: PushFacts;
}

/**
 * One rule about one ref of a push: pure, over plain facts. An empty answer has nothing against it. Reasons are one line, and
 * hold the operator's words only, never text from the push: they are stored, printed and sent to Slack.
 */
export interface Check {
  readonly name: string;
  readonly judge: (context: CheckContext, ref: RefFacts) => readonly Opinion[];
}
