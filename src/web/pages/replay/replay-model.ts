/** A session as it is read: see build-replay.ts, which makes it. */
import type { Prompt } from "../../../model/prompt.ts";
import type { SessionExchange } from "../../../store/replay.ts";
import type { ToolCallView } from "./tool-call.ts";

/** A text, or its beginning. */
export interface ShownText {
  readonly text: string;
  /** Characters of the whole. */
  readonly length: number;
}

export type AskedBlock =
  | { readonly kind: "prompt"; readonly prompt: Prompt; readonly length: number; readonly isCut: boolean }
  /** A picture or a file beside the words: what it is known by. */
  | { readonly kind: "attached"; readonly label: string; readonly text: ShownText }
  /** What nobody said: instructions, tools on offer, parameters. */
  | { readonly kind: "given"; readonly label: string; readonly text: ShownText }
  /** A result whose call is not on record. */
  | { readonly kind: "result"; readonly result: ShownText };

/** Where a block lies in the answer's characters: the replay shows it as they come. */
export interface Placed {
  readonly from: number;
  readonly to: number;
}

export type AnswerBlock = Placed &
  (
    | { readonly kind: "text"; readonly text: ShownText }
    | { readonly kind: "reasoning"; readonly text: ShownText }
    /** Ghost text that was offered at the cursor. */
    | { readonly kind: "completion"; readonly text: ShownText }
    | { readonly kind: "opaque"; readonly label: string; readonly text: ShownText }
    | {
        readonly kind: "tool";
        readonly name: string;
        readonly call: ToolCallView;
        /** The arguments were longer than what is read of them here. */
        readonly isCut: boolean;
        readonly length: number;
        readonly result: ToolResult | null;
      }
  );

export interface ToolResult {
  readonly text: ShownText;
  /** The exchange that brought it to the model. */
  readonly exchangeId: string;
}

export interface ReplayExchange {
  readonly record: SessionExchange;
  /** From 1, over the whole session. */
  readonly number: number;
  /** 0: the agent itself; 1: a sub-agent of it; … */
  readonly depth: number;
  readonly asked: readonly AskedBlock[];
  readonly answer: readonly AnswerBlock[];
  readonly answerLength: number;
}

export interface ReplayTurn {
  /** From 1; 0 for what comes before the first prompt. */
  readonly number: number;
  /** The prompt's first line. */
  readonly title: string | null;
  readonly exchanges: readonly ReplayExchange[];
}
