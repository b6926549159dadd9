/** The composition root: builds every room, hands the flows their dependencies, and takes all of it down again. */
import { availableParallelism } from "node:os";
import path from "node:path";
import { getRequestListener } from "@hono/node-server";
import { createDiskBlobStore } from "./blobs/disk-blob-store.ts";
import type { Config } from "./config.ts";
import { openGatewayId } from "./config/gateway-id.ts";
import { createApprovalFlow } from "./flows/approval.ts";
import { createAttributionFlow } from "./flows/attribution.ts";
import { createDelivery } from "./flows/delivery.ts";
import { createExchangeFlow } from "./flows/exchange.ts";
import { startRecords } from "./flows/exchange/records-in-thread.ts";
import { RECORD_LIMITS } from "./flows/exchange/records.ts";
import { createFetchRecorder } from "./flows/fetches.ts";
import { createLfsFlow, DEFAULT_LFS_OBJECT_BYTES } from "./flows/lfs.ts";
import { createPushFlow } from "./flows/push.ts";
import { createScanPool } from "./flows/scanning/scan-in-workers.ts";
import { createStopWatch } from "./flows/stopping.ts";
import { createCommandSeal } from "./flows/push/sealed-commands.ts";
import { createPushLoad } from "./flows/push/load.ts";
import { defaultPushLimits } from "./git/limits.ts";
import { DEFAULT_PUSH_HEAD_LIMITS } from "./git/receive-pack.ts";
import { createLfsTickets } from "./git/lfs/ticket.ts";
import { removeStaleQuarantines } from "./git/quarantine.ts";
import type { UpstreamTimeouts } from "./git/upstream-request.ts";
import { openGitSide } from "./gateway/git-side.ts";
import { openPeople } from "./gateway/people.ts";
import { createWeb } from "./gateway/web.ts";
import { openHttpServer, type HttpServer } from "./http-server.ts";
import { createAttributionJob } from "./jobs/attribution.ts";
import { createDeliveriesJob } from "./jobs/deliveries.ts";
import { createHousekeepingJob } from "./jobs/housekeeping.ts";
import { createTextIndexJob } from "./jobs/text-index.ts";
import { createOutboxJob } from "./jobs/outbox.ts";
import { createSpoolJob } from "./jobs/spool.ts";
import { createStopsJob } from "./jobs/stops.ts";
import type { Logger } from "./model/log.ts";
import { createNotifiers } from "./notify/create-notifiers.ts";
import { limitsFor } from "./policy/limits.ts";
import { policyFor } from "./policy/match.ts";
import type { Rule } from "./secrets/rule.ts";
import type { Scanner } from "./secrets/scanner.ts";
import type { DatabaseHandle, Queryable } from "./store/database.ts";
import { openStore } from "./store/open.ts";
import { createSignals } from "./store/signals.ts";
import { createCopilotUpgrade } from "./web/copilot.ts";

export interface RunningGateway {
  /** Where it listens, as a URL. */
  readonly address: string;
  /** Reads the TLS certificate and key again; what comes of it is in the log. */
  reload(): void;
  /** Takes no new requests, lets those under way end (for {@link DRAIN_MS} at most), and closes everything. */
  close(): Promise<void>;
}

/** How long requests under way may take to end at a shutdown. */
const DRAIN_MS = 30_000;
const DECIDED = "push";

export interface GatewayOptions {
  readonly config: Config;
  /** Made of the configuration's rules and key. */
  readonly scanner: Scanner;
  /** The configuration's rules: threads make a scanner of their own. */
  readonly rules: readonly Rule[];
  /** The gateway's own environment: git's children inherit what they need of it (PATH, proxies, certificates). */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly log: Logger;
  /** How patient it is with Git upstreams, where not as usual. */
  readonly upstreamTimeouts?: Partial<UpstreamTimeouts>;
  /** How long a body may take that is no byte stream, where not as usual. */
  readonly bodyMs?: number;
}

/** @throws GatewayError `config_invalid`, `database_unavailable`, `storage_failed` */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const server = await openHttpServer(options.config.listen, options.config.tls);
  try {
    const store = await openStore(options.config);
    try {
      return await build(options, server, store);
    } catch (error) {
      await store.close();
      throw error;
    }
  } catch (error) {
    await server.close(0);
    throw error;
  }
}

