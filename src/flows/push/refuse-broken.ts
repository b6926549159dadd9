import { GatewayError, maskFailure } from "../../errors.ts";
import type { PushRequest } from "../../git/push-exchange.ts";
import { refusalReason, refusalReport, sameReason } from "../../git/refusal.ts";
import { isDatabaseAway } from "../../store/database.ts";
import { insertEvent } from "../../store/events.ts";
import type { PushDependencies } from "./dependencies.ts";

/** Whatever broke, the person is told in the form that git prints well, and nothing has moved. */
export async function refuseBroken(deps: PushDependencies, request: PushRequest, error: unknown): Promise<void> {
  const { head, exchange } = request;
  const reason = await noteBroken(deps, request, error);
  if (!exchange.isOver) await exchange.finish(refusalReport({ head, reasons: sameReason(head, reason) }));
}

/** Writes down what broke. @returns why, for the person: one line, masked */
export async function noteBroken(deps: PushDependencies, request: PushRequest, error: unknown): Promise<string> {
  const { repository, principal } = request;
  const failure = isDatabaseAway(error)
    ? new GatewayError(
        "database_unavailable",
        "the gateway's database is away, and nothing is pushed without a record: try again in a moment",
        { cause: error },
      )
    : error;
  const reason = refusalReason(maskFailure(failure, (text) => deps.scanner.maskName(text)));
  const isExpected = failure instanceof GatewayError && failure.code !== "internal";
  deps.log[isExpected ? "info" : "error"](
    { repository, principal: principal.id, error: failure },
    "a push was refused",
  );
  await insertEvent(deps.db, {
    kind: "push.refused",
    principalId: principal.id,
    repository: deps.scanner.maskName(repository),
    subject: null,
    data: { reason, code: failure instanceof GatewayError ? failure.code : "internal" },
  }).catch((cause: unknown) => deps.log.warn({ repository, error: cause }, "a refused push could not be recorded"));
  return reason;
}
