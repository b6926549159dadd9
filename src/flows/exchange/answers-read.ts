/** The answers that are on their way, as far as they have been read: beside the records whose ends they will be. */
import type { AnswerReader, AnswerSummary, RecordedAnswer } from "../../copilot/answer-reader.ts";
import { createAnswerReader } from "../../copilot/answer-reader.ts";
import { type AnswerAssembler, EMPTY_ANSWER } from "../../copilot/endpoints/endpoint.ts";
import { findEndpoint } from "../../copilot/endpoints/registry.ts";
import type { AnswerPieces } from "../../copilot/streams/waiting-bytes.ts";

/** What tells how an answer is to be read. */
export interface AskedFor {
  readonly method: string;
  /** Below the connection, without its query. */
  readonly path: string;
}

export interface AnswersRead {
  /** An answer to this may come. @param id its exchange */
  open(id: string, asked: AskedFor): void;
  /** What comes of one that is not open is forgotten. @param streamed it comes as events */
  read(id: string, streamed: boolean, pieces: AnswerPieces): void;
  /** Ends it; the whole of it waits to be taken. @param capped more of it has come */
  finish(id: string, streamed: boolean, capped: boolean): AnswerSummary;
  /** Forgets it. @returns it, where it was ended */
  take(id: string): RecordedAnswer | null;
}

interface Open {
  readonly asked: AskedFor;
  reader: AnswerReader | null;
  answer: RecordedAnswer | null;
}

/** For what is no conversation: that it came and went is all. */
const NO_ASSEMBLER: AnswerAssembler = { takeEvent: () => {}, takeBody: () => {}, result: () => EMPTY_ANSWER };

const openReader = ({ method, path }: AskedFor, streamed: boolean): AnswerReader =>
  createAnswerReader(findEndpoint(method, path).conversation?.assembleAnswer() ?? NO_ASSEMBLER, streamed);

export function createAnswersRead(): AnswersRead {
  const all = new Map<string, Open>();

  return {
    open(id, asked) {
      all.set(id, { asked, reader: null, answer: null });
    },
    read(id, streamed, pieces) {
      const open = all.get(id);
      if (open === undefined) return;
      open.reader ??= openReader(open.asked, streamed);
      open.reader.read(pieces);
    },
    finish(id, streamed, capped) {
      const open = all.get(id);
      if (open === undefined) return { ...EMPTY_ANSWER, capped };
      const answer = (open.reader ?? openReader(open.asked, streamed)).finish(capped);
      open.reader = null;
      open.answer = answer;
      const { messages: _messages, timing: _timing, ...summary } = answer;
      return summary;
    },
    take(id) {
      const answer = all.get(id)?.answer ?? null;
      all.delete(id);
      return answer;
    },
  };
}
