/**
 * Everything that has to be so before the upstream hears of a request: nobody has stopped the person, the model is open to them, they keep
 * to their limits, what they point at is theirs, and what must not leave does not. Then its record is begun.
 */
import { type ParsedRequest, type UpstreamReference } from "../../copilot/endpoints/endpoint.ts";
import type { RequestHead } from "../../copilot/request-head.ts";
import { refusedTools } from "../../copilot/routes.ts";
import { err, ok, type Result } from "../../errors.ts";
import type { CopilotConnection } from "../../model/connection.ts";
import type { Logger } from "../../model/log.ts";
import type { StopWatch } from "../stopping.ts";
import { createAdmission } from "./admission.ts";
import { describeFailure } from "./describe-failure.ts";
import type { Mask } from "./mask-messages.ts";
import { findBlocking, findBlockingHead, maskHead, maskRequest, type SentHead, type SentMasking } from "./mask-sent.ts";
import { endOfStop, NOTHING } from "./outcome.ts";
import { within } from "./patience.ts";
import type { ExchangeStart } from "./record.ts";
import type { OpenRecord, Records } from "./records.ts";
import {
  DATABASE_AWAY,
  maskRefusal,
  type Refusal,
  secretInPath,
  refusedTool,
  secretsInPrompt,
  sharedReference,
  stopped,
} from "./refusals.ts";
import type { UpstreamIds } from "./upstream-ids.ts";

export interface GateDependencies {
  readonly records: Records;
  readonly upstreamIds: UpstreamIds;
  readonly mask: Mask;
  /** Absent: nothing is masked on its way. */
  readonly sent?: SentMasking;
  /** Absent: nobody can be stopped. */
  readonly stops?: StopWatch;
  readonly beginMs: number;
  readonly log: Logger;
  readonly now: () => Date;
}

export interface AskedAtGate {
  readonly start: ExchangeStart;
  readonly tokenId: string | null;
  readonly connection: CopilotConnection;
  readonly parsed: ParsedRequest | null;
  /** What the body says; undefined where there is none, or it could not be read. */
  readonly content: unknown;
  readonly isJson: boolean;
  readonly bytes: Buffer | null;
  /** What goes along beside the body; null where it has gone before (WebSockets). */
  readonly head: RequestHead | null;
  /** What the request points at, besides what its body says. */
  readonly outside: readonly UpstreamReference[];
  /** Whether it asks a model something: rules about models apply. */
  readonly asksModel: boolean;
}

export interface Admitted {
  readonly record: OpenRecord;
  /** What goes upstream. */
  readonly bytes: Buffer | null;
  readonly sentHead: SentHead;
  /** Aborted when somebody stops the person or the session, or they may not go on by themselves. */
  readonly stop: AbortSignal;
  /** Call it when the exchange has ended. */
  release(): void;
}

export interface Gate {
  /** Refusals are on record. */
  admit(asked: AskedAtGate): Promise<Result<Admitted, Refusal>>;
  /** What of a head may go on by itself, before anything is asked. */
  passHead(path: string, head: RequestHead): Result<SentHead, Refusal>;
}

const NO_HEAD: SentHead = { query: "", withheld: [] };

