/**
 * Everything that has to be so before the upstream hears of a request: nobody has stopped the person, the model is open to them, they keep
 * to their limits, what they point at is theirs, and what must not leave does not. Then its record is begun.
 */
import { type ParsedRequest, type UpstreamReference } from "../../copilot/endpoints/endpoint.ts";
import { refusedTools } from "../../copilot/routes.ts";
import { err, ok, type Result } from "../../errors.ts";
import type { CopilotConnection } from "../../model/connection.ts";
import type { Logger } from "../../model/log.ts";
import type { StopWatch } from "../stopping.ts";
import { createAdmission } from "./admission.ts";
import { describeFailure } from "./describe-failure.ts";
import type { Mask } from "./mask-messages.ts";
import { findBlocking, maskRequest, type SentMasking } from "./mask-sent.ts";
import { endOfStop, NOTHING } from "./outcome.ts";
import { within } from "./patience.ts";
import type { ExchangeStart } from "./record.ts";
import type { OpenRecord, Records } from "./records.ts";
import {
  DATABASE_AWAY,
  maskRefusal,
  type Refusal,
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
  readonly connection: CopilotConnection;
  readonly parsed: ParsedRequest | null;
  /** The body as JSON; undefined where it is none, or could not be read. */
  readonly json: unknown;
  readonly bytes: Buffer | null;
  /** What the request points at, besides what its body says. */
  readonly outside: readonly UpstreamReference[];
  /** Whether it asks a model something: rules about models apply. */
  readonly asksModel: boolean;
}

export interface Admitted {
  readonly record: OpenRecord;
  /** What goes upstream. */
  readonly bytes: Buffer | null;
  /** Aborted when somebody stops the person or the session. */
  readonly stop: AbortSignal;
  /** Call it when the exchange has ended. */
  release(): void;
}

export interface Gate {
  /** Refusals are on record. */
  admit(asked: AskedAtGate): Promise<Result<Admitted, Refusal>>;
}

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

  /** What is sent, or why it is not. */
  function passPrompt({ start, json, bytes }: AskedAtGate): Result<Pick<AskedAtGate, "start" | "bytes">, Refusal> {
    if (sent === undefined || sent.prompts === "pass" || json === undefined) return ok({ start, bytes });
    if (sent.prompts === "refuse") {
      const rules = findBlocking(json, sent.find);
      return rules.length === 0 ? ok({ start, bytes }) : err(secretsInPrompt(rules));
    }
    const masked = maskRequest(json, deps.mask);
    if (masked.rules.length === 0) return ok({ start, bytes });
    return ok({ start: { ...start, requestMasked: true }, bytes: Buffer.from(JSON.stringify(masked.json)) });
  }

  async function refuse<T>(start: ExchangeStart, refusal: Refusal): Promise<Result<T, Refusal>> {
    await records.refuse(start, refusal);
    return err(maskRefusal(refusal, deps.mask));
  }

  return {
    async admit(asked) {
      const { start, connection, parsed } = asked;
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
        const leave = stops?.attend(record, (found) => ending.abort(found));
        isAdmitted = true;
        const release = (): void => {
          leave?.();
          admitted.release();
        };
        return ok({ record, bytes: prompt.value.bytes, stop: ending.signal, release });
      } finally {
        if (!isAdmitted) admitted.release();
      }
    },
  };
}
