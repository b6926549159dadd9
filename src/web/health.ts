/** `/healthz`, `/readyz` and `/metrics`: for orchestrators and Prometheus, without sign-in; counts and times only, no names. */
import { Hono } from "hono";
import { sql } from "drizzle-orm";
import type { Logger } from "../model/log.ts";
import type { Database } from "../store/database.ts";
import { findOutboxDepth, type OutboxDepth } from "../store/outbox.ts";
import { countPushesByStatus } from "../store/pushes.ts";
import { exchanges } from "../store/schema.ts";

export interface HealthDependencies {
  readonly db: Database;
  readonly version: string;
  /** Records of exchanges that wait to be written. */
  readonly recordsWaiting: () => Promise<number>;
  readonly log: Logger;
  readonly now: () => Date;
}

/** How long `/readyz` waits for the database, in milliseconds. */
const PATIENCE_MS = 2_000;
/** Scrapes within this time share one set of queries. */
const CACHE_MS = 10_000;
const DAY_MS = 24 * 60 * 60_000;

interface Snapshot {
  readonly pushes: ReadonlyMap<string, number>;
  readonly exchanges: ReadonlyMap<string, number>;
  readonly outbox: OutboxDepth;
}

/** The smallest version 7 UUID of a time: the primary key then answers for a span of time, without another index. */
const firstIdOf = (at: Date): string => {
  const hex = at.getTime().toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
};

async function countRecentExchanges(db: Database, since: Date): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .select({ status: exchanges.status, count: sql<number>`count(*)::int` })
    .from(exchanges)
    .where(sql`${exchanges.id} >= ${firstIdOf(since)}`)
    .groupBy(exchanges.status);
  return new Map(rows.map((row) => [row.status, row.count]));
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  /** By label set, written as Prometheus does. */
  readonly values: readonly (readonly [labels: string, value: number])[];
}

const renderMetrics = (metrics: readonly Metric[]): string =>
  metrics
    .flatMap(({ name, help, type, values }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...values.map(([labels, value]) => `${name}${labels} ${value}`),
    ])
    .join("\n")
    .concat("\n");

const byStatus = (counts: ReadonlyMap<string, number>): readonly (readonly [string, number])[] =>
  [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([status, count]) => [`{status="${status}"}`, count]);

const processMetrics = (version: string): Metric[] => {
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return [
    { name: "sallyport_info", help: "The version that runs.", type: "gauge", values: [[`{version="${version}"}`, 1]] },
    {
      name: "process_resident_memory_bytes",
      help: "Resident memory of this process.",
      type: "gauge",
      values: [["", rss]],
    },
    {
      name: "nodejs_heap_size_used_bytes",
      help: "Used JavaScript heap of this process.",
      type: "gauge",
      values: [["", heapUsed]],
    },
    {
      name: "process_cpu_seconds_total",
      help: "CPU time of this process.",
      type: "counter",
      values: [["", (user + system) / 1e6]],
    },
    {
      name: "process_uptime_seconds",
      help: "Seconds since this process began.",
      type: "gauge",
      values: [["", process.uptime()]],
    },
  ];
};

const recordMetrics = (snapshot: Snapshot, now: Date): Metric[] => {
  const oldest = snapshot.outbox.oldestPendingAt;
  return [
    {
      name: "sallyport_pushes",
      help: "Recorded pushes by status.",
      type: "gauge",
      values: byStatus(snapshot.pushes),
    },
    {
      name: "sallyport_exchanges_last_day",
      help: "Copilot exchanges begun in the last 24 hours, by status.",
      type: "gauge",
      values: byStatus(snapshot.exchanges),
    },
    {
      name: "sallyport_outbox_pending",
      help: "Messages that wait to be sent.",
      type: "gauge",
      values: [["", snapshot.outbox.pending]],
    },
    {
      name: "sallyport_outbox_failed",
      help: "Messages that were given up.",
      type: "gauge",
      values: [["", snapshot.outbox.failed]],
    },
    {
      name: "sallyport_outbox_oldest_pending_seconds",
      help: "Age of the oldest message that waits.",
      type: "gauge",
      values: [["", oldest === null ? 0 : Math.max(0, (now.getTime() - oldest.getTime()) / 1000)]],
    },
  ];
};

export function createHealthRoutes(deps: HealthDependencies): Hono {
  const { db } = deps;
  let cached: { readonly snapshot: Promise<Snapshot>; readonly until: number } | null = null;

  const read = async (): Promise<Snapshot> => {
    const [pushes, recent, outbox] = await Promise.all([
      countPushesByStatus(db),
      countRecentExchanges(db, new Date(deps.now().getTime() - DAY_MS)),
      findOutboxDepth(db),
    ]);
    return { pushes, exchanges: recent, outbox };
  };

  const snapshot = async (): Promise<Snapshot | null> => {
    const now = deps.now().getTime();
    if (cached === null || cached.until <= now) cached = { snapshot: read(), until: now + CACHE_MS };
    try {
      return await cached.snapshot;
    } catch (error) {
      cached = null;
      deps.log.warn({ error }, "the metrics could not be read from the database");
      return null;
    }
  };

  const isReady = async (): Promise<boolean> => {
    let timer: NodeJS.Timeout | null = null;
    const patience = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), PATIENCE_MS);
    });
    const answer = db.execute(sql`select 1`).then(
      () => true,
      () => false,
    );
    const isAnswered = await Promise.race([answer, patience]);
    if (timer !== null) clearTimeout(timer);
    return isAnswered;
  };

  return new Hono()
    .get("/healthz", (c) => c.text("ok\n"))
    .get("/readyz", async (c) =>
      (await isReady()) ? c.text("ready\n") : c.text("not ready: the database does not answer\n", 503),
    )
    .get("/metrics", async (c) => {
      const now = deps.now();
      const record = await snapshot();
      const metrics: Metric[] = [
        ...processMetrics(deps.version),
        {
          name: "sallyport_database_up",
          help: "Whether the database answered this scrape.",
          type: "gauge",
          values: [["", record === null ? 0 : 1]],
        },
        {
          name: "sallyport_records_waiting",
          help: "Beginnings and ends of Copilot exchanges that are not in the database yet.",
          type: "gauge",
          values: [["", await deps.recordsWaiting()]],
        },
        ...(record === null ? [] : recordMetrics(record, now)),
      ];
      return c.body(renderMetrics(metrics), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
    });
}