export function createGate(deps: GateDependencies): Gate {
  const { records, upstreamIds, stops, sent } = deps;
  const admission = createAdmission(deps);

  async function findForeign({ start, connection, parsed, outside }: AskedAtGate) {
    const references = [...outside, ...(parsed?.references ?? [])];
    const holder = { principalId: start.principal.id, connection };
    try {
      return ok(await within(deps.beginMs, upstreamIds.findForeign(holder, references)));
    } catch (error) {
      deps.log.error({ exchange: start.id, failure: describeFailure(error) }, "Whose an id is could not be looked up");
      return err(DATABASE_AWAY);
    }
  }

  function passHead(path: string, head: RequestHead): Result<SentHead, Refusal> {
    if (sent === undefined || sent.prompts === "pass") return ok({ query: head.query, withheld: [] });
    if (sent.prompts === "refuse") {
      const rules = findBlockingHead(path, head, sent.find);
      return rules.length === 0 ? ok({ query: head.query, withheld: [] }) : err(secretsInPrompt(rules));
    }
    const masked = maskHead(path, head, deps.mask);
    return masked === null ? err(secretInPath) : ok(masked);
  }

  type Passed = Pick<AskedAtGate, "start" | "bytes"> & Pick<Admitted, "sentHead">;

  /** What is sent, or why it is not. */
  function passPrompt(asked: AskedAtGate): Result<Passed, Refusal> {
    const head = asked.head === null ? ok(NO_HEAD) : passHead(asked.start.path, asked.head);
    if (!head.ok) return head;
    const sentHead = head.value;
    const isChanged = asked.head !== null && (sentHead.withheld.length > 0 || sentHead.query !== asked.head.query);
    const body = passBody(asked);
    if (!body.ok) return body;
    const { start, bytes } = body.value;
    return ok({ start: isChanged ? { ...start, requestMasked: true } : start, bytes, sentHead });
  }

  function passBody({
    start,
    content,
    isJson,
    bytes,
  }: AskedAtGate): Result<Pick<AskedAtGate, "start" | "bytes">, Refusal> {
    if (sent === undefined || sent.prompts === "pass" || content === undefined) return ok({ start, bytes });
    if (sent.prompts === "refuse") {
      const rules = findBlocking(content, sent.find);
      return rules.length === 0 ? ok({ start, bytes }) : err(secretsInPrompt(rules));
    }
    const masked = maskRequest(content, deps.mask);
    if (masked.rules.length === 0) return ok({ start, bytes });
    if (!isJson) return err(secretsInPrompt(masked.rules));
    return ok({ start: { ...start, requestMasked: true }, bytes: Buffer.from(JSON.stringify(masked.json)) });
  }

  async function refuse<T>(start: ExchangeStart, refusal: Refusal): Promise<Result<T, Refusal>> {
    await records.refuse(start, refusal);
    return err(maskRefusal(refusal, deps.mask));
  }

  return {
    passHead,

    async admit(asked) {
      const { start, tokenId, connection, parsed } = asked;
      const subject = { principalId: start.principal.id, sessionId: null };
      const personal = stops?.standing(subject) ?? null;
      if (personal !== null) return refuse(start, stopped(personal));

      const foreign = await findForeign(asked);
      // Nothing can be recorded either.
      if (!foreign.ok) return foreign;
      if (foreign.value !== null) return refuse(start, sharedReference(foreign.value.field));
      const [tool] = refusedTools(parsed?.calls ?? [], connection.rules.mcpTools);
      if (tool !== undefined) return refuse(start, refusedTool(connection.name, tool));

      const prompt = passPrompt(asked);
      if (!prompt.ok) return refuse(start, prompt.error);
      const admitted = admission.admit({
        principal: start.principal,
        connection,
        model: asked.asksModel ? start.model : undefined,
        requestBytes: start.requestBytes,
      });
      if ("refusal" in admitted) return refuse(start, admitted.refusal);

      let isAdmitted = false;
      try {
        const record = await records.begin(prompt.value.start, connection.policy.databaseAway);
        if (record === null) return err(DATABASE_AWAY);
        // Only now is it known which session this is.
        const stop = stops?.standing(record) ?? null;
        if (stop !== null) {
          const { end, refusal } = endOfStop(stop);
          await records.settle(record, { ...NOTHING, ...end, httpStatus: refusal.httpStatus });
          return err(refusal);
        }
        const ending = new AbortController();
        const leave = stops?.attend({ ...record, tokenId, allow: connection.allow }, (found) => ending.abort(found));
        isAdmitted = true;
        const release = (): void => {
          leave?.();
          admitted.release();
        };
        const { bytes, sentHead } = prompt.value;
        return ok({ record, bytes, sentHead, stop: ending.signal, release });
      } finally {
        if (!isAdmitted) admitted.release();
      }
    },
  };
}
