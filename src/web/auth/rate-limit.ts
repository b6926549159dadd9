/**
 * How often somebody may do something, in all gateways together. Each attempt is counted before it is looked at: of a hundred sent at
 * once, none slips through between a look at the count and the counting.
 */
import { isIPv6 } from "node:net";
import { countAttempt, uncountAttempt } from "../../store/attempts.ts";
import type { Queryable } from "../../store/database.ts";

export interface RateLimit {
  /** @returns `last` where no other one is left after this, `refused` where none was left for it */
  take(key: string): Promise<"taken" | "last" | "refused">;
  /** What was taken does not count after all. */
  giveBack(key: string): Promise<void>;
}

export interface RateLimitOptions {
  readonly db: Queryable;
  /** What is counted. */
  readonly name: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly now: () => Date;
}

const MAX_KEYS = 10_000;

export function createRateLimit({ db, name, limit, windowMs, now }: RateLimitOptions): RateLimit {
  // Whoever is refused anyway does not use up the database. A map keeps the order in which its keys came.
  const refused = new Map<string, number>();
  return {
    take: async (key) => {
      const end = refused.get(key);
      if (end !== undefined && end > now().getTime()) return "refused";
      refused.delete(key);
      const { count, until } = await countAttempt(db, `${name} ${key}`, windowMs, now());
      if (count < limit) return "taken";
      if (count === limit) return "last";
      const [oldest] = refused.keys();
      if (refused.size >= MAX_KEYS && oldest !== undefined) refused.delete(oldest);
      refused.set(key, until.getTime());
      return "refused";
    },
    giveBack: (key) => uncountAttempt(db, `${name} ${key}`),
  };
}

/**
 * One key for all addresses that one machine may have: of IPv6, networks get 64 bits to hand out, and each machine as many as it likes.
 * @param address null: unknown
 */
export function keyOfAddress(address: string | null): string {
  if (address === null) return "unknown";
  const plain = address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "").replace(/%.*$/, "");
  if (!isIPv6(plain)) return plain;
  const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const [before = "", after] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split("::");
  const [left, right] = [groups(before), groups(after ?? "")];
  const zeros = after === undefined ? 0 : 8 - left.length - right.length;
  return `${[...left, ...Array<string>(zeros).fill("0"), ...right].slice(0, 4).join(":")}::/64`;
}
