/** `/api/v1/stops`: the kill switch. Operators turn it on anybody, everybody on themselves. */
import { Hono, type Context } from "hono";
import { z } from "zod";
import { orderLift, orderStop } from "../flows/stopping.ts";
import { sameEmail } from "../model/email.ts";
import type { Principal } from "../model/principal.ts";
import type { Database } from "../store/database.ts";
import { findSessionOwner, findStandingStop, findStandingStops, type StopRecord } from "../store/stops.ts";
import { iso, jsonError, notFound, type ApiEnv } from "./api/context.ts";

export interface StopDependencies {
  readonly db: Database;
  /** Whether somebody may stop others. */
  readonly isOperator: (principal: Principal) => boolean;
  readonly mask: (text: string) => string;
  readonly now: () => Date;
}

const stopJson = (stop: StopRecord) => ({
  id: stop.id,
  user: stop.user,
  user_kind: stop.userKind,
  session: stop.sessionId,
  reason: stop.reason,
  stopped_by: stop.stoppedBy,
  stopped_by_kind: stop.stoppedByKind,
  created_at: stop.createdAt.toISOString(),
  expires_at: iso(stop.expiresAt),
});

const DEFAULT_REASON = "no reason was given";
const MOST_MINUTES = 525_600;
const common = {
  reason: z
    .string()
    .max(500)
    .refine((text) => !/\p{Cc}/u.test(text))
    .default(""),
  minutes: z.int().min(1).max(MOST_MINUTES).optional(),
};
const orderSchema = z.union([
  z.strictObject({ ...common, user: z.string().min(1).max(320) }),
  z.strictObject({ ...common, session: z.uuid() }),
]);

const FORBIDDEN = "you may stop your own sessions only; ask whoever runs this gateway";

export function createStopRoutes({ db, isOperator, mask, now }: StopDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();

  /** What somebody may not see of others is told as not there. */
  async function findOwn(c: Context<ApiEnv>, id: string): Promise<StopRecord | null> {
    const stop = await findStandingStop(db, id, now());
    const { principal } = c.var;
    return stop !== null && (isOperator(principal) || stop.principalId === principal.id) ? stop : null;
  }

  routes.get("/stops", async (c) => {
    const { principal } = c.var;
    const standing = await findStandingStops(db, now());
    const visible = standing.filter((stop) => isOperator(principal) || stop.principalId === principal.id);
    return c.json({ items: visible.map(stopJson), next: null });
  });

  routes.post("/stops", async (c) => {
    const parsed = orderSchema.safeParse(await c.req.json().catch(() => null));
    if (!parsed.success) {
      return jsonError(
        c,
        "request_malformed",
        'expected {"user": EMAIL} or {"session": ID}, with "reason" and "minutes"',
      );
    }
    const { principal } = c.var;
    const { reason, minutes, ...subject } = parsed.data;
    if (!isOperator(principal)) {
      const isOwn =
        "user" in subject
          ? sameEmail(subject.user, principal.email)
          : (await findSessionOwner(db, subject.session)) === principal.id;
      if (!isOwn) return jsonError(c, "forbidden", FORBIDDEN);
    }
    const at = now();
    const ordered = await orderStop(db, {
      subject,
      reason: mask(reason.trim()) || DEFAULT_REASON,
      by: principal.id,
      at,
      expiresAt: minutes === undefined ? null : new Date(at.getTime() + minutes * 60_000),
    });
    if (!ordered.ok) return jsonError(c, "not_found", ordered.error);
    const made = (await findStandingStops(db, at)).filter(({ id }) => ordered.value.includes(id));
    return c.json({ items: made.map(stopJson), next: null }, 201);
  });

  routes.delete("/stops/:id", async (c) => {
    const stop = await findOwn(c, c.req.param("id"));
    if (stop === null) return notFound(c, "stop");
    // Who was stopped by somebody else does not lift it: an agent with the person's token would.
    if (!isOperator(c.var.principal) && stop.stoppedBy !== c.var.principal.email) {
      return jsonError(c, "forbidden", "somebody else has stopped you; ask them, or whoever runs this gateway");
    }
    if (!(await orderLift(db, stop, c.var.principal.id, now()))) return notFound(c, "stop");
    return c.json(stopJson(stop));
  });

  return routes;
}