async function build(options: GatewayOptions, server: HttpServer, store: DatabaseHandle): Promise<RunningGateway> {
  const { config, scanner, log } = options;
  // Under port 0 the configuration cannot know it.
  const publicUrl = config.publicUrl.endsWith(":0") ? server.address : config.publicUrl;
  const now = (): Date => new Date();
  const stopping = new AbortController();
  const mask = (text: string): string => scanner.maskName(text);

  const quarantineRoot = path.join(config.dataDir, "quarantine");
  await removeStaleQuarantines(quarantineRoot);
  const { db } = store;
  const signals = createSignals(store);
  const blobs = createDiskBlobStore(path.join(config.dataDir, "blobs"));
  await blobs.removeUnfinished();

  const people = openPeople({ config, db, publicUrl, log, now });
  const gitSide = await openGitSide(options);
  const { git, cache, upstream, lfsUpstream, userAgent } = gitSide;

  const limitsOf = (repository: string) =>
    limitsFor(config.pushes, repository, { push: defaultPushLimits, head: DEFAULT_PUSH_HEAD_LIMITS });

  // Flows and jobs
  const scanPool = createScanPool({
    rules: options.rules,
    key: config.key,
    threads: Math.min(4, Math.max(1, availableParallelism() - 1)),
    budgetMs: defaultPushLimits.scanMs,
  });
  const signIns = people.provider === null ? null : { maxAgeMs: config.approvals.signInMaxAgeMs };
  const load = createPushLoad(Math.max(2, availableParallelism()));
  const attribution = createAttributionFlow({ db, key: config.key, log, now });
  const attributionJob = createAttributionJob({ attribution, isBusy: () => load.isBusy(), log, now });
  const announce = (tx: Queryable, pushId: string): Promise<void> => signals.notify(tx, DECIDED, pushId);
  const seal = createCommandSeal(config.key);
  const delivery = createDelivery({
    db,
    seal,
    blobs,
    upstream,
    policies: config.pushes,
    mask,
    channel: DECIDED,
    onDelivered: () => attributionJob.wake(),
    log,
    now,
  });
  const approvals = createApprovalFlow({
    db,
    blobs,
    announce,
    mask,
    policyVersion: config.policyVersion,
    signIns,
    now,
  });
  const notifiers = createNotifiers(config.notify);
  const outbox = createOutboxJob({ db, notifiers, log, now });
  const deliveries = createDeliveriesJob({ db, delivery, log, now });
  const gatewayId = await openGatewayId(config.dataDir);
  const pushFlow = createPushFlow({
    db,
    blobs,
    git,
    quarantineRoot,
    cache,
    upstream,
    lfsUpstream,
    userAgent,
    limits: (repository) => limitsOf(repository).push,
    load,
    scanner,
    scanPool,
    policies: config.pushes,
    policyVersion: config.policyVersion,
    notifiers: notifiers.map(({ name }) => name),
    delivery,
    seal,
    withdraw: (pushId, why) => approvals.withdraw(pushId, why),
    publicUrl,
    heard: (pushId, timeoutMs, signal) => signals.wait(DECIDED, pushId, { timeoutMs, signal }),
    onTold: () => outbox.wake(),
    stopping: stopping.signal,
    log,
    now,
  });
  const lfsFlow = createLfsFlow({
    db,
    blobs,
    upstream: lfsUpstream,
    tickets: createLfsTickets(config.key),
    scanner,
    policies: config.pushes,
    policyVersion: config.policyVersion,
    maxObjectBytes: (repository) =>
      policyFor(config.pushes, repository).limits.lfsObjectBytes ?? DEFAULT_LFS_OBJECT_BYTES,
    mostFindings: (repository) => limitsOf(repository).push.findings,
    publicUrl,
    log,
    now,
  });
  const stops = createStopWatch({ db, provider: people.provider?.people ?? null, now });
  await stops.refresh();
  const spool = { directory: path.join(config.dataDir, "spool"), maxBytes: config.recording.spoolBytes };
  const kept = { rules: options.rules, key: config.key, databaseUrl: store.url, gateway: gatewayId, spool };
  const records = await startRecords({ ...kept, limits: RECORD_LIMITS, scanMs: defaultPushLimits.scanMs }, log);
  const exchanges = createExchangeFlow({
    db,
    records,
    mask: (text) => scanner.mask(text),
    recordKey: config.key,
    stops,
    sent: {
      prompts: config.recording.prompts,
      answers: config.recording.answers,
      find: (text) => scanner.find(text),
      maskStream: () => scanner.maskStream(),
    },
    log,
    now,
  });

  const housekeeping = createHousekeepingJob({
    db,
    blobs,
    approvals,
    gateway: { id: gatewayId, startedAt: now() },
    keepMs: config.recording.keepMs,
    log,
    now,
  });
  const spooled = createSpoolJob({ records, log });
  const jobs = [
    attributionJob,
    outbox,
    deliveries,
    housekeeping,
    spooled,
    createStopsJob({ watch: stops, log }),
    createTextIndexJob({ db, log }),
  ];

  const fetches = createFetchRecorder({ db, mask, log });

  const { app, copilot } = createWeb({
    ...options,
    publicUrl,
    db,
    people,
    upstream,
    limits: limitsOf,
    pushFlow,
    lfsFlow,
    exchanges,
    recordsWaiting: () => records.waiting(),
    fetches,
    decide: async (request) => {
      const decided = await approvals.decide(request);
      deliveries.wake();
      return decided;
    },
    signIns,
    now,
  });
  const listener = getRequestListener(app.fetch);
  server.handle(
    (request, response) => void listener(request, response),
    createCopilotUpgrade(copilot, stopping.signal),
  );
  for (const job of jobs) job.start();
  people.provider
    ?.prepare()
    .catch((error: unknown) => log.warn({ error }, "nobody can sign in yet: it is tried again when somebody does"));

  const reload = (): void => {
    const tell = async (): Promise<void> => {
      const done = await server.reloadTls();
      if (!done.ok) log.error({ problem: done.error }, "the TLS files cannot be used: what was read before stays");
      else if (done.value !== null) log.info({ expires: done.value }, "the TLS certificate was read again");
    };
    void tell();
  };
  server.watchTls(reload);

  return {
    address: server.address,
    reload,
    close: async () => {
      stopping.abort();
      await server.close(DRAIN_MS);
      for (const job of jobs) await job.stop();
      await records.drain();
      await fetches.drain();
      exchanges.close();
      await records.close();
      await gitSide.close();
      await scanPool.close();
      await signals.close();
      await store.close();
    },
  };
}
